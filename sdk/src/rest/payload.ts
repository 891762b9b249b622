// What a script passes on to Discord as it is: camelCase or Discord's snake_case, plain or with builders, dates
// and BigInts in it.

import { fromBuilder } from "../prelude/json.ts";
import { invalidInput } from "../prelude/errors.ts";
import {
  ArrayIsArray,
  BigIntToString,
  DateGetTime,
  DateIntrinsic,
  DateToISOString,
  ObjectKeys,
  StringCharCodeAt,
  StringSlice,
  StringToLowerCase,
  isObject,
  mapList,
} from "../prelude/primordials.ts";
import { objectOf } from "./arguments.ts";

type Json = Record<string, unknown>;

/** Levels of what a script passes on; Discord's own have half a dozen. */
const DEEPEST = 32;

/** `communicationDisabledUntil` -> `communication_disabled_until`. */
function snakeKey(key: string): string {
  let snake = "";
  let from = 0;
  for (let i = 1; i < key.length; i++) {
    const unit = StringCharCodeAt(key, i);
    if (unit < 65 || unit > 90) continue;
    snake += `${StringSlice(key, from, i)}_`;
    from = i;
  }
  return from === 0 ? key : StringToLowerCase(snake + StringSlice(key, from));
}

function isoTime(value: object): string | undefined {
  let time: number;
  try {
    time = DateGetTime(value as Date);
  } catch {
    return undefined;
  }
  return time === time ? DateToISOString(new DateIntrinsic(time)) : undefined;
}

export function snake(given: unknown, depth = 0): unknown {
  if (depth > DEEPEST) throw invalidInput("payload", `is nested more than ${DEEPEST} deep`);
  if (typeof given === "bigint") return BigIntToString(given);
  if (!isObject(given)) return given;
  const time = isoTime(given);
  if (time !== undefined) return time;
  const value = fromBuilder(given);
  if (!isObject(value)) return value;
  if (ArrayIsArray(value)) return mapList(value, (item) => snake(item, depth + 1));
  const out = { __proto__: null } as unknown as Json;
  const keys = ObjectKeys(value);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string;
    out[snakeKey(key)] = snake((value as Json)[key], depth + 1);
  }
  return out;
}

/** The `payload` of a call. */
export function payloadOf({ payload }: { payload?: unknown }): Json {
  return snake(objectOf(payload, "payload")) as Json;
}
