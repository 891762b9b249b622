// The module "flora-test". `flora test` puts it beside the project; it runs in the isolate, with the script.

import type * as api from "flora-test";
import { type Happened, answerOf, forget } from "./answer.ts";
import { bot } from "./bot.ts";
import { clock, install } from "./clock.ts";
import { BOT } from "./events.ts";
import { expect } from "./expect.ts";
import { ask } from "./host.ts";

export { describe, beforeEach, expect, test };
export { run };

type Body = (t: api.Test) => unknown;

interface Case {
  readonly name: string;
  readonly body: Body;
  readonly before: readonly Body[];
  readonly mode: "run" | "skip" | "only";
}

interface Report {
  /** Stack of what was thrown; nothing when the test passed. */
  error?: string;
  expected?: string | undefined;
  actual?: string | undefined;
}

install();

const cases: Case[] = [];
let names: string[] = [];
let before: Body[] = [];
let started = false;

function add(name: string, body: Body, mode: Case["mode"]): void {
  if (started) throw new Error(`test(${JSON.stringify(name)}): define tests at the top of the file or in describe`);
  if (typeof name !== "string" || name === "") throw new TypeError("test: its name should be a text");
  if (typeof body !== "function") throw new TypeError(`test(${JSON.stringify(name)}): give a function to run`);
  cases.push({ name: [...names, name].join(" › "), body, before, mode });
}

const test: typeof api.test = Object.assign((name: string, body: Body) => add(name, body, "run"), {
  skip: (name: string, body: Body) => add(name, body, "skip"),
  only: (name: string, body: Body) => add(name, body, "only"),
});

function describe(name: string, define: () => void): void {
  const outer = [names, before] as const;
  [names, before] = [[...names, name], before];
  try {
    define();
  } finally {
    [names, before] = outer;
  }
}

function beforeEach(body: Body): void {
  before = [...before, body];
}

const cron: api.Crons = {
  async list() {
    const jobs = await ask<{ name: string; expression: string; next: number }[]>("crons");
    return jobs.map(({ next, ...job }) => ({ ...job, next: new Date(next) }));
  },
  async run(name) {
    return answerOf(await ask<Happened>("cron", { name }));
  },
};

const stubs: Pick<api.Test, "fetch" | "discord" | "secrets"> = {
  fetch: {
    async reply(url, reply = {}) {
      const { json, text = json === undefined ? "" : JSON.stringify(json), headers = {}, ...rest } = reply;
      const typed = json === undefined ? headers : { "content-type": "application/json", ...headers };
      await ask("fetchReply", { url, text, headers: typed, ...rest });
    },
    async requests() {
      return await ask("requests");
    },
  },
  discord: {
    async reply(call, value) {
      await ask("discordReply", { call, value });
    },
    async refuse(call, error = {}) {
      await ask("discordRefuse", { call, error: { code: "DISCORD_HTTP_ERROR", message: "refused by the test", ...error } });
    },
  },
  secrets: {
    async set(name, value) {
      await ask("secret", { name, value });
    },
  },
};

/** Run the tests that the host names, one after another. Behind the test file's own code. */
async function run(): Promise<void> {
  started = true;
  const focused = cases.some(({ mode }) => mode === "only");
  const tests = cases.map(({ name, mode }) => ({ name, skip: mode === "skip" || (focused && mode !== "only") }));
  let report: Report = {};
  for (;;) {
    const { index } = await ask<{ index?: number }>("next", { tests, bot: BOT, report });
    if (index === undefined) return;
    report = await runOne(cases[index] as Case);
  }
}

async function runOne({ name, body, before: first }: Case): Promise<Report> {
  forget();
  const t: api.Test = { name, bot, clock, cron, ...stubs };
  try {
    for (const prepare of first) await prepare(t);
    await body(t);
    return {};
  } catch (error) {
    const { stack, expected, actual } = (error ?? {}) as { stack?: string; expected?: string; actual?: string };
    return { error: stack ?? String(error), expected, actual };
  }
}
