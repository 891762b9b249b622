// The isolate's side of the protocol with its worker. The worker calls `feed` with everything that is
// due (events, results of ops, timers) in one JSON string and gets the outbox back as another; nothing
// but strings ever crosses. What is queued later in the same turn, by microtasks, is announced once
// through `notify` and fetched with `take`. Outbox sections are kept as JSON text from the start: their
// size is known, a later change to an argument changes nothing, and no array of ours meets guild code.

import {
  DateNow,
  ErrorIntrinsic,
  JSONParse,
  JSONStringify,
  PromiseIntrinsic,
  RangeErrorIntrinsic,
  StringIntrinsic,
  StringSlice,
  TypeErrorIntrinsic,
  privateMap,
  then,
} from "./primordials.ts";

/** What the worker sends: see `flora_runtime/worker/guild.py`. */
interface Feed {
  /** 1: the last notification was seen. */
  n?: 1;
  /** Results of ops: id, whether it worked, value. */
  s?: [number, boolean, unknown][];
  /** Events: number, Discord's name, Discord's data. */
  e?: { i: number; t: string; d: unknown }[];
  /** Timers that are due. */
  t?: number[];
}

export type EventSink = (type: string, data: unknown) => unknown;
interface Pending {
  resolve(value: unknown): void;
  reject(reason: unknown): void;
}

export const OUTBOX_LIMIT = 1 << 20;
export const TEXT_LIMIT = 4096;
const TIMER_LIMIT = 1000;

const pending = privateMap<number, Pending>();
const timers = privateMap<number, () => void>();
let timerCount = 0;
let lastId = 0;

let ops = "";
let timersSet = "";
let timersCleared = "";
let logs = "";
let done = "";
let subscriptions = "";
let load = "";
let size = 0;

let feeding = false;
let notified = false;
let notify: (() => void) | undefined;
let onEvent: EventSink = () => undefined;

/** An op or a host call that failed: `code` is one of the documented error codes. */
export class FloraError extends ErrorIntrinsic {
  readonly code: string;
  readonly status?: number;
  readonly discordCode?: number;
  readonly retryAfter?: number;
  constructor(code: string, message: string, extra?: { status?: number; discordCode?: number; retryAfter?: number }) {
    super(message);
    this.code = code;
    if (extra?.status !== undefined) this.status = extra.status;
    if (extra?.discordCode !== undefined) this.discordCode = extra.discordCode;
    if (extra?.retryAfter !== undefined) this.retryAfter = extra.retryAfter;
  }
}
FloraError.prototype.name = "FloraError";

export function invalidInput(field: string, reason: string): FloraError {
  return new FloraError("INVALID_INPUT", `Invalid input for ${field}: ${reason}`);
}

/** Something was added to the outbox outside `feed`: tell the worker, once. */
function announce(): void {
  if (!feeding && !notified && notify !== undefined) {
    notified = true;
    notify();
  }
}

function grow(text: string): void {
  size += text.length;
  if (size > OUTBOX_LIMIT) {
    throw new RangeErrorIntrinsic("too much output in one turn: more than 1 MiB of calls and logs");
  }
}

/** Ask the host for something; rejects with a `FloraError`. */
export function op(name: string, args: unknown): Promise<unknown> {
  return new PromiseIntrinsic((resolve, reject) => {
    let text: string | undefined;
    try {
      text = JSONStringify(args);
    } catch (error) {
      throw invalidInput("payload", (error as Error).message);
    }
    if (text === undefined) throw invalidInput("payload", "it is not JSON");
    grow(text);
    const id = ++lastId;
    ops += `${ops === "" ? "" : ","}[${id},"${name}",${text}]`;
    pending.set(id, { resolve, reject });
    announce();
  });
}

/** Run `callback` once after `milliseconds`; returns a number for `clearTimer`. */
export function setTimer(milliseconds: number, callback: () => void): number {
  if (timerCount >= TIMER_LIMIT) throw new RangeErrorIntrinsic("too many timers: 1,000 are already waiting");
  const id = ++lastId;
  timers.set(id, callback);
  timerCount++;
  timersSet += `${timersSet === "" ? "" : ","}[${id},${milliseconds}]`;
  announce();
  return id;
}

export function clearTimer(id: number): void {
  if (!timers.delete(id)) return;
  timerCount--;
  timersCleared += `${timersCleared === "" ? "" : ","}${id}`;
  announce();
}

export function log(level: string, text: string): void {
  const line = JSONStringify(text.length > TEXT_LIMIT ? `${StringSlice(text, 0, TEXT_LIMIT - 1)}…` : text);
  grow(line);
  logs += `${logs === "" ? "" : ","}["${level}",${line}]`;
  announce();
}

