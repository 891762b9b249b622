// The isolate's side of the protocol with its worker. The worker calls `feed` with everything that is
// due (events, results of ops, timers) in one JSON string and gets the outbox back as another; nothing
// but strings ever crosses. What is queued later in the same turn, by microtasks, is announced once
// through `notify` and fetched with `take`. Outbox sections are kept as JSON text from the start: their
// size is known, a later change to an argument changes nothing, and no array of ours meets guild code.

import { cut, errorText, failure, invalidInput } from "./errors.ts";
import { toJson, wellFormedJson } from "./json.ts";
import {
  DateNow,
  JSONParse,
  JSONStringify,
  ObjectAssign,
  ObjectSetPrototypeOf,
  PromiseIntrinsic,
  RangeErrorIntrinsic,
  StringSlice,
  isThenable,
  privateMap,
  sealPromise,
} from "./primordials.ts";

/** What the worker sends. */
interface Feed {
  /** 1: the last notification was seen. */
  n?: 1;
  /** Results of ops: id, whether it worked, value. */
  s?: [number, boolean, unknown][];
  /** Events: number, Discord's name, Discord's data. */
  e?: { i: number; t: string; d: unknown }[];
  /** Timers that are due. */
  t?: number[];
  /** The secrets' placeholders by name, when they changed. */
  k?: Record<string, string>;
}

/** What an isolate is told before its bundle runs. All of it is optional: tests and tools say nothing. */
export interface Configuration {
  guildId?: string;
  /** The bot's user id, when it is known. */
  userId?: string;
  /** Random text that makes message nonces unique across isolates. */
  seed?: string;
  /** 64 hexadecimal digits of real entropy for `crypto`. */
  cryptoSeed?: string;
  /** Ops and timers are numbered after this. */
  firstId?: number;
  /** The secrets' placeholders by name. */
  secrets?: Record<string, string>;
}

/** Arguments of a call to Discord. `path` fills the route's template; `body` is Discord's JSON. */
export interface Call {
  path?: { readonly [name: string]: string };
  query?: { readonly [name: string]: string };
  body?: unknown;
  reason?: string;
  /** What goes with the body: bytes in base64, or where they are. */
  files?: readonly CallFile[];
}

export interface CallFile {
  name?: string;
  description?: string;
  data?: string;
  url?: string;
}

interface Pending {
  resolve(value: unknown): void;
  convert: ((result: unknown) => unknown) | undefined;
  queued: boolean;
}

/** Characters of calls, timers, logs and errors in one turn. */
const OUTBOX_LIMIT = 1 << 20;
/** What a log line counts for at least: a thousand short ones cost the host more than one that is long. */
const LINE_WEIGHT = 512;
const TIMER_LIMIT = 1000;
/** Timers set and cleared in one turn. */
const TIMER_CHANGES_LIMIT = 4000;
/** Calls without an answer; the host would refuse more. */
const CALL_LIMIT = 1000;
/** Those of them that queue for Discord's rate limits, as many as the gateway lets wait: a flood of calls ends here. */
const QUEUED_CALL_LIMIT = 256;

const TOO_MANY = { code: "DISCORD_RATE_LIMITED", message: "too many calls are waiting for an answer" };

const pending = privateMap<number, Pending>();
const timers = privateMap<number, () => void>();
let timerCount = 0;
let timerChanges = 0;
let callCount = 0;
let queuedCount = 0;
let lastId = 0;

let ops = "";
let timersSet = "";
let timersCleared = "";
let logs = "";
let done = "";
let load = "";
let size = 0;
/** The declaration the worker has, and whether there may be a newer one. */
let declared = "";
let undeclared = false;

let feeding = false;
let notified = false;
let notify: (() => void) | undefined;
let onEvent: (type: string, data: unknown) => unknown = () => undefined;
let describe: () => string = () => "";

/** Whether the bundle's promise is still open: slash commands registered until then are pushed by the host. */
export let loading = true;

/** What the worker said about this isolate; nothing in tests and tools. */
export const configuration: Configuration = {};

/** Something was added to the outbox outside `feed`: tell the worker, once. */
function announce(): void {
  if (!feeding && !notified && notify !== undefined) {
    notified = true;
    notify();
  }
}

/** Characters that this turn's outbox still takes. */
export function room(): number {
  return OUTBOX_LIMIT - size;
}

