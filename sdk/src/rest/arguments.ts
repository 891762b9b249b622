// Checks what a script passes to `rest`. Fields are called as Discord calls them, as in the original's errors.

import { invalidInput } from "../prelude/errors.ts";
import { fromBuilder } from "../prelude/json.ts";
import {
  ArrayIsArray,
  BigIntIntrinsic,
  NumberIntrinsic,
  StringIntrinsic,
  isObject,
  mapList,
  promised,
} from "../prelude/primordials.ts";
import { id } from "./ids.ts";

/** A method of `rest`: its argument is an object, and what is wrong with that rejects its promise. */
export function method<I extends object, R>(call: (input: I) => Promise<R>): (input: I) => Promise<R> {
  return (input) =>
    promised(() => {
      if (!isObject(input)) throw invalidInput("payload", "must be an object");
      return call(input);
    });
}

/** The same for calls that need no argument. */
export function methodOfGuild<I extends object, R>(call: (input: I) => Promise<R>): (input?: I) => Promise<R> {
  const checked = method(call);
  return (input) => checked(input ?? ({} as I));
}

export function optionalId(value: unknown, field: string): string | undefined {
  return value === undefined || value === null ? undefined : id(value, field);
}

export function ids(values: unknown, field: string, least: number, most: number): string[] {
  if (!ArrayIsArray(values)) throw invalidInput(field, "must be a list of ids");
  if (values.length < least || values.length > most) {
    throw invalidInput(field, `must have ${least} to ${most} ids, has ${values.length}`);
  }
  return mapList(values, (value) => id(value, field));
}

/** A whole number in a query, or undefined. */
export function whole(value: unknown, field: string, least: number, most: number): number | undefined {
  if (value === undefined || value === null) return undefined;
  const number = typeof value === "bigint" ? NumberIntrinsic(value) : value;
  if (typeof number !== "number" || number % 1 !== 0 || number < least || number > most) {
    throw invalidInput(field, `must be a whole number from ${least} to ${most}`);
  }
  return number;
}

/** As a query has it. */
export function query(value: unknown): string {
  return value === undefined || value === null ? (undefined as never) : StringIntrinsic(value);
}

export function textOf(value: unknown, field: string): string {
  if (typeof value !== "string" || value === "") throw invalidInput(field, "must be a non-empty string");
  return value;
}

const LONGEST_REASON = 512;

/** What stands in the guild's audit log; its first 512 characters are all that Discord takes. */
export function reasonOf({ reason }: { reason?: unknown }): string | undefined {
  if (reason === undefined || reason === null || reason === "") return undefined;
  if (typeof reason !== "string") throw invalidInput("reason", "must be text");
  if (reason.length > LONGEST_REASON) throw invalidInput("reason", `must have at most ${LONGEST_REASON} characters`);
  return reason;
}

/** `"👍"`, `"name:id"`, `"<:name:id>"`, or the emoji of a reaction. */
export function emojiOf(value: unknown): string {
  if (!isObject(value)) return textOf(value, "emoji");
  const { id: custom, name } = value as { id?: unknown; name?: unknown };
  const text = textOf(name, "emoji");
  return custom === undefined || custom === null ? text : `${text}:${id(custom, "emoji")}`;
}

/** Bits of permissions as Discord has them: one number as text. A list means all of them. */
export function permissionBits(value: unknown, field: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  try {
    if (!ArrayIsArray(value)) return StringIntrinsic(BigIntIntrinsic(value as bigint));
    let bits = BigIntIntrinsic(0);
    for (let i = 0; i < value.length; i++) bits |= BigIntIntrinsic(value[i] as bigint);
    return StringIntrinsic(bits);
  } catch {
    throw invalidInput(field, "must be bits of Permissions");
  }
}

/** An argument that is JSON for Discord, perhaps from a builder. */
export function objectOf(value: unknown, field: string): object {
  const json = fromBuilder(value);
  if (!isObject(json) || ArrayIsArray(json)) throw invalidInput(field, "must be an object");
  return json;
}
