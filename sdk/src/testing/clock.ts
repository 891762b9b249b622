// Time as tests and scripts see it. The host says when it moves; timers are the host's anyway.

import type * as api from "flora-test";
import { type Happened, answerOf } from "./answer.ts";
import { ask } from "./host.ts";

export const START = Date.UTC(2026, 0, 1);

let now = START;
const RealDate = Date;

class FakeDate extends RealDate {
  constructor(...given: unknown[]) {
    if (given.length === 0) super(now);
    else super(...(given as [number]));
  }
  static override now(): number {
    return now;
  }
}

/** Show scripts this time. Called before any of their modules runs. */
export function install(): void {
  Object.defineProperty(FakeDate, "name", { value: "Date" });
  const callable = new Proxy(FakeDate, { apply: () => new FakeDate().toString() });
  FakeDate.prototype.constructor = callable;
  Object.defineProperty(globalThis, "Date", { value: callable, writable: true, configurable: true });
  void follow();
}

async function follow(): Promise<void> {
  for (;;) now = (await ask<{ now: number }>("clock")).now;
}

export const clock: api.Clock = {
  get now() {
    return new Date(now);
  },
  async advance(by) {
    return answerOf(await ask<Happened>("advance", { milliseconds: milliseconds(by) }));
  },
  async set(to) {
    const at = new RealDate(to as string).getTime();
    if (!(at >= now)) throw new RangeError(`clock.set: ${String(to)} is no time, or lies before ${clock.now.toISOString()}`);
    await ask("set", { now: at });
  },
};

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

function milliseconds(by: number | string): number {
  if (typeof by === "number" && by >= 0) return by;
  const text = String(by);
  const parts = [...text.matchAll(/(\d+)(ms|[smhdw])/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== text) {
    throw new RangeError(`clock.advance: ${JSON.stringify(by)} is no duration; write milliseconds, or 30s, 10m, 1h30m, 7d`);
  }
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * (UNITS[unit as string] as number), 0);
}
