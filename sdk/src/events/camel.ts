// Discord's snake_case JSON as camelCase, for the parts that are too rare to be mapped field by field.

import {
  ArrayIsArray,
  ObjectKeys,
  StringCharCodeAt,
  StringIndexOf,
  StringSlice,
  StringToUpperCase,
  isObject,
  mapList,
  privateMap,
} from "../prelude/primordials.ts";

const known = privateMap<string, string>();
let knownCount = 0;

/** `global_name` -> `globalName`; keys that are ids or locales stay as they are. */
export function camelKey(key: string): string {
  if (StringIndexOf(key, "_") <= 0) return key;
  let camel = known.get(key);
  if (camel === undefined) {
    camel = "";
    let from = 0;
    for (let at = StringIndexOf(key, "_", 1); at !== -1; at = StringIndexOf(key, "_", from)) {
      const code = at + 1 < key.length ? StringCharCodeAt(key, at + 1) : 0;
      if (code < 97 || code > 122) return key;
      camel += StringSlice(key, from, at) + StringToUpperCase(key[at + 1] as string);
      from = at + 2;
    }
    camel += StringSlice(key, from);
    // Discord has a few hundred keys; somebody's localisations could have any number.
    if (knownCount < 1000) {
      knownCount++;
      known.set(key, camel);
    }
  }
  return camel;
}

/** A deep copy of JSON with camelCase keys. */
export function camel(value: unknown): unknown {
  if (!isObject(value)) return value;
  if (ArrayIsArray(value)) return value.length === 0 ? value : mapList(value, camel);
  const out: Record<string, unknown> = {};
  const keys = ObjectKeys(value);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string;
    out[camelKey(key)] = camel((value as Record<string, unknown>)[key]);
  }
  return out;
}