function grow(text: string, atLeast = 0): string {
  size += text.length < atLeast ? atLeast : text.length;
  if (size > OUTBOX_LIMIT) {
    throw new RangeErrorIntrinsic("too much output in one turn: more than 1 MiB of calls, timers and logs");
  }
  return text;
}

// ------------------------------------------------------------------------------------------ ops

/**
 * Ask the host for something; the promise is rejected with a `FloraError` when it says no.
 * `convert` makes what the caller gets of what the host answered. `queued`: it waits for Discord's rate limits.
 */
export function op<T = void>(
  name: string,
  call: Call | object,
  convert?: (result: unknown) => T,
  queued = false,
): Promise<T> {
  return new PromiseIntrinsic<T>((resolve) => {
    let text: string;
    try {
      text = toJson(call);
    } catch (error) {
      throw invalidInput("payload", (error as Error).message);
    }
    if (callCount >= CALL_LIMIT || (queued && queuedCount >= QUEUED_CALL_LIMIT)) {
      // Not thrown: V8 would tell the worker of each, before the script can say what it does with them.
      resolve(sealPromise(fail(TOO_MANY)));
      return;
    }
    grow(text);
    const id = ++lastId;
    callCount++;
    if (queued) queuedCount++;
    ops += `${ops === "" ? "" : ","}[${id},"${name}",${text}]`;
    pending.set(id, { resolve: resolve as (value: unknown) => void, convert, queued });
    announce();
  });
}

/** A call to Discord that waits for its rate limits, behind the guild's others. */
export function queuedOp<T = void>(name: string, call: Call, convert?: (result: unknown) => T): Promise<T> {
  return op(name, call, convert, true);
}

/** The number of the op that was made last. */
export function lastOp(): number {
  return lastId;
}

function settleOp(id: number, worked: boolean, value: unknown): void {
  const waiting = pending.get(id);
  if (waiting === undefined) return;
  pending.delete(id);
  const { resolve, convert, queued } = waiting;
  callCount--;
  if (queued) queuedCount--;
  if (!worked) {
    resolve(sealPromise(fail(value)));
  } else if (convert === undefined) {
    resolve(undefined);
  } else {
    try {
      resolve(convert(value));
    } catch (error) {
      resolve(sealPromise(fail({ code: "DISCORD_HTTP_ERROR", message: `unexpected answer: ${errorText(error)}` })));
    }
  }
}

/**
 * A promise rejected with the host's answer. The error is made two microtasks late, when the script's
 * `await` hangs on this promise: that is what gives its stack the line of the script that called.
 */
async function fail(answer: unknown): Promise<never> {
  await undefined;
  await undefined;
  throw failure(answer);
}

// ------------------------------------------------------------------------------------------ timers

/** Run `callback` once after `milliseconds`; returns a number for `clearTimer`. */
export function setTimer(milliseconds: number, callback: () => void): number {
  if (timerCount >= TIMER_LIMIT) throw new RangeErrorIntrinsic("too many timers: 1,000 are already waiting");
  countTimerChange();
  return startTimer(milliseconds, callback);
}

/** The same for the SDK's own, which no limit on a script's timers may keep from running. */
export function startTimer(milliseconds: number, callback: () => void): number {
  const id = lastId + 1;
  timersSet += grow(`${timersSet === "" ? "" : ","}[${id},${milliseconds}]`);
  lastId = id;
  timers.set(id, callback);
  timerCount++;
  announce();
  return id;
}

function countTimerChange(): void {
  if (timerChanges >= TIMER_CHANGES_LIMIT) {
    throw new RangeErrorIntrinsic("too many timers set and cleared in one turn: more than 4,000");
  }
  timerChanges++;
}

export function clearTimer(id: number): void {
  if (!timers.has(id)) return;
  countTimerChange();
  timersCleared += grow(`${timersCleared === "" ? "" : ","}${id}`);
  timers.delete(id);
  timerCount--;
  announce();
}

function fireTimer(id: number): void {
  const callback = timers.get(id);
  if (callback === undefined) return;
  timers.delete(id);
  timerCount--;
  try {
    callback();
  } catch (error) {
    report(error);
  }
}

// ------------------------------------------------------------------------------------------ logs

export function log(level: "debug" | "info" | "warn" | "error", text: string): void {
  logs += grow(`${logs === "" ? "" : ","}["${level}",${JSONStringify(cut(text))}]`, LINE_WEIGHT);
  announce();
}

