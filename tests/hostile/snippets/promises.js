// Loops of microtasks: nothing of them is on the stack when the next turn of the loop begins.

//? awaiting null for ever: exceededCpu
for (;;) await null;

//? a promise that resolves to the next: exceededCpu
const next = () => Promise.resolve().then(next);
await next();

//? a thenable that resolves to itself: exceededCpu
const t = { then(resolve) { resolve(t); } };
await t;

//? queueMicrotask that queues itself: exceededCpu
const again = () => queueMicrotask(again);
again();

//? two microtask loops that breed: exceededCpu | exceededMemory
const breed = () => { queueMicrotask(breed); queueMicrotask(breed); };
breed();

//? a hundred thousand promises at once: exceededCpu | exceededMemory | ok
await Promise.all(Array.from({ length: 100_000 }, async (_, i) => i));

//? promises without end, all pending: exceededCpu | exceededMemory
const kept = [];
for (;;) kept.push(new Promise(() => {}));

//? Promise.race that leaks reactions: exceededCpu | exceededMemory
const never = new Promise(() => {});
for (;;) Promise.race([never, 0]);

//? an async generator without end: exceededCpu
async function* endless() { for (;;) yield 1; }
for await (const _ of endless());

//? an async generator that delegates to itself: exceededCpu | exceededMemory | exception
async function* deeper() { yield* deeper(); }
for await (const _ of deeper());

//? an async iterator that is its own value: exceededCpu
const it = { [Symbol.asyncIterator]() { return it; }, next: async () => ({ value: it, done: false }) };
for await (const _ of it);

//? a promise resolved with itself: exception
let resolve;
const p = new Promise((r) => { resolve = r; });
resolve(p);
await p;

//? rejections that nobody handles, without end: exceededCpu | exceededMemory
for (;;) Promise.reject(new Error("nobody"));

//? ten thousand rejections that nobody handles: ok | exception
for (let i = 0; i < 10_000; i++) Promise.reject(new Error(`nobody ${i}`));

//? rejected with something that cannot be shown: exception | ok
Promise.reject({ get stack() { throw this; }, toString() { throw this; } });
throw { get stack() { throw 1; }, get message() { throw 2; }, toString() { throw 3; } };

//? a finally that throws for ever: exceededCpu
const loop = () => Promise.reject(1).finally(() => { throw 2; }).catch(loop);
await loop();

//? await in a finally that never ends: exceededCpu
const spin = async () => { try { return; } finally { for (;;) await 0; } };
await spin();

//? Promise.any of a hundred thousand that fail: exceededCpu | exceededMemory | exception
await Promise.any(Array.from({ length: 100_000 }, (_, i) => Promise.reject(i)));

//? a promise subclass that loops in its constructor: exceededCpu
class P extends Promise { constructor(f) { super(f); for (;;); } }
await P.resolve(1);

//? Promise.withResolvers in a loop of microtasks: exceededCpu | exceededMemory
for (;;) { const { promise, resolve } = Promise.withResolvers(); resolve(); await promise; }

//? a handler that never ends: canceled
await new Promise(() => {});

//? a microtask loop after the event has settled: exceededCpu
Promise.resolve().then(() => Promise.resolve()).then(async () => { for (let i = 0; ; i++) await i; });

//? Array.fromAsync of what never ends: exceededCpu | exceededMemory
await Array.fromAsync((async function* () { for (;;) yield 1; })());

//? Array.fromAsync of a length that lies: exceededCpu | exceededMemory | exception
await Array.fromAsync({ length: 2 ** 53 - 1, get 0() { return 1; } });
