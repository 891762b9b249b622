// Array.prototype, Array.from and what calls functions with lists. Written out method by method, the most
// used ones with the quick check in place: V8 can then inline the built-in behind each, and what it learns
// about one is not mixed with what it learns about the others.

import {
  ArrayIsArray,
  ArrayPush,
  append,
  FunctionPrototype,
  ReflectApply,
  ReflectConstruct,
  uncurry,
} from "../prelude/primordials.ts";
import { localeList } from "./locales.ts";
import { LENGTH_LIMIT, anyProxy, argumentList, isShortArray, receiver } from "./receivers.ts";
import { replaceMethods, tooLarge } from "./replace.ts";

type Any = any;
type Native = (self: Any, ...args: Any[]) => Any;

const isArray = ArrayIsArray;

/** Characters that joining may add between the items. */
const SEPARATORS_LIMIT = 1 << 26;

/** Items that the default order of sort, which is native, may compare. */
const NATIVE_ORDER_LIMIT = 1 << 15;

function natives<K extends string>(holder: object, ...names: K[]): Record<K, Native> {
  const out = {} as Record<K, Native>;
  for (const name of names) out[name] = uncurry((holder as Any)[name]);
  return out;
}

const array = Array.prototype as Any;
const n = natives(
  array,
  "copyWithin",
  "every",
  "fill",
  "filter",
  "find",
  "findIndex",
  "findLast",
  "findLastIndex",
  "forEach",
  "includes",
  "indexOf",
  "join",
  "map",
  "reverse",
  "shift",
  "slice",
  "some",
  "sort",
  "toLocaleString",
  "toReversed",
  "toSorted",
  "toString",
  "with",
);
const { concat, lastIndexOf, reduce, reduceRight, splice, toSpliced, unshift } = array;
const { from, fromAsync } = Array as Any;
const { apply } = FunctionPrototype as Any;
const { raw } = String as Any;

/** As sort compares without a function; entered for every pair, so that it can be interrupted. */
function defaultOrder(a: unknown, b: unknown): number {
  const x = `${a as string}`;
  const y = `${b as string}`;
  return x < y ? -1 : x > y ? 1 : 0;
}

function orderOf(list: Any, compare: unknown): unknown {
  return compare === undefined && list.length > NATIVE_ORDER_LIMIT ? defaultOrder : compare;
}

/** Sorting copies to a native list of `length` first, and a wild one is fatal: copy what is really there. */
function present(list: Any, holes: boolean): unknown[] {
  const items: unknown[] = [];
  const { length } = list;
  for (let i = 0; i < length; i++) if (holes || i in list) ArrayPush(items, list[i]);
  return items;
}

function sortSlowly(list: Any, compare: unknown): void {
  const { length } = list;
  const items = present(list, false);
  n.sort(items, orderOf(items, compare));
  for (let i = 0; i < items.length; i++) list[i] = items[i];
  for (let i = items.length; i < length; i++) if (i in list) delete list[i];
}

function separatorOf(list: Any, separator: unknown): unknown {
  if (separator === undefined) return undefined;
  const text = `${separator as string}`;
  if (text.length > 1 && text.length * list.length > SEPARATORS_LIMIT) throw tooLarge("the joined text");
  return text;
}

/** An item for concat: what would be spread and is no short array is spread here. */
function concatItem(item: Any): unknown {
  if (item === null || (typeof item !== "object" && typeof item !== "function")) return item;
  const { [Symbol.isConcatSpreadable]: wanted } = item;
  const spread = wanted === undefined ? ArrayIsArray(item) : Boolean(wanted);
  return spread ? n.slice(receiver(item)) : [item];
}

function plainItem(item: unknown): boolean {
  return typeof item !== "object" || (isShortArray(item) && !(Symbol.isConcatSpreadable in item));
}

/**
 * FlattenIntoArray of the language's definition, in JavaScript because it meets arrays inside arrays.
 * `target` is what slicing nothing off gives: an array of the list's own class.
 */
