// More calls, lines, errors and events than anybody wants.

//? a turn full of log lines: ok | exception
try { for (;;) console.log("x"); } catch {}

//? a turn full of empty log lines, turn after turn: ok | exception | canceled | exceededCpu {linger=0.5}
for (let turn = 0; turn < 10; turn++) {
  try { for (;;) console.log(""); } catch {}
  await new Promise((resolve) => setTimeout(resolve, 1));
}

//? long log lines: ok | exception | exceededCpu
try { for (;;) console.log("x".repeat(1e6)); } catch {}

//? log of what takes for ever to show: ok | exceededCpu | exceededMemory
let o = {};
for (let i = 0; i < 1e5; i++) o = { o, p: [o, o] };
console.log(o, o, o);

//? log of a proxy that never ends: ok | exceededCpu
console.log(new Proxy({}, { ownKeys() { for (;;); }, get() { for (;;); } }));

//? console.table of a million rows: ok | exceededCpu | exceededMemory | exception
console.table(Array.from({ length: 1e6 }, (_, i) => ({ i })));

//? an error a megabyte long: exception
throw new Error("x".repeat(4e6));

//? an error whose cause is itself: exception
const error = new Error("x");
error.cause = error;
throw error;

//? an AggregateError of a hundred thousand: exception | exceededCpu
throw new AggregateError(Array.from({ length: 1e5 }, (_, i) => new Error(`${i}`)), "many");

//? errors thrown by thirty events: exception {events=30}
throw new Error("each time");

//? thrown values that are no errors: exception {events=6}
throw [undefined, null, 5, Symbol("x"), 10n, { toString: null }][(globalThis.n = (globalThis.n ?? -1) + 1) % 6];

//? calls until the outbox is full: ok | exception | exceededCpu
try { for (;;) ctx.reply("x").catch(() => {}); } catch {}

//? calls until the outbox is full, turn after turn: ok | exception | canceled | exceededCpu {linger=0.5}
for (let turn = 0; turn < 6; turn++) {
  for (let i = 0; i < 4000; i++) ctx.reply("x").catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 1));
}

//? each answer makes two calls: ok | exception | exceededCpu {linger=0.7}
const breed = () => { ctx.reply("x").then(breed, () => {}); ctx.reply("y").then(breed, () => {}); };
breed();

//? calls of a quarter of a megabyte: ok | exception | exceededCpu
for (let i = 0; i < 3; i++) ctx.reply({ content: "x", embeds: [{ description: "y".repeat(250_000) }] }).catch(() => {});

//? one call larger than an outbox: exception
await ctx.reply("x".repeat(2 ** 21));

//? calls nobody waits for: ok | exception | exceededCpu {events=20}
for (let i = 0; i < 100; i++) void ctx.reply("x");

//? edits of edits: ok | exception | exceededCpu {linger=0.3}
await ctx.reply("x");
for (let i = 0; i < 500; i++) ctx.edit(`${i}`).catch(() => {});

//? a flood of events for a slow script: ok | exceededCpu {events=300}
const end = Date.now() + 3;
while (Date.now() < end);

//? a flood of events for a script that answers none in time: ok | canceled {events=100 linger=0.2}
await new Promise((resolve) => setTimeout(resolve, 200));

//? thousands of handlers: ok | exception | exceededCpu {events=5}
for (let i = 0; i < 20_000; i++) on("messageCreate", async () => {});

//? every kind of handler, again and again: ok | exception | exceededCpu
for (let i = 0; i < 2000; i++) for (const name of ["ready", "messageCreate", "messageUpdate", "reactionAdd"]) on(name, () => {});

//? handlers of events that do not exist: ok | exception | exceededCpu
for (let i = 0; i < 1000; i++) try { on(`event${i}`, () => {}); } catch {}
