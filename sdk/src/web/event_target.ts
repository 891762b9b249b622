// A small EventTarget: what AbortSignal and libraries need. There is no tree, so no bubbling.

import { report } from "../prelude/host.ts";
import { DateNow, ReflectApply, StringIntrinsic, TypeErrorIntrinsic, isObject } from "../prelude/primordials.ts";

interface EventInit {
  bubbles?: boolean;
  cancelable?: boolean;
  composed?: boolean;
}

/** Lets EventTarget set what scripts may only read. */
let target: (event: Event, to: EventTarget | null) => void;
let isStopped: (event: Event) => boolean;
let isEvent: (value: object) => value is Event;

export class Event {
  readonly type: string;
  readonly bubbles: boolean;
  readonly cancelable: boolean;
  readonly composed: boolean;
  readonly timeStamp = DateNow();
  #target: EventTarget | null = null;
  #stopped = false;
  #prevented = false;

  static {
    target = (event, to) => {
      event.#target = to;
    };
    isStopped = (event) => event.#stopped;
    isEvent = (value): value is Event => #stopped in value;
  }

  constructor(type: string, options?: EventInit) {
    this.type = StringIntrinsic(type);
    this.bubbles = options?.bubbles === true;
    this.cancelable = options?.cancelable === true;
    this.composed = options?.composed === true;
  }

  get target(): EventTarget | null {
    return this.#target;
  }

  get currentTarget(): EventTarget | null {
    return this.#target;
  }

  get defaultPrevented(): boolean {
    return this.#prevented;
  }

  preventDefault(): void {
    if (this.cancelable) this.#prevented = true;
  }

  stopPropagation(): void {}

  stopImmediatePropagation(): void {
    this.#stopped = true;
  }
}

type Listener = ((event: Event) => unknown) | { handleEvent(event: Event): unknown };

interface Registered {
  readonly type: string;
  readonly listener: Listener;
  readonly once: boolean;
  removed: boolean;
  next: Registered | undefined;
}

interface ListenerOptions {
  once?: boolean;
  signal?: { readonly aborted: boolean; addEventListener(type: string, listener: () => void): void };
}

export class EventTarget {
  #first: Registered | undefined;

  addEventListener(type: string, listener: Listener | null, options?: ListenerOptions | boolean): void {
    if (listener === null || listener === undefined) return;
    const { once, signal } = (isObject(options) ? options : {}) as ListenerOptions;
    if (signal?.aborted) return;
    const added: Registered = {
      type: StringIntrinsic(type),
      listener,
      once: once === true,
      removed: false,
      next: undefined,
    };
    if (this.#first === undefined) this.#first = added;
    else {
      let last = this.#first;
      for (;;) {
        if (last.type === added.type && last.listener === listener) return;
        if (last.next === undefined) break;
        last = last.next;
      }
      last.next = added;
    }
    signal?.addEventListener("abort", () => this.removeEventListener(type, listener));
  }

  removeEventListener(type: string, listener: Listener | null): void {
    let before: Registered | undefined;
    for (let here = this.#first; here !== undefined; here = here.next) {
      if (here.type === type && here.listener === listener) {
        here.removed = true;
        if (before === undefined) this.#first = here.next;
        else before.next = here.next;
        return;
      }
      before = here;
    }
  }

  dispatchEvent(event: Event): boolean {
    if (!isObject(event) || !isEvent(event)) throw new TypeErrorIntrinsic("dispatchEvent() takes an Event");
    target(event, this);
    for (let here = this.#first; here !== undefined && !isStopped(event); here = here.next) {
      if (here.removed || here.type !== event.type) continue;
      if (here.once) this.removeEventListener(here.type, here.listener);
      const { listener } = here;
      try {
        if (typeof listener === "function") ReflectApply(listener, this, [event]);
        else listener.handleEvent(event);
      } catch (error) {
        report(error); // one listener's fault is not the others'
      }
    }
    return !event.defaultPrevented;
  }
}
