// JSON of what leaves the isolate, whatever a script did to Object.prototype.toJSON.

import {
  ArrayIsArray,
  ArrayPrototype,
  JSONStringify,
  ObjectKeys,
  ObjectPrototype,
  ObjectSetPrototypeOf,
  StringCharCodeAt,
  StringIndexOf,
  StringSlice,
  TypeErrorIntrinsic,
  isObject,
  mapList,
} from "./primordials.ts";

type WithToJson = { toJSON?: unknown };

/** What `value` says it is as JSON, when it or its class says something; else `value`. */
export function fromBuilder(value: unknown): unknown {
  if (!isObject(value)) return value;
  const { toJSON } = value as WithToJson;
  return typeof toJSON === "function" &&
    toJSON !== (ObjectPrototype as WithToJson).toJSON &&
    toJSON !== (ArrayPrototype as WithToJson).toJSON
    ? (value as { toJSON(): unknown }).toJSON()
    : value;
}

/** Throws a TypeError where `value` is no JSON (undefined, a function, a BigInt, a cycle). */
export function toJson(value: unknown): string {
  const inherited = (ObjectPrototype as WithToJson).toJSON ?? (ArrayPrototype as WithToJson).toJSON;
  const text = JSONStringify(inherited === undefined ? value : bare(value));
  if (text === undefined) throw new TypeErrorIntrinsic("it is not JSON");
  return text;
}

const BACKSLASH = 92;
const SURROGATE = "\\ud";

/**
 * JSON text without halves of surrogate pairs, which UTF-8 has no form for: each becomes U+FFFD, as in
 * `String.prototype.toWellFormed`. `JSON.stringify` escapes these halves, and nothing else, as `\udXXX`.
 */
export function wellFormedJson(text: string): string {
  let repaired = "";
  let from = 0;
  for (let at = StringIndexOf(text, SURROGATE); at !== -1; at = StringIndexOf(text, SURROGATE, at + 3)) {
    let backslashes = 1;
    while (StringCharCodeAt(text, at - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) continue; // a backslash that the script wrote, and then "ud"
    repaired += `${StringSlice(text, from, at)}\\ufffd`;
    from = at + 6;
  }
  return from === 0 ? text : repaired + StringSlice(text, from);
}

/** A copy of `value` that inherits nothing. */
function bare(given: unknown): unknown {
  const value = fromBuilder(given);
  if (!isObject(value)) return value;
  if (ArrayIsArray(value)) return ObjectSetPrototypeOf(mapList(value, bare), null);
  const copy = { __proto__: null } as unknown as Record<string, unknown>;
  const keys = ObjectKeys(value);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string;
    copy[key] = bare((value as Record<string, unknown>)[key]);
  }
  return copy;
}
