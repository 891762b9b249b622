// Proxies, getters and species where built-ins and flora's own code may look.

//? a proxy whose get never ends: exceededCpu
new Proxy({}, { get() { for (;;); } }).x;

//? a proxy whose ownKeys never ends: exceededCpu
Object.keys(new Proxy({}, { ownKeys() { for (;;); } }));

//? a proxy of a proxy of a proxy: exception | exceededCpu | ok | exceededMemory
let p = {};
for (let i = 0; i < 1e5; i++) p = new Proxy(p, {});
p.x;

//? a proxy that is its own prototype: exception | exceededCpu | ok
const p = new Proxy({}, {});
Object.setPrototypeOf(p, Object.create(p));

//? a proxy that says it has everything: exceededCpu
with_everything: for (const _ in new Proxy({}, { ownKeys: () => ["a"], getOwnPropertyDescriptor() { for (;;); } })) break with_everything;

//? a reply that is a proxy without end: ok | exception | exceededCpu
await ctx.reply(new Proxy({}, { get: (_, key) => (key === "then" ? undefined : new Proxy({}, {})), has: () => true }));

//? a reply whose getters loop: exceededCpu
await ctx.reply({ get content() { for (;;); } });

//? a reply whose toJSON loops: exceededCpu
await ctx.reply({ content: "x", embeds: [{ toJSON() { for (;;); } }] });

//? a reply whose toJSON returns itself: ok | exception
const embed = { toJSON() { return embed; }, title: "x" };
await ctx.reply({ embeds: [embed] });

//? a reply that contains itself: exception
const body = { content: "x" };
body.embeds = [body];
body.components = [body];
await ctx.reply(body);

//? a reply of ten thousand levels: exception | ok
let deep = {};
for (let i = 0; i < 1e4; i++) deep = { deep };
await ctx.reply({ content: "x", embeds: [deep] });

//? a reply with a thenable inside: ok | exception
await ctx.reply({ content: { then(resolve) { resolve("x"); } } });

//? a reply of a million embeds: exception | exceededCpu
await ctx.reply({ embeds: Array.from({ length: 1e6 }, () => ({ title: "x" })) });

//? a species that is a loop: exceededCpu
class List extends Array { static get [Symbol.species]() { for (;;); } }
new List(3).map((x) => x);

//? a species that makes endless arrays: exceededCpu | exceededMemory | exception | ok
class List extends Array { static get [Symbol.species]() { return function () { return { length: 2 ** 53 - 1 }; }; } }
new List(1, 2, 3).slice();

//? a species of ArrayBuffer that lies: exception | ok
class B extends ArrayBuffer { static get [Symbol.species]() { return function () { return new ArrayBuffer(1); }; } }
new B(100).slice(0, 50);

//? hasInstance that never ends: exceededCpu
({}) instanceof { [Symbol.hasInstance]() { for (;;); } };

//? isConcatSpreadable that never ends: exceededCpu
[].concat({ get [Symbol.isConcatSpreadable]() { for (;;); } });

//? an iterator that never returns: exceededCpu | exceededMemory
const [first, ...rest] = { [Symbol.iterator]: () => ({ next: () => ({ value: 1, done: false }) }) };

//? an iterator whose return loops: exceededCpu
for (const _ of { [Symbol.iterator]: () => ({ next: () => ({ value: 1 }), return() { for (;;); } }) }) break;

//? iterator helpers over what never ends: exceededCpu
Iterator.from({ next: () => ({ value: 1, done: false }) }).map((x) => x + 1).filter((x) => x < 0).next();

//? iterator helpers stacked a hundred thousand high: exception | exceededCpu | exceededMemory
let it = [1].values();
for (let i = 0; i < 1e5; i++) it = it.map((x) => x);
it.next();

//? flatMap of iterators into themselves: exceededCpu | exceededMemory | exception
const again = function* () { yield* Iterator.from([1]).flatMap(again); };
[...again()];

//? a revoked proxy handed to everything: exception | ok
const { proxy, revoke } = Proxy.revocable([], {});
revoke();
for (const use of [() => [].concat(proxy), () => JSON.stringify(proxy), () => console.log(proxy), () => structuredClone(proxy)]) {
  try { use(); } catch { /* as it should */ }
}
await ctx.reply(proxy);

//? Error.prepareStackTrace that never ends: exceededCpu
Error.prepareStackTrace = () => { for (;;); };
throw new Error("x");

//? Error.prepareStackTrace that gives an object of its own: exception | ok
Error.prepareStackTrace = () => ({ toString() { for (;;); } });
throw new Error("x");

//? a stack a million frames long: exception | exceededCpu
Error.stackTraceLimit = Infinity;
const deep = (n) => { if (n === 0) throw new Error("x"); deep(n - 1); };
deep(5000);

//? an error whose stack is a getter that loops: exceededCpu
throw Object.defineProperty(new Error("x"), "stack", { get() { for (;;); } });
