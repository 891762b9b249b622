// Headers, after https://fetch.spec.whatwg.org/#headers-class. Names are kept in lower case.

import {
  ArraySort,
  ObjectKeys,
  ReflectApply,
  RegExpExec,
  StringCharCodeAt,
  StringIntrinsic,
  StringSlice,
  StringToLowerCase,
  TypeErrorIntrinsic,
  append,
  isObject,
} from "../../prelude/primordials.ts";

export interface Entry {
  readonly name: string;
  value: string;
}

type Init = Iterable<readonly [string, string]> | { readonly [name: string]: string } | Headers;

/** Of a request, of an answer that was received, or of nobody yet. */
type Guard = "request" | "immutable" | undefined;

const TOKEN = /^[!#$%&'*+.^_`|~\w-]+$/;
const FORBIDDEN_VALUE = /[\0\r\n]|[^\0-\xff]/;

/** Headers of a request that are the connection's business: setting them does nothing. */
const OURS = {
  __proto__: null,
  "accept-encoding": true,
  connection: true,
  "content-length": true,
  expect: true,
  host: true,
  "keep-alive": true,
  te: true,
  trailer: true,
  "transfer-encoding": true,
  upgrade: true,
  via: true,
} as unknown as { readonly [name: string]: boolean | undefined };

export let entriesOf: (headers: Headers) => Entry[];
export let isHeaders: (value: unknown) => value is Headers;
export let guarded: (guard: Guard, init?: unknown) => Headers;

export class Headers {
  #entries: Entry[] = [];
  #guard: Guard;

  static {
    entriesOf = (headers) => headers.#entries;
    isHeaders = (value): value is Headers => isObject(value) && #entries in value;
    guarded = (guard, init) => {
      const headers = new Headers();
      if (guard === "request") headers.#guard = guard;
      if (init !== undefined) headers.#fill(init as Init);
      headers.#guard = guard;
      return headers;
    };
  }

  constructor(init?: Init) {
    if (init !== undefined) this.#fill(init);
  }

  append(name: string, value: string): void {
    const key = nameOf(name);
    const text = valueOf(value);
    if (this.#mayChange(key)) append(this.#entries, { name: key, value: text });
  }

  delete(name: string): void {
    const key = nameOf(name);
    if (this.#mayChange(key)) this.#drop(key);
  }

  get(name: string): string | null {
    return combined(this.#entries, nameOf(name));
  }

  getSetCookie(): string[] {
    const out: string[] = [];
    for (let i = 0; i < this.#entries.length; i++) {
      const { name, value } = this.#entries[i] as Entry;
      if (name === "set-cookie") append(out, value);
    }
    return out;
  }

  has(name: string): boolean {
    return combined(this.#entries, nameOf(name)) !== null;
  }

  set(name: string, value: string): void {
    const key = nameOf(name);
    const text = valueOf(value);
    if (!this.#mayChange(key)) return;
    this.#drop(key);
    append(this.#entries, { name: key, value: text });
  }

  forEach(visit: (value: string, name: string, headers: this) => void, self?: unknown): void {
    if (typeof visit !== "function") throw new TypeErrorIntrinsic("forEach() takes a function");
    const sorted = this.#sorted();
    for (let i = 0; i < sorted.length; i++) {
      const { name, value } = sorted[i] as Entry;
      ReflectApply(visit, self, [value, name, this]);
    }
  }

  *entries(): Generator<[string, string], undefined, unknown> {
    const sorted = this.#sorted();
    for (let i = 0; i < sorted.length; i++) yield [(sorted[i] as Entry).name, (sorted[i] as Entry).value];
    return undefined;
  }

  *keys(): Generator<string, undefined, unknown> {
    const sorted = this.#sorted();
    for (let i = 0; i < sorted.length; i++) yield (sorted[i] as Entry).name;
    return undefined;
  }

  *values(): Generator<string, undefined, unknown> {
    const sorted = this.#sorted();
    for (let i = 0; i < sorted.length; i++) yield (sorted[i] as Entry).value;
    return undefined;
  }

  [Symbol.iterator](): Generator<[string, string], undefined, unknown> {
    return this.entries();
  }

  #fill(init: Init): void {
    if (!isObject(init)) throw new TypeErrorIntrinsic("headers should be an object, or [name, value] pairs");
    if (isHeaders(init)) {
      const from = init.#entries;
      for (let i = 0; i < from.length; i++) this.append((from[i] as Entry).name, (from[i] as Entry).value);
    } else if (typeof (init as Iterable<unknown>)[Symbol.iterator] === "function") {
      for (const pair of init as Iterable<readonly [string, string]>) {
        const [...items] = pair;
        if (items.length !== 2) throw new TypeErrorIntrinsic("each header should be a [name, value] pair");
        this.append(items[0], items[1]);
      }
    } else {
      const names = ObjectKeys(init);
      for (let i = 0; i < names.length; i++) {
        const name = names[i] as string;
        this.append(name, (init as { readonly [name: string]: string })[name] as string);
      }
    }
  }

  /** False where the standard has it ignored. */
  #mayChange(name: string): boolean {
    if (this.#guard === "immutable") throw new TypeErrorIntrinsic("the headers of a received response do not change");
    return this.#guard !== "request" || (OURS[name] !== true && StringSlice(name, 0, 6) !== "proxy-");
  }

  #drop(name: string): void {
    const kept: Entry[] = [];
    for (let i = 0; i < this.#entries.length; i++) {
      const entry = this.#entries[i] as Entry;
      if (entry.name !== name) append(kept, entry);
    }
    this.#entries = kept;
  }

  /** By name, one entry a name, but each cookie by itself. */
  #sorted(): Entry[] {
    const out: Entry[] = [];
    for (let i = 0; i < this.#entries.length; i++) {
      const { name, value } = this.#entries[i] as Entry;
      const before = name === "set-cookie" ? undefined : find(out, name);
      if (before === undefined) append(out, { name, value });
      else before.value += `, ${value}`;
    }
    return ArraySort(out, (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }
}

function find(entries: Entry[], name: string): Entry | undefined {
  for (let i = 0; i < entries.length; i++) {
    if ((entries[i] as Entry).name === name) return entries[i];
  }
  return undefined;
}

function combined(entries: Entry[], name: string): string | null {
  let out: string | null = null;
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i] as Entry;
    if (entry.name === name) out = out === null ? entry.value : `${out}, ${entry.value}`;
  }
  return out;
}

function nameOf(given: unknown): string {
  const name = StringIntrinsic(given);
  if (RegExpExec(TOKEN, name) === null) throw new TypeErrorIntrinsic(`"${name}" is no name for a header`);
  return StringToLowerCase(name);
}

function valueOf(given: unknown): string {
  const text = StringIntrinsic(given);
  let from = 0;
  let to = text.length;
  while (from < to && isBlank(StringCharCodeAt(text, from))) from++;
  while (to > from && isBlank(StringCharCodeAt(text, to - 1))) to--;
  const value = StringSlice(text, from, to);
  if (RegExpExec(FORBIDDEN_VALUE, value) !== null) {
    throw new TypeErrorIntrinsic("a header's value is one line of characters up to U+00FF");
  }
  return value;
}

function isBlank(unit: number): boolean {
  return unit === 32 || unit === 9 || unit === 10 || unit === 13;
}
