// Whether a text is a cron expression: the mistake is told where it is made, before anything is deployed.
// Five fields (minute hour day month weekday), or six with seconds first; UTC.

import {
  ErrorIntrinsic,
  NumberIntrinsic,
  StringCharCodeAt,
  StringIndexOf,
  StringSlice,
  StringToLowerCase,
  append,
} from "../prelude/primordials.ts";

interface Field {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  /** Names for numbers, three letters each, from the first number on. */
  readonly words?: string;
}

const FIELDS: readonly Field[] = [
  { name: "second", from: 0, to: 59 },
  { name: "minute", from: 0, to: 59 },
  { name: "hour", from: 0, to: 23 },
  { name: "day of the month", from: 1, to: 31 },
  { name: "month", from: 1, to: 12, words: "janfebmaraprmayjunjulaugsepoctnovdec" },
  { name: "weekday", from: 0, to: 7, words: "sunmontuewedthufrisat" },
];
const DAY = 3;
const WEEKDAY = 5;
const SHORTHANDS = " @yearly @annually @monthly @weekly @daily @midnight @hourly ";

/** Throws an Error that tells what is wrong. */
export function checkExpression(expression: string): void {
  const problem = problemOf(expression);
  if (problem !== "") throw new ErrorIntrinsic(`invalid cron expression '${expression}': ${problem}`);
}

function problemOf(expression: string): string {
  const parts = split(expression, " ");
  const [only] = parts;
  if (parts.length === 1 && only !== undefined && StringCharCodeAt(only, 0) === 64) {
    return StringIndexOf(SHORTHANDS, ` ${only} `) >= 0 ? "" : `there is no ${only}`;
  }
  if (parts.length !== 5 && parts.length !== 6) {
    return `it has ${parts.length} fields; write minute, hour, day, month and weekday, like '0 9 * * mon'`;
  }
  const skipped = 6 - parts.length;
  for (let i = 0; i < parts.length; i++) {
    const index = i + skipped;
    if (parts[i] === "?" && (index === DAY || index === WEEKDAY)) continue;
    const items = split(parts[i] as string, ",");
    let nth = 0;
    for (let j = 0; j < items.length; j++) {
      const problem = itemProblem(items[j] as string, index);
      if (problem !== "") return problem;
      if (StringIndexOf(items[j] as string, "#") > 0) nth++;
    }
    if (nth > 0 && nth < items.length) return `'${parts[i]}' mixes nth weekdays with others`;
  }
  return "";
}

function itemProblem(item: string, index: number): string {
  const field = FIELDS[index] as Field;
  if (index === DAY && (item === "L" || item === "l")) return "";
  const [range = "", step, more] = split(item, "/");
  if (more !== undefined) return `'${item}' has two steps`;
  if (step !== undefined && !(whole(step) >= 1)) return `the step in '${item}' should be a number from 1`;
  if (range === "*") return "";
  if (index === WEEKDAY && StringIndexOf(range, "#") > 0) {
    const [day = "", nth = ""] = split(range, "#");
    return inField(day, field) >= 0 && whole(nth) >= 1 && whole(nth) <= 5 ? "" : `'${item}' is no nth weekday`;
  }
  const [first = "", last, third] = split(range, "-");
  const from = inField(first, field);
  const to = last === undefined ? from : inField(last, field);
  if (from < 0 || to < 0 || third !== undefined) {
    return `'${item}' is no ${field.name} (${field.from}-${field.to})`;
  }
  return from <= to ? "" : `the range '${item}' runs backwards`;
}

/** The number that `text` means in `field`; -1 for none. */
function inField(text: string, field: Field): number {
  if (field.words !== undefined && text.length === 3) {
    const at = StringIndexOf(field.words, StringToLowerCase(text));
    if (at >= 0 && at % 3 === 0) return at / 3 + field.from;
  }
  const number = whole(text);
  return number >= field.from && number <= field.to ? number : -1;
}

function whole(text: string): number {
  if (text === "" || text.length > 3) return -1;
  for (let i = 0; i < text.length; i++) {
    const code = StringCharCodeAt(text, i);
    if (code < 48 || code > 57) return -1;
  }
  return NumberIntrinsic(text);
}

/** The parts of `text` between `separator`s; between runs of white space for a space. */
function split(text: string, separator: string): string[] {
  const parts: string[] = [];
  let from = 0;
  for (let i = 0; i <= text.length; i++) {
    if (i < text.length && StringSlice(text, i, i + 1) !== separator) continue;
    if (separator !== " " || i > from) append(parts, StringSlice(text, from, i));
    from = i + 1;
  }
  return parts;
}
