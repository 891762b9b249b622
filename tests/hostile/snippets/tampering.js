// Built-ins replaced under flora's feet, and attempts to speak the host's language.

//? Promise.prototype.then replaced by a loop: ok | exceededCpu
Promise.prototype.then = () => { for (;;); };
await ctx.reply("x");

//? every method of Array.prototype replaced: ok | exception | exceededCpu
for (const name of Object.getOwnPropertyNames(Array.prototype)) if (name !== "constructor") try { Array.prototype[name] = () => { throw 1; }; } catch {}
await ctx.reply("x");

//? every method of String.prototype replaced: ok | exception | exceededCpu
for (const name of Object.getOwnPropertyNames(String.prototype)) try { String.prototype[name] = () => { for (;;); }; } catch {}
await ctx.reply({ content: "x" });

//? JSON replaced: ok | exception
JSON.parse = JSON.stringify = () => { throw new Error("mine"); };
await ctx.reply("x");

//? Object.prototype.toJSON that loops: exceededCpu | ok
Object.prototype.toJSON = () => { for (;;); };
await ctx.reply({ content: "x" });

//? Object.prototype.then: ok | exception | canceled | exceededCpu
Object.prototype.then = function (resolve) { resolve(1); };
await ctx.reply("x");

//? a setter for every index on Array.prototype: ok | exception | exceededCpu
for (let i = 0; i < 100; i++) Object.defineProperty(Array.prototype, i, { set() { for (;;); } });
await ctx.reply("x");

//? events that come from Object.prototype: ok | exception | exceededCpu {events=3}
Object.prototype.e = [{ i: 1, t: "MESSAGE_CREATE", d: { id: "1", channel_id: "77", guild_id: "1", content: "forged", author: { id: "9" } } }];
await ctx.reply("x");

//? a forged outbox in an event's number: ok | exception {events=3}
Object.prototype.e = [{ i: '0,0]],"o":[[0,"sendMessage",{"path":{"channel":"77"},"body":{"content":"forged"}}]],"d":[[0', t: "X", d: {} }];
await ctx.reply("x");

//? results of calls that come from Object.prototype: ok | exception | exceededCpu {events=3}
Object.prototype.s = [[1, true, {}], [2, false, null], [3, true, null]];
await ctx.reply("x");

//? timers that come from Object.prototype: ok | exception | exceededCpu {events=3}
Object.prototype.t = [1, 2, 3];
await ctx.reply("x");

//? forged outboxes full of timers: ok | exception | exceededCpu {events=8 linger=0.5}
let timers = "[1,1e9]";
while (timers.length < 5e5) timers += `,${timers}`;
Object.prototype.e = [{ i: `0,0]],"t":[${timers}],"d":[[0`, t: "X", d: {} }];

//? forged outboxes full of settled events: ok | exception | exceededCpu {events=5}
let done = "0,0";
while (done.length < 5e5) done += `],[${done}`;
Object.prototype.e = [{ i: done, t: "X", d: {} }];

//? forged calls with impossible ids: ok | exception {events=4}
const ops = ["-1", "0", "18446744073709551615", "9223372036854775808", "1e3"].map((id) => `[${id},"kvGet",{"store":"s","key":"k"}],[${id},"nothing",{}],[${id},"",null]`);
Object.prototype.e = [{ i: `0,0]],"o":[${ops.slice(0, 4)}],"d":[[0`, t: "X", d: {} }];

//? a forged declaration: ok | exception {events=3}
Object.prototype.e = [{ i: `0,0]],"u":{"events":["${"x".repeat(1000)}","messageCreate"],"own":true,"commands":[1,null,"x"],"crons":[{"name":"","expression":"* * * * *","skip":false},{"name":"a/../b","expression":"@@","skip":true}]},"d":[[0`, t: "X", d: {} }];

//? a forged declaration of a hundred thousand events: ok | exception | exceededCpu {events=3}
Object.prototype.e = [{ i: `0,0]],"u":{"events":[${'"x",'.repeat(1e5)}"messageCreate"]},"d":[[0`, t: "X", d: {} }];

//? the script says it failed to load, later: ok | exception {events=3}
Object.prototype.e = [{ i: '0,0]],"b":"too late","d":[[0', t: "X", d: {} }];

//? globalThis emptied: ok | exception {events=2}
for (const name of Object.getOwnPropertyNames(globalThis)) try { delete globalThis[name]; } catch {}
await ctx.reply("x");

//? globalThis frozen, prototypes frozen: ok | exception {events=2}
for (const o of [Object.prototype, Array.prototype, Promise.prototype, Function.prototype, globalThis]) try { Object.freeze(o); } catch {}
await ctx.reply("x");

//? the global's prototype replaced by a proxy: ok | exception | exceededCpu {events=2}
try { Object.setPrototypeOf(globalThis, new Proxy({}, { has() { for (;;); }, get() { for (;;); } })); } catch {}
missing;

//? Symbol.iterator of arrays that never ends: ok | exceededCpu | exception {events=2}
Array.prototype[Symbol.iterator] = function* () { for (;;) yield 1; };
await ctx.reply("x");
console.log(1, 2, 3);

//? Function.prototype.call and apply replaced: ok | exception | exceededCpu {events=2}
Function.prototype.call = Function.prototype.apply = Function.prototype.bind = () => { for (;;); };
await ctx.reply("x");
console.log({ a: 1 });

//? a dispatch from within a handler: ok | exception | exceededCpu | exceededMemory
const handler = () => { on("messageCreate", handler); };
for (let i = 0; i < 1000; i++) handler();

//? a handler that adds two handlers each time: ok | exception | exceededCpu | exceededMemory {events=25}
const breed = () => { on("messageCreate", breed); on("messageCreate", breed); };
breed();

//? Date.now and performance.now replaced: ok {events=2}
Date.now = performance.now = () => NaN;
globalThis.Date = class { static now() { return "yesterday"; } };
await ctx.reply("x");

//? a Map and a WeakMap that lie: ok | exception | exceededCpu {events=2}
for (const M of [Map, Set, WeakMap, WeakSet]) for (const name of Object.getOwnPropertyNames(M.prototype)) try { M.prototype[name] = () => { for (;;); }; } catch {}
await ctx.reply("x");
console.log(new Map());

//? the host's functions looked for: ok
const found = ["feed", "take", "loaded", "setNotify", "configure", "__floraHost"].filter((name) => name in globalThis);
if (found.length > 0) for (;;);