function flatten(
  list: Any,
  depth: number,
  convert?: (item: unknown, index: number) => unknown,
  target: unknown[] = n.slice(list, 0, 0),
): unknown[] {
  const { length } = list;
  for (let i = 0; i < length; i++) {
    if (!(i in list)) continue;
    const item = convert === undefined ? list[i] : convert(list[i], i);
    if (depth > 0 && ArrayIsArray(item)) flatten(item, depth - 1, undefined, target);
    else append(target, item);
  }
  return target;
}

/** What a method that changes its `this` returns: the same, as an object. */
function self(value: unknown): unknown {
  return typeof value === "object" || typeof value === "function" ? value : Object(value);
}

/** The iterable or list behind `items`, without a second look at what a script could change between. */
function source(items: Any): unknown {
  if (isShortArray(items) || items === null || items === undefined) return items;
  if (typeof items === "string") {
    if (items.length > LENGTH_LIMIT) throw tooLarge("the text");
    return items;
  }
  const iterate = items[Symbol.iterator];
  if (iterate === undefined || iterate === null) return receiver(items);
  const self = ArrayIsArray(items) ? receiver(items) : items;
  return { __proto__: null, [Symbol.iterator]: () => ReflectApply(iterate, self, []) };
}

export function hardenArrays(): void {
  replaceMethods(array, {
    concat(...items: Any[]) {
      for (let i = 0; i < items.length; i++) if (!plainItem(items[i])) items[i] = concatItem(items[i]);
      if (this === null || this === undefined) return ReflectApply(concat, this, []); // throws
      return ReflectApply(concat, isShortArray(this) ? this : concatItem(Object(this)), items);
    },
    copyWithin(target: Any, start: Any, end: Any) {
      n.copyWithin(receiver(this), target, start, end);
      return self(this);
    },
    every(test: Any, self: Any) {
      return n.every(isArray(this) && this.length <= LENGTH_LIMIT && !anyProxy ? this : receiver(this), test, self);
    },
    fill(value: Any, start: Any, end: Any) {
      n.fill(receiver(this), value, start, end);
      return self(this);
    },
    filter(test: Any, self: Any) {
      return n.filter(isArray(this) && this.length <= LENGTH_LIMIT && !anyProxy ? this : receiver(this), test, self);
    },
    find(test: Any, self: Any) {
      return n.find(isArray(this) && this.length <= LENGTH_LIMIT && !anyProxy ? this : receiver(this), test, self);
    },
    findIndex(test: Any, self: Any) {
      return n.findIndex(isArray(this) && this.length <= LENGTH_LIMIT && !anyProxy ? this : receiver(this), test, self);
    },
    findLast(test: Any, self: Any) {
      return n.findLast(receiver(this), test, self);
    },
    findLastIndex(test: Any, self: Any) {
      return n.findLastIndex(receiver(this), test, self);
    },
    flat(depth: Any) {
      const list = receiver(this);
      const levels = depth === undefined ? 1 : +depth;
      return list === undefined || list === null ? n.slice(list) : flatten(list, levels >= 1 ? levels : 0);
    },
    flatMap(convert: Any, self: Any) {
      const list = receiver(this);
      if (list === null || list === undefined || typeof convert !== "function") return n.map(list, convert); // throws
      return flatten(list, 1, (item, index) => ReflectApply(convert, self, [item, index, this]));
    },
    forEach(visit: Any, self: Any) {
      n.forEach(isArray(this) && this.length <= LENGTH_LIMIT && !anyProxy ? this : receiver(this), visit, self);
    },
    includes(item: Any, start: Any) {
      return n.includes(isArray(this) && this.length <= LENGTH_LIMIT && !anyProxy ? this : receiver(this), item, start);
    },
    indexOf(item: Any, start: Any) {
      return n.indexOf(isArray(this) && this.length <= LENGTH_LIMIT && !anyProxy ? this : receiver(this), item, start);
    },
    join(separator: Any) {
      const list = isArray(this) && this.length <= LENGTH_LIMIT && !anyProxy ? this : receiver(this);
      return n.join(list, separatorOf(list, separator));
    },
    lastIndexOf(...args: Any[]) {
      return ReflectApply(lastIndexOf, receiver(this), args);
    },
    map(convert: Any, self: Any) {
      return n.map(isArray(this) && this.length <= LENGTH_LIMIT && !anyProxy ? this : receiver(this), convert, self);
    },
    reduce(...args: Any[]) {
      return ReflectApply(reduce, receiver(this), args);
    },
    reduceRight(...args: Any[]) {
      return ReflectApply(reduceRight, receiver(this), args);
    },
    reverse() {
      n.reverse(receiver(this));
      return self(this);
    },
    shift() {
      return n.shift(isArray(this) && this.length <= LENGTH_LIMIT && !anyProxy ? this : receiver(this));
    },
    slice(start: Any, end: Any) {
      return n.slice(isArray(this) && this.length <= LENGTH_LIMIT && !anyProxy ? this : receiver(this), start, end);
    },
    some(test: Any, self: Any) {
      return n.some(isArray(this) && this.length <= LENGTH_LIMIT && !anyProxy ? this : receiver(this), test, self);
    },
    sort(compare: Any) {
      if (compare !== undefined && typeof compare !== "function") return n.sort(this, compare); // throws
      if (isShortArray(this)) return n.sort(this, orderOf(this, compare));
      if (this === null || this === undefined) return n.sort(this); // throws
      sortSlowly(Object(this), compare);
      return Object(this);
    },
    splice(...args: Any[]) {
      return ReflectApply(splice, receiver(this), args);
    },
    toLocaleString(locales: Any, options: Any) {
      return n.toLocaleString(receiver(this), localeList(locales), options);
    },
    toReversed() {
      return n.toReversed(receiver(this));
    },
    toSorted(compare: Any) {
      if (this === null || this === undefined) return n.toSorted(this); // throws
      const list = isShortArray(this) ? this : present(Object(this), true);
      return n.toSorted(list, orderOf(list, compare));
    },
    toSpliced(...args: Any[]) {
      return ReflectApply(toSpliced, receiver(this), args);
    },
    toString() {
      return n.toString(ArrayIsArray(this) ? receiver(this) : this);
    },
    unshift(...items: Any[]) {
      return ReflectApply(unshift, receiver(this), items);
    },
    with(index: Any, value: Any) {
      return n.with(receiver(this), index, value);
    },
  } satisfies { [name: string]: (this: Any, ...args: Any[]) => Any });
  replaceMethods(Array, {
    from(items: Any, convert: Any, self: Any) {
      return ReflectApply(from, this, [source(items), convert, self]);
    },
    fromAsync(items: Any, convert: Any, self: Any) {
      const isAsync = items !== null && items !== undefined && items[Symbol.asyncIterator] !== undefined;
      return ReflectApply(fromAsync, this, [isAsync ? items : source(items), convert, self]);
    },
  } satisfies { [name: string]: (this: Any, ...args: Any[]) => Any });
  replaceMethods(FunctionPrototype, {
    apply(this: Any, self: Any, list: Any) {
      return ReflectApply(apply, this, [self, argumentList(list)]);
    },
  });
  replaceMethods(Reflect, {
    apply: (target: Any, self: Any, list: Any) => ReflectApply(target, self, argumentList(list) as Any),
    construct: (...args: Any[]) => {
      args[1] = argumentList(args[1]);
      return ReflectApply(ReflectConstruct, undefined, args as Any);
    },
  });
  replaceMethods(String, {
    raw(template: Any, ...values: Any[]) {
      const parts = template === null || template === undefined ? undefined : template.raw;
      return ReflectApply(raw, undefined, [{ raw: receiver(parts) }, ...values]);
    },
  });
}
