// Deep recursion, on every kind of stack.

//? plain recursion: exception
const f = () => f() + 1;
f();

//? recursion that catches its end: exception | exceededCpu | ok
const f = () => { try { f(); } catch { f(); } };
f();

//? recursion through a getter: exception
const o = { get x() { return this.x; } };
o.x;

//? recursion through a proxy: exception
const p = new Proxy({}, { get: (t, k, r) => r[k] });
p.x;

//? recursion through sort, map and replace: exception | exceededCpu
const f = () => [1, 2].sort(() => [1].map(() => "a".replace("a", f)).length);
f();

//? recursion through JSON: exception | exceededCpu
const f = () => JSON.stringify({ toJSON: f });
f();

//? recursion through await: exceededCpu | exceededMemory
const f = async () => { await 0; return await f(); };
await f();

//? async recursion without awaiting first: exception | exceededCpu | exceededMemory
const f = async () => await f();
await f();

//? recursion through constructors: exception
class A { constructor() { new A(); } }
new A();

//? recursion through Function.prototype.bind: exception | exceededCpu | ok
let f = () => 0;
for (let i = 0; i < 1e5; i++) f = f.bind(null);
f();

//? expressions nested a hundred thousand deep: exception
eval(`${"(".repeat(1e5)}1${")".repeat(1e5)}`);

//? blocks nested a hundred thousand deep: exception
eval("{".repeat(1e5) + "}".repeat(1e5));

//? additions a hundred thousand long: exception | ok | exceededCpu
eval(`1${"+1".repeat(1e5)}`);

//? arrow functions nested: exception
Function(`${"()=>".repeat(1e5)}1`);

//? templates nested: exception
eval(`${"`${".repeat(2e4)}1${"}`".repeat(2e4)}`);

//? destructuring nested: exception
eval(`const ${"[".repeat(5e4)}a${"]".repeat(5e4)} = 1`);

//? a prototype chain a million long: exceededCpu | exceededMemory | ok
let o = {};
for (let i = 0; i < 1e6; i++) o = Object.create(o);
for (;;) o.missing;

//? a function of ten thousand parameters: exception | ok
Function(...Array.from({ length: 70_000 }, (_, i) => `a${i}`), "return a0")();

//? a switch of a hundred thousand cases: ok | exceededCpu | exception
eval(`switch (5) {${Array.from({ length: 50_000 }, (_, i) => `case ${i}: break;`).join("")}}`);

//? finalizers that make more to finalize: ok | exceededCpu | exceededMemory {linger=0.3}
const registry = new FinalizationRegistry(() => { for (let i = 0; i < 100; i++) registry.register({}, 0); });
for (let i = 0; i < 1e4; i++) registry.register({}, 0);
for (let i = 0; i < 1e5; i++) new Array(10);
