// The console: lines of text with a level, for the guild's log.

import { log } from "./host.ts";
import { indent, inspect } from "./inspect.ts";
import {
  DateNow,
  ErrorIntrinsic,
  ErrorCaptureStackTrace,
  JSONStringify,
  MathTrunc,
  NumberIntrinsic,
  ReflectApply,
  StringIndexOf,
  StringIntrinsic,
  StringSlice,
  isObject,
  privateMap,
} from "./primordials.ts";
import { tableText } from "./console_table.ts";

type Level = "debug" | "info" | "warn" | "error";

let groups = "";
const counts = privateMap<string, number>();
const timersSince = privateMap<string, number>();

function write(level: Level, text: string): void {
  log(level, groups === "" ? text : groups + indent(text, groups));
}

/** Strings as they are, everything else inspected, `%` directives of a first string filled in. */
function format(args: readonly unknown[]): string {
  const first = args[0];
  let next = 0;
  let text = "";
  if (typeof first === "string") {
    if (args.length === 1) return first;
    next = 1;
    if (StringIndexOf(first, "%") === -1) text = first;
    else {
      let from = 0;
      for (let at = StringIndexOf(first, "%"); at !== -1; at = StringIndexOf(first, "%", at + 2)) {
        const directive = first[at + 1];
        if (directive === "%") text += `${StringSlice(first, from, at)}%`;
        else if (directive === undefined || StringIndexOf("sdifjoOc", directive) === -1 || next >= args.length)
          continue;
        else text += StringSlice(first, from, at) + fill(directive, args[next++]);
        from = at + 2;
      }
      text += StringSlice(first, from);
    }
  }
  for (; next < args.length; next++) {
    const value = args[next];
    text += `${next === 0 ? "" : " "}${typeof value === "string" ? value : inspect(value)}`;
  }
  return text;
}

function fill(directive: string, value: unknown): string {
  switch (directive) {
    case "s":
      return typeof value === "string" ? value : inspect(value, 0);
    case "d":
      return typeof value === "bigint"
        ? inspect(value)
        : isObject(value) || typeof value === "symbol"
          ? "NaN"
          : inspect(NumberIntrinsic(value));
    case "i":
      return typeof value === "bigint"
        ? inspect(value)
        : isObject(value) || typeof value === "symbol"
          ? "NaN"
          : `${MathTrunc(parse(value))}`;
    case "f":
      return typeof value === "symbol" || isObject(value) ? "NaN" : `${parse(value)}`;
    case "j":
      try {
        return JSONStringify(value) ?? "undefined";
      } catch {
        return "[Circular]";
      }
    case "c":
      return ""; // style: there is none in a log
    default:
      return inspect(value);
  }
}
const parse = parseFloat as (value: unknown) => number;

function level(name: Level): (...args: unknown[]) => void {
  return (...args) => write(name, format(args));
}

const info = level("info");

function labelOf(label: unknown): string {
  return label === undefined ? "default" : StringIntrinsic(label);
}

function elapsed(label: string): string | undefined {
  const since = timersSince.get(label);
  if (since === undefined) {
    write("warn", `Timer '${label}' does not exist`);
    return undefined;
  }
  const spent = DateNow() - since;
  return `${label}: ${spent < 1000 ? `${spent}ms` : `${spent / 1000}s`}`;
}

export const console = {
  log: info,
  info,
  debug: level("debug"),
  warn: level("warn"),
  error: level("error"),
  trace(...args: unknown[]): void {
    const trace = new ErrorIntrinsic(format(args));
    trace.name = "Trace";
    ErrorCaptureStackTrace(trace, console.trace);
    write("debug", trace.stack as string);
  },
  dir(value?: unknown, options?: { depth?: number | null }): void {
    write("info", inspect(value, options?.depth === null ? 1000 : options?.depth));
  },
  table(data?: unknown, columns?: readonly string[]): void {
    write("info", isObject(data) ? tableText(data, columns) : inspect(data));
  },
  assert(condition?: unknown, ...args: unknown[]): void {
    if (condition) return;
    write("error", args.length === 0 ? "Assertion failed" : `Assertion failed: ${format(args)}`);
  },
  count(label?: string): void {
    const name = labelOf(label);
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    write("info", `${name}: ${count}`);
  },
  countReset(label?: string): void {
    counts.delete(labelOf(label));
  },
  group(...args: unknown[]): void {
    if (args.length > 0) info(format(args));
    if (groups.length < 40) groups += "  ";
  },
  groupCollapsed(...args: unknown[]): void {
    ReflectApply(console.group, undefined, args);
  },
  groupEnd(): void {
    groups = StringSlice(groups, 2);
  },
  time(label?: string): void {
    const name = labelOf(label);
    if (timersSince.has(name)) write("warn", `Timer '${name}' already exists`);
    else timersSince.set(name, DateNow());
  },
  timeEnd(label?: string): void {
    const name = labelOf(label);
    const text = elapsed(name);
    if (text !== undefined) write("info", text);
    timersSince.delete(name);
  },
  timeLog(label?: string, ...args: unknown[]): void {
    const text = elapsed(labelOf(label));
    if (text !== undefined) write("info", args.length === 0 ? text : `${text} ${format(args)}`);
  },
};