/** Log an error that nobody can catch any more, unless the turn has already said too much. */
export function report(error: unknown): void {
  try {
    log("error", errorText(error));
  } catch {
    // The outbox is full of what the script wrote itself.
  }
}

/** Log it when `result` is rejected and nobody else looks at it. */
export async function reportRejection(result: PromiseLike<unknown>): Promise<void> {
  try {
    await result;
  } catch (error) {
    report(error);
  }
}

// ------------------------------------------------------------------------------------------ declaration

/** `describe` gives, as JSON, what the script wants from the host. */
export function setDeclaration(describe_: () => string): void {
  describe = describe_;
}

/** The declaration may have changed: have it sent with the next outbox. */
export function declare(): void {
  undeclared = true;
  announce();
}

// ------------------------------------------------------------------------------------------ events

/** `sink` runs the handlers of an event; a promise it returns is waited for. */
export function setEventSink(sink: (type: string, data: unknown) => unknown): void {
  onEvent = sink;
}

function dispatch(number: number, type: string, data: unknown): void {
  const started = DateNow();
  try {
    const result = onEvent(type, data);
    if (isThenable(result)) void settle(number, started, result);
    else finish(number, started);
  } catch (error) {
    finishFailed(number, started, error);
  }
}

// `await` of a native promise looks nothing up but its constructor: a script cannot get between.
async function settle(number: number, started: number, result: PromiseLike<unknown>): Promise<void> {
  try {
    await result;
    finish(number, started);
  } catch (error) {
    finishFailed(number, started, error);
  }
}

// A handler that settled is no news that anybody waits for: it rides along with the next turn.
function finish(number: number, started: number): void {
  done += `${done === "" ? "" : ","}[${number},${DateNow() - started}]`;
}

function finishFailed(number: number, started: number, error: unknown): void {
  done += `${done === "" ? "" : ","}[${number},${DateNow() - started},${JSONStringify(errorText(error))}]`;
  announce();
}

// ------------------------------------------------------------------------------------------ what the worker calls

function collect(): string {
  if (
    ops === "" &&
    done === "" &&
    timersSet === "" &&
    logs === "" &&
    timersCleared === "" &&
    !undeclared &&
    load === ""
  ) {
    return "";
  }
  let out = "{";
  if (ops !== "") out += `"o":[${ops}],`;
  if (timersSet !== "") out += `"t":[${timersSet}],`;
  if (timersCleared !== "") out += `"c":[${timersCleared}],`;
  if (logs !== "") out += `"l":[${logs}],`;
  if (done !== "") out += `"d":[${done}],`;
  if (undeclared) {
    undeclared = false;
    const declaration = describe();
    if (declaration !== declared) {
      declared = declaration;
      out += `"u":${declaration},`;
    }
  }
  if (load !== "") out += `"b":${load},`;
  ops = timersSet = timersCleared = logs = done = load = "";
  size = timerChanges = 0;
  return out === "{" ? "" : wellFormedJson(`${StringSlice(out, 0, -1)}}`);
}

/** One turn. `this` is the worker's JSON; returns the outbox, or "" when it is empty. */
export function feed(this: string): string {
  // Without a prototype: what is not there must not be found on a script's Object.prototype.
  const input = ObjectSetPrototypeOf(JSONParse(this) as Feed, null);
  feeding = true;
  try {
    if (input.n === 1) notified = false;
    if (input.k !== undefined) configuration.secrets = input.k;
    const { s: settled, t: due, e: events } = input;
    if (settled !== undefined) {
      for (let i = 0; i < settled.length; i++) {
        const result = settled[i] as [number, boolean, unknown];
        settleOp(result[0], result[1], result[2]);
      }
    }
    if (due !== undefined) {
      for (let i = 0; i < due.length; i++) fireTimer(due[i] as number);
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
  void finishLoading(this);
}

async function finishLoading(completion: unknown): Promise<void> {
  try {
    await completion;
    load = "true";
  } catch (error) {
    load = JSONStringify(errorText(error));
  }
  loading = false;
  announce();
}

export function setNotify(this: () => void): void {
  notify = this;
}

/** `this` is a `Configuration` as JSON. Called at most once, before the bundle runs. */
export function configure(this: string): void {
  ObjectAssign(configuration, JSONParse(this));
  lastId = configuration.firstId ?? 0;
}
