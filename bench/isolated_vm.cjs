// The baseline of the worker benchmarks: the same prelude, script, events and answers in isolated-vm.
// Orders come as JSON lines on standard input, figures go as JSON lines to standard output.
//
//   node isolated_vm.cjs MODULE SETUP.json     MODULE: path of isolated-vm; SETUP: what `isolated_vm.py` wrote
"use strict";
const fs = require("node:fs");
const readline = require("node:readline");

const ivm = require(process.argv[2]);
const setup = JSON.parse(fs.readFileSync(process.argv[3], "utf8"));
const { prelude, bundle, events, answer, guilds } = setup;

// V8 11.3 in Node 20 has none of these; the prelude of flora's V8 14 wraps them.
const MISSING = "globalThis.Float16Array ??= class Float16Array extends Uint16Array {}; Math.f16round ??= Math.fround;";

class Guild {
  constructor(index) {
    const isolate = new ivm.Isolate({ memoryLimit: 64 });
    const context = isolate.createContextSync();
    for (const code of [MISSING, prelude]) isolate.compileScriptSync(code).runSync(context);
    const host = (name) => context.evalSync(`__floraHost.${name}`, { reference: true });
    const configuration = { guildId: String(index + 1), seed: `s${index}`, cryptoSeed: "00".repeat(32), firstId: 0 };
    host("configure").applySync(JSON.stringify(configuration), []);
    this.feed = host("feed");
    context.evalSync("delete globalThis.__floraHost");
    isolate.compileScriptSync(bundle).runSync(context);
    this.number = 0;
    const declared = JSON.parse(this.feed.applySync("{}", []));
    if (!declared.u?.events.includes("messageCreate")) throw new Error(`did not load: ${JSON.stringify(declared)}`);
  }

  // The numbered events of one turn, as flora's worker writes them.
  payload(batch) {
    const parts = [];
    for (let i = 0; i < batch; i++) {
      const number = ++this.number;
      parts.push(`{"i":${number},${events[number % events.length].slice(1)}`);
    }
    return `{"e":[${parts.join(",")}]}`;
  }

  static answers(outbox) {
    return `{"s":[${JSON.parse(outbox).o.map(([id]) => `[${id},true,${answer}]`).join(",")}]}`;
  }

  async turn(batch) {
    const outbox = await this.feed.apply(this.payload(batch), []);
    await this.feed.apply(Guild.answers(outbox), []);
  }

  turnSync(batch) {
    const outbox = this.feed.applySync(this.payload(batch), []);
    this.feed.applySync(Guild.answers(outbox), []);
  }
}

const all = Array.from({ length: guilds }, (_, index) => new Guild(index));
let next = 0;
const nextGuild = () => all[next++ % all.length];

async function run({ how, seconds, batch, inFlight }) {
  const cpu = process.cpuUsage();
  const started = process.hrtime.bigint();
  const end = Date.now() + seconds * 1000;
  let done = 0;
  if (how === "applySync") {
    while (Date.now() < end) {
      nextGuild().turnSync(batch);
      done += batch;
    }
  } else {
    const lane = async () => {
      while (Date.now() < end) {
        await nextGuild().turn(batch);
        done += batch;
      }
    };
    await Promise.all(Array.from({ length: inFlight }, lane));
  }
  const used = process.cpuUsage(cpu);
  return {
    events: done,
    cpu: (used.user + used.system) / 1e6,
    wall: Number(process.hrtime.bigint() - started) / 1e9,
    turns: done / batch,
  };
}

console.log(JSON.stringify({ event: "listening", name: "isolated-vm", url: "" }));
readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  console.log(JSON.stringify(await run(JSON.parse(line))));
}).on("close", () => process.exit(0));
