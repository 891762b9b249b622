// URLSearchParams, after https://url.spec.whatwg.org/#interface-urlsearchparams.

import {
  ArraySort,
  ObjectKeys,
  ReflectApply,
  StringIndexOf,
  StringIntrinsic,
  StringSlice,
  StringToWellFormed,
  TypeErrorIntrinsic,
  append,
  isObject,
} from "../prelude/primordials.ts";
import { FORM, percentDecode, percentEncode } from "./percent.ts";

interface Pair {
  name: string;
  value: string;
}

type Init = string | Iterable<readonly [string, string]> | { readonly [name: string]: string } | URLSearchParams;

/** Let a URL follow `params` (`onChange`), or `params` a URL whose query changed (`query`). */
export let connect: (params: URLSearchParams, onChange: ((query: string) => void) | undefined, query?: string) => void;

export class URLSearchParams {
  #pairs: Pair[] = [];
  #onChange: ((query: string) => void) | undefined;

  static {
    connect = (params, onChange, query) => {
      if (onChange !== undefined) params.#onChange = onChange;
      if (query !== undefined) params.#pairs = parseForm(query);
    };
  }

  constructor(init: Init = "") {
    if (!isObject(init) && typeof init !== "function") {
      const text = StringIntrinsic(init);
      this.#pairs = parseForm(text[0] === "?" ? StringSlice(text, 1) : text);
      return;
    }
    if (typeof (init as Iterable<unknown>)[Symbol.iterator] === "function") {
      for (const pair of init as Iterable<readonly [string, string]>) this.#addPair(pair);
      return;
    }
    const names = ObjectKeys(init);
    for (let i = 0; i < names.length; i++) {
      const name = names[i] as string;
      this.#add(name, (init as { readonly [name: string]: string })[name]);
    }
  }

  get size(): number {
    return this.#pairs.length;
  }

  append(name: string, value: string): void {
    this.#add(name, value);
    this.#changed();
  }

  delete(name: string, value?: string): void {
    const kept: Pair[] = [];
    this.#each((pair) => {
      if (!matches(pair, StringIntrinsic(name), value)) append(kept, pair);
    });
    this.#pairs = kept;
    this.#changed();
  }

  get(name: string): string | null {
    return this.#find(name)?.value ?? null;
  }

  getAll(name: string): string[] {
    const all: string[] = [];
    this.#each((pair) => {
      if (pair.name === StringIntrinsic(name)) append(all, pair.value);
    });
    return all;
  }

  has(name: string, value?: string): boolean {
    return this.#find(name, value) !== undefined;
  }

  set(name: string, value: string): void {
    const first = this.#find(name);
    if (first === undefined) {
      this.append(name, value);
      return;
    }
    const kept: Pair[] = [];
    this.#each((pair) => {
      if (pair.name !== first.name || pair === first) append(kept, pair);
    });
    first.value = well(value);
    this.#pairs = kept;
    this.#changed();
  }

  sort(): void {
    ArraySort(this.#pairs, (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    this.#changed();
  }

  forEach(visit: (value: string, name: string, params: this) => void, self?: unknown): void {
    if (typeof visit !== "function") throw new TypeErrorIntrinsic("forEach() takes a function");
    for (let i = 0; i < this.#pairs.length; i++) {
      const { name, value } = this.#pairs[i] as Pair;
      ReflectApply(visit, self, [value, name, this]);
    }
  }

  *entries(): URLSearchParamsIterator<[string, string]> {
    for (let i = 0; i < this.#pairs.length; i++) {
      const { name, value } = this.#pairs[i] as Pair;
      yield [name, value];
    }
    return undefined;
  }

  *keys(): URLSearchParamsIterator<string> {
    for (let i = 0; i < this.#pairs.length; i++) yield (this.#pairs[i] as Pair).name;
    return undefined;
  }

  *values(): URLSearchParamsIterator<string> {
    for (let i = 0; i < this.#pairs.length; i++) yield (this.#pairs[i] as Pair).value;
    return undefined;
  }

  [Symbol.iterator](): URLSearchParamsIterator<[string, string]> {
    return this.entries();
  }

  toString(): string {
    let out = "";
    this.#each(({ name, value }) => {
      out += `${out === "" ? "" : "&"}${formEncode(name)}=${formEncode(value)}`;
    });
    return out;
  }

  #addPair(pair: readonly [string, string]): void {
    const [...items] = pair;
    if (items.length !== 2) throw new TypeErrorIntrinsic("each query pair must be an iterable [name, value] tuple");
    this.#add(items[0] as string, items[1]);
  }

  #add(name: unknown, value: unknown): void {
    append(this.#pairs, { name: well(name), value: well(value) });
  }

  #find(name: string, value?: string): Pair | undefined {
    for (let i = 0; i < this.#pairs.length; i++) {
      const pair = this.#pairs[i] as Pair;
      if (matches(pair, StringIntrinsic(name), value)) return pair;
    }
    return undefined;
  }

  #each(visit: (pair: Pair) => void): void {
    for (let i = 0; i < this.#pairs.length; i++) visit(this.#pairs[i] as Pair);
  }

  #changed(): void {
    this.#onChange?.(this.toString());
  }
}

type URLSearchParamsIterator<T> = Generator<T, undefined, unknown>;

function matches(pair: Pair, name: string, value: string | undefined): boolean {
  return pair.name === name && (value === undefined || pair.value === StringIntrinsic(value));
}

function well(text: unknown): string {
  return StringToWellFormed(StringIntrinsic(text));
}

function parseForm(query: string): Pair[] {
  const pairs: Pair[] = [];
  for (let from = 0; from < query.length;) {
    const next = StringIndexOf(query, "&", from);
    const to = next === -1 ? query.length : next;
    if (to > from) {
      const part = StringSlice(query, from, to);
      const equals = StringIndexOf(part, "=");
      const name = equals === -1 ? part : StringSlice(part, 0, equals);
      const value = equals === -1 ? "" : StringSlice(part, equals + 1);
      append(pairs, { name: formDecode(name), value: formDecode(value) });
    }
    from = to + 1;
  }
  return pairs;
}

function formDecode(text: string): string {
  return well(percentDecode(replaced(text, "+", " ")));
}

function formEncode(text: string): string {
  return replaced(percentEncode(text, FORM_BUT_SPACE), " ", "+");
}
// A space becomes a plus, so it must stay itself until then.
const FORM_BUT_SPACE = StringSlice(FORM, 1);

/** `text.replaceAll(from, to)` for single characters. */
function replaced(text: string, from: string, to: string): string {
  if (StringIndexOf(text, from) === -1) return text;
  let out = "";
  for (let i = 0; i < text.length; i++) out += text[i] === from ? to : text[i];
  return out;
}