/** The text of anything that was thrown: its stack where it has one, at most 4 KiB. */
export function errorText(error: unknown): string {
  let text: string;
  try {
    const stack = typeof error === "object" && error !== null ? (error as Error).stack : undefined;
    text = typeof stack === "string" && stack !== "" ? stack : StringIntrinsic(error);
  } catch {
    text = "an error that cannot be shown as text";
  }
  return text.length > TEXT_LIMIT ? `${StringSlice(text, 0, TEXT_LIMIT - 1)}…` : text;
}

export function setEventSink(sink: EventSink): void {
  onEvent = sink;
}

/** Tell the worker which events this script handles, and what slash commands it has. */
export function declare(declaration: unknown): void {
  subscriptions = JSONStringify(declaration);
  announce();
}

function dispatch(number: number, type: string, data: unknown): void {
  const started = DateNow();
  let result: unknown;
  try {
    result = onEvent(type, data);
  } catch (error) {
    finish(number, started, error);
    return;
  }
  if (result instanceof PromiseIntrinsic) {
    then(
      result,
      () => settle(number, started),
      (error) => finish(number, started, error),
    );
  } else {
    settle(number, started);
  }
}

// A handler that settled is no news that anybody waits for: it rides along with the next turn.
function settle(number: number, started: number): void {
  done += `${done === "" ? "" : ","}[${number},${DateNow() - started}]`;
}

function finish(number: number, started: number, error: unknown): void {
  done += `${done === "" ? "" : ","}[${number},${DateNow() - started},${JSONStringify(errorText(error))}]`;
  announce();
}

function collect(): string {
  if (ops === "" && done === "" && timersSet === "" && logs === "" && timersCleared === "" && subscriptions === "" && load === "") {
    return "";
  }
  let out = "{";
  if (ops !== "") out += `"o":[${ops}],`;
  if (timersSet !== "") out += `"t":[${timersSet}],`;
  if (timersCleared !== "") out += `"c":[${timersCleared}],`;
  if (logs !== "") out += `"l":[${logs}],`;
  if (done !== "") out += `"d":[${done}],`;
  if (subscriptions !== "") out += `"u":${subscriptions},`;
  if (load !== "") out += `"b":${load},`;
  ops = timersSet = timersCleared = logs = done = subscriptions = load = "";
  size = 0;
  return `${StringSlice(out, 0, -1)}}`;
}

function failure(value: unknown): unknown {
  const error = value as { code?: string; message?: string } & ConstructorParameters<typeof FloraError>[2];
  return new FloraError(error.code ?? "DISCORD_HTTP_ERROR", error.message ?? "the call failed", error);
}

/** One turn. `this` is the worker's JSON; returns the outbox, or "" when it is empty. */
export function feed(this: string): string {
  const input = JSONParse(this) as Feed;
  feeding = true;
  try {
    if (input.n === 1) notified = false;
    const { s: settled, e: events, t: due } = input;
    if (settled !== undefined) {
      for (let i = 0; i < settled.length; i++) {
        const [id, ok, value] = settled[i] as [number, boolean, unknown];
        const waiting = pending.get(id);
        if (waiting === undefined) continue;
        pending.delete(id);
        if (ok) waiting.resolve(value);
        else waiting.reject(failure(value));
      }
    }
    if (due !== undefined) {
      for (let i = 0; i < due.length; i++) {
        const id = due[i] as number;
        const callback = timers.get(id);
        if (callback === undefined) continue;
        timers.delete(id);
        timerCount--;
        try {
          callback();
        } catch (error) {
          log("error", errorText(error));
        }
      }
    }
    if (events !== undefined) {
      for (let i = 0; i < events.length; i++) {
        const event = events[i] as { i: number; t: string; d: unknown };
        dispatch(event.i, event.t, event.d);
      }
    }
  } finally {
    feeding = false;
  }
  return collect();
}

/** What microtasks queued after the last `feed`. */
export function take(): string {
  notified = false;
  return collect();
}

/** `this` is what the bundle evaluated to; the script is loaded when that promise is fulfilled. */
export function loaded(this: unknown): void {
  if (this instanceof PromiseIntrinsic) {
    then(this, reportLoaded, (error) => {
      load = JSONStringify(errorText(error));
      announce();
    });
  } else {
    reportLoaded();
  }
}

function reportLoaded(): void {
  load = "true";
  announce();
}

export function setNotify(this: () => void): void {
  notify = this;
}

export { TypeErrorIntrinsic };
