// Timers. The host keeps the time; a timer is due in a turn of its own.

import { clearTimer, report, reportRejection, setTimer } from "./host.ts";
import { NumberIntrinsic, ReflectApply, TypeErrorIntrinsic, isThenable, privateMap } from "./primordials.ts";

const MAX_DELAY = 2 ** 31 - 1;

/** Milliseconds the host can wait: 0 to 2^31-1; what is no number is 0. */
export function delayOf(milliseconds: unknown): number {
  const delay = NumberIntrinsic(milliseconds ?? 0);
  return delay > 0 ? (delay < MAX_DELAY ? delay : MAX_DELAY) : 0;
}

type Callback<TArgs extends unknown[]> = (...args: TArgs) => unknown;

/** The host timer an interval waits for at the moment, by the id the script knows. */
const intervals = privateMap<number, number>();

export function setTimeout<T extends unknown[]>(callback: Callback<T>, delay?: number, ...args: T): number {
  check(callback, "setTimeout");
  return setTimer(delayOf(delay), () => run(callback, args));
}

export function setInterval<T extends unknown[]>(callback: Callback<T>, delay?: number, ...args: T): number {
  check(callback, "setInterval");
  const pause = delayOf(delay) || 1;
  const tick = () => {
    intervals.set(id, setTimer(pause, tick)); // first: the callback may clear it
    run(callback, args);
  };
  const id = setTimer(pause, tick);
  intervals.set(id, id);
  return id;
}

/** Ends a timeout or an interval; ids that are unknown or over are ignored. */
export function clearTimeout(id?: unknown): void {
  const known = NumberIntrinsic(id);
  const interval = intervals.get(known);
  if (interval !== undefined) intervals.delete(known);
  clearTimer(interval ?? known);
}

function check(callback: unknown, name: string): void {
  if (typeof callback !== "function") throw new TypeErrorIntrinsic(`${name}() takes a function as its first argument`);
}

function run<T extends unknown[]>(callback: Callback<T>, args: T): void {
  const result = ReflectApply(callback, undefined, args);
  if (isThenable(result)) void reportRejection(result);
}

export function queueMicrotask(callback: () => void): void {
  check(callback, "queueMicrotask");
  void runLater(callback);
}

async function runLater(callback: () => void): Promise<void> {
  await undefined;
  try {
    callback();
  } catch (error) {
    report(error);
  }
}
