// Intl, and what makes objects of Intl in passing. See weight.ts.

import {
  ObjectDefineProperty,
  ObjectGetOwnPropertyDescriptor,
  ObjectGetPrototypeOf,
  ReflectApply,
  ReflectConstruct,
  ReflectOwnKeys,
  own,
} from "../prelude/primordials.ts";
import { localeList } from "./locales.ts";
import { named, replaceMethods } from "./replace.ts";
import { text } from "./texts.ts";
import { INTL_BYTES, weigh, weighPassing } from "./weight.ts";

type Any = any;

function wrapConstructor(name: string): void {
  const native = (Intl as Any)[name];
  const wrapper = function (this: unknown, ...args: Any[]) {
    if (typeof args[0] === "object" && name !== "Locale") args[0] = localeList(args[0]);
    const made =
      new.target === undefined
        ? ReflectApply(native, undefined, args)
        : ReflectConstruct(native, args, new.target === wrapper ? native : new.target);
    return weigh(made as object, INTL_BYTES);
  } as Any;
  const { supportedLocalesOf } = native;
  if (supportedLocalesOf !== undefined) {
    wrapper.supportedLocalesOf = native.supportedLocalesOf;
    replaceMethods(wrapper, {
      supportedLocalesOf: (locales: Any, options: Any) =>
        ReflectApply(supportedLocalesOf, native, [localeList(locales), options]),
    });
  }
  ObjectDefineProperty(native.prototype, "constructor", own(wrapper)); // not writable in some of them
  named(name, wrapper).prototype = native.prototype;
  (Intl as Any)[name] = wrapper;
}

/** A method that, given a locale or options of its own, makes a formatter each time. */
function weighMethod(holder: object, name: string): void {
  const method = (holder as Any)[name];
  replaceMethods(holder, {
    [name](...args: Any[]) {
      if (typeof args[0] === "object") args[0] = localeList(args[0]);
      if (!isKept(args[0], args[1])) weighPassing();
      return ReflectApply(method, this, args);
    },
  });
}

/** V8 keeps the last formatter for a locale without options. */
function isKept(locales: unknown, options: unknown): boolean {
  return options === undefined && (locales === undefined || typeof locales === "string");
}

/** Segments keep a copy of the text, and each of their iterators another. */
function weighSegments(): void {
  const { segment } = Intl.Segmenter.prototype as Any;
  let iterate: (() => object) | undefined;
  replaceMethods(Intl.Segmenter.prototype, {
    segment(this: Any, value: Any) {
      const copied = text(`${value}`);
      const segments = ReflectApply(segment, this, [copied]) as { [Symbol.iterator]: () => object };
      if (iterate === undefined) {
        // Their prototype has no name: this is the first one to be seen.
        const original = segments[Symbol.iterator];
        iterate = function (this: Any) {
          return weigh(ReflectApply(original, this, []) as object, this[BYTES]);
        };
        ObjectDefineProperty(ObjectGetPrototypeOf(segments), Symbol.iterator, own(iterate));
      }
      const bytes = SEGMENTS_BYTES + 2 * copied.length;
      ObjectDefineProperty(segments, BYTES, { __proto__: null, value: bytes } as PropertyDescriptor);
      return weigh(segments, bytes);
    },
  });
}
const BYTES = Symbol("bytes");
const SEGMENTS_BYTES = 1 << 13;

export function hardenIntl(): void {
  delete (Intl as Any).v8BreakIterator;
  for (const name of ReflectOwnKeys(Intl)) {
    const value = ObjectGetOwnPropertyDescriptor(Intl, name)?.value;
    if (typeof value === "function" && value.prototype !== undefined) wrapConstructor(name as string);
  }
  const { getCanonicalLocales, supportedValuesOf } = Intl;
  replaceMethods(Intl, { getCanonicalLocales: (locales: Any) => getCanonicalLocales(localeList(locales)) });
  replaceMethods(Intl, { supportedValuesOf: (key: Any) => supportedValuesOf(key) }); // slow: to be interrupted between two
  weighSegments();
  for (const name of ["toLocaleString", "toLocaleDateString", "toLocaleTimeString"]) {
    weighMethod(Date.prototype, name);
  }
  weighMethod(Number.prototype, "toLocaleString");
  weighMethod(BigInt.prototype, "toLocaleString");
}
