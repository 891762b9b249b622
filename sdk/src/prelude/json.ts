// JSON of what leaves the isolate, whatever a script did to Object.prototype.toJSON.

import {
  ArrayIsArray,
  ArrayPrototype,
  JSONStringify,
  ObjectKeys,
  ObjectPrototype,
  ObjectSetPrototypeOf,
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
