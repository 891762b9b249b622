// AbortController and AbortSignal, after https://dom.spec.whatwg.org/#aborting-ongoing-activities.

import { report, setTimer } from "../prelude/host.ts";
import { ArrayIsArray, ReflectApply, TypeErrorIntrinsic, append } from "../prelude/primordials.ts";
import { delayOf } from "../prelude/timers.ts";
import { DOMException } from "./dom_exception.ts";
import { Event, EventTarget } from "./event_target.ts";

const KEY = {};
let abort: (signal: AbortSignal, reason: unknown) => void;
let follow: (signal: AbortSignal, follower: AbortSignal) => void;

export class AbortSignal extends EventTarget {
  #aborted = false;
  #reason: unknown;
  /** Signals of `AbortSignal.any` that depend on this one. */
  #followers: AbortSignal[] | undefined;
  onabort: ((event: Event) => unknown) | null = null;

  static {
    abort = (signal, reason) => {
      if (signal.#aborted) return;
      signal.#aborted = true;
      signal.#reason = reason === undefined ? new DOMException("This operation was aborted", "AbortError") : reason;
      const event = new Event("abort");
      const { onabort } = signal;
      if (typeof onabort === "function") {
        try {
          ReflectApply(onabort, signal, [event]);
        } catch (error) {
          report(error);
        }
      }
      signal.dispatchEvent(event);
      const followers = signal.#followers;
      signal.#followers = undefined;
      if (followers !== undefined) {
        for (let i = 0; i < followers.length; i++) abort(followers[i] as AbortSignal, signal.#reason);
      }
    };
    follow = (signal, follower) => {
      signal.#followers ??= [];
      append(signal.#followers, follower);
    };
  }

  constructor(key?: object) {
    if (key !== KEY) throw new TypeErrorIntrinsic("Illegal constructor: use new AbortController().signal");
    super();
  }

  static abort(reason?: unknown): AbortSignal {
    const signal = new AbortSignal(KEY);
    abort(signal, reason);
    return signal;
  }

  static timeout(milliseconds: number): AbortSignal {
    const signal = new AbortSignal(KEY);
    setTimer(delayOf(milliseconds), () => {
      abort(signal, new DOMException("The operation was aborted due to timeout", "TimeoutError"));
    });
    return signal;
  }

  static any(signals: readonly AbortSignal[]): AbortSignal {
    const result = new AbortSignal(KEY);
    const list = ArrayIsArray(signals) ? signals : [...signals];
    for (let i = 0; i < list.length; i++) {
      const signal = list[i] as AbortSignal;
      if (signal.aborted) {
        abort(result, signal.reason);
        return result;
      }
    }
    for (let i = 0; i < list.length; i++) follow(list[i] as AbortSignal, result);
    return result;
  }

  get aborted(): boolean {
    return this.#aborted;
  }

  get reason(): unknown {
    return this.#reason;
  }

  throwIfAborted(): void {
    if (this.#aborted) throw this.#reason;
  }
}

export class AbortController {
  #signal = new AbortSignal(KEY);

  get signal(): AbortSignal {
    return this.#signal;
  }

  abort(reason?: unknown): void {
    abort(this.#signal, reason);
  }
}
