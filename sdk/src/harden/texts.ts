// Strings. V8 makes texts of half a gigabyte cheaply, as trees of parts; what then walks through one is
// native, copies it, and cannot be interrupted. So nothing that walks takes more than 4 Mi characters.

import { uncurry } from "../prelude/primordials.ts";
import { localeList } from "./locales.ts";
import { receiver } from "./receivers.ts";
import { replaceMethods, tooLarge } from "./replace.ts";
import { weighPassing } from "./weight.ts";

type Any = any;

/** Characters of a text that native code may walk through. */
export const TEXT_LIMIT = 1 << 22;

/** Characters that searching may compare at worst: those of the text times those of the pattern. */
const SEARCH_LIMIT = 2 ** 30;

/** `value` as the text it is, once; null and undefined are left for the built-in to refuse. */
export function text(value: Any): Any {
  if (typeof value === "string") {
    if (value.length > TEXT_LIMIT) throw tooLarge("the text");
    return value;
  }
  return value === null || value === undefined ? value : text(`${value}`);
}

/** A pattern to look for in `where`; an object that has the method `by` searches for itself. */
function pattern(where: Any, what: Any, by?: symbol): Any {
  if (typeof what === "object" && what !== null && (by === undefined || what[by] === undefined)) what = `${what}`;
  if (typeof what === "string" && where && what.length > 1 && where.length * what.length > SEARCH_LIMIT) {
    throw tooLarge("the text to search for");
  }
  return what;
}

const string = String.prototype as Any;
const native = <K extends PropertyKey>(holder: object, key: K): ((self: Any, ...args: Any[]) => Any) =>
  uncurry((holder as Record<K, never>)[key]);

const includes = native(string, "includes");
const indexOf = native(string, "indexOf");
const lastIndexOf = native(string, "lastIndexOf");
const localeCompare = native(string, "localeCompare");
const match = native(string, "match");
const matchAll = native(string, "matchAll");
const normalize = native(string, "normalize");
const padEnd = native(string, "padEnd");
const padStart = native(string, "padStart");
const repeat = native(string, "repeat");
const replace = native(string, "replace");
const replaceAll = native(string, "replaceAll");
const search = native(string, "search");
const split = native(string, "split");
const toLocaleLowerCase = native(string, "toLocaleLowerCase");
const toLocaleUpperCase = native(string, "toLocaleUpperCase");
const toLowerCase = native(string, "toLowerCase");
const toUpperCase = native(string, "toUpperCase");

const regExp = RegExp.prototype as Any;
const reMatch = native(regExp, Symbol.match);
const reMatchAll = native(regExp, Symbol.matchAll);
const reReplace = native(regExp, Symbol.replace);
const reSearch = native(regExp, Symbol.search);
const reSplit = native(regExp, Symbol.split);

const { parse, stringify } = JSON;
const { isArray } = Array;

function count(value: Any): number {
  const number = +value;
  if (number > TEXT_LIMIT) throw tooLarge("the text");
  return number;
}

export function hardenTexts(): void {
  replaceMethods(string, {
    includes(what: Any, from: Any) {
      const self = text(this);
      return includes(self, pattern(self, what, Symbol.match), from);
    },
    indexOf(what: Any, from: Any) {
      const self = text(this);
      return indexOf(self, pattern(self, what), from);
    },
    lastIndexOf(what: Any, from: Any) {
      const self = text(this);
      return lastIndexOf(self, pattern(self, what), from);
    },
    localeCompare(other: Any, locales: Any, options: Any) {
      if (locales !== undefined || options !== undefined) weighPassing();
      return localeCompare(text(this), text(other), localeList(locales), options);
    },
    match(what: Any) {
      return match(text(this), what);
    },
    matchAll(what: Any) {
      return matchAll(text(this), what);
    },
    normalize(form: Any) {
      return normalize(text(this), form);
    },
    padEnd(length: Any, fill: Any) {
      return padEnd(this, count(length), fill);
    },
    padStart(length: Any, fill: Any) {
      return padStart(this, count(length), fill);
    },
    repeat(times: Any) {
      const self = text(this);
      const number = +times;
      if (self && self.length * number > TEXT_LIMIT) throw tooLarge("the text");
      return repeat(self, number);
    },
    replace(what: Any, by: Any) {
      const self = text(this);
      return replace(self, pattern(self, what, Symbol.replace), by);
    },
    replaceAll(what: Any, by: Any) {
      const self = text(this);
      return replaceAll(self, pattern(self, what, Symbol.replace), by);
    },
    search(what: Any) {
      return search(text(this), what);
    },
    split(by: Any, limit: Any) {
      const self = text(this);
      return split(self, pattern(self, by, Symbol.split), limit);
    },
    toLocaleLowerCase(locales: Any) {
      return toLocaleLowerCase(text(this), localeList(locales));
    },
    toLocaleUpperCase(locales: Any) {
      return toLocaleUpperCase(text(this), localeList(locales));
    },
    toLowerCase() {
      return toLowerCase(text(this));
    },
    toUpperCase() {
      return toUpperCase(text(this));
    },
  } satisfies { [name: string]: (this: Any, ...args: Any[]) => Any });
  // Rarely used: one wrapper for all of them.
  for (const name of ["isWellFormed", "toWellFormed", "anchor", "fontcolor", "fontsize", "link"]) {
    const walk = native(string, name);
    replaceMethods(string, {
      [name](value: Any) {
        return walk(text(this), text(value));
      },
    });
  }
  replaceMethods(regExp, {
    [Symbol.match](value: Any) {
      return reMatch(this, text(value));
    },
    [Symbol.matchAll](value: Any) {
      return reMatchAll(this, text(value));
    },
    [Symbol.replace](value: Any, by: Any) {
      return reReplace(this, text(value), by);
    },
    [Symbol.search](value: Any) {
      return reSearch(this, text(value));
    },
    [Symbol.split](value: Any, limit: Any) {
      return reSplit(this, text(value), limit);
    },
  } satisfies { [name: PropertyKey]: (this: Any, ...args: Any[]) => Any });
  replaceMethods(JSON, {
    parse: (value: Any, revive: Any) => parse(text(value), revive),
    stringify: (value: Any, keep: Any, space: Any) =>
      stringify(value, isArray(keep) ? (receiver(keep) as Any) : keep, space),
  });
  for (const name of [
    "decodeURI",
    "decodeURIComponent",
    "encodeURI",
    "encodeURIComponent",
    "escape",
    "unescape",
  ] as const) {
    const convert = globalThis[name as "escape"];
    replaceMethods(globalThis, { [name]: (value: Any) => convert(text(value)) });
  }
  const { escape } = RegExp as Any;
  replaceMethods(RegExp, { escape: (value: Any) => escape(typeof value === "string" ? text(value) : value) });
}
