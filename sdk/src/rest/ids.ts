// Discord's ids.

import { type FloraError, invalidInput } from "../prelude/errors.ts";
import { StringCharCodeAt } from "../prelude/primordials.ts";

const MOST_DIGITS = 20;

/** A Discord id: digits, as text, because numbers lose some of them. */
export function id(value: unknown, field: string): string {
  if (typeof value !== "string" || value === "" || value.length > MOST_DIGITS) throw notAnId(field);
  for (let i = 0; i < value.length; i++) {
    const digit = StringCharCodeAt(value, i) - 48;
    if (digit < 0 || digit > 9 || (i === 0 && digit === 0)) throw notAnId(field);
  }
  return value;
}

function notAnId(field: string): FloraError {
  return invalidInput(field, "invalid snowflake");
}
