// The JavaScript heap, by every kind of thing that lives there.

//? a growing array of objects: exceededMemory | exceededCpu
const a = [];
for (;;) a.push({ x: a.length });

//? a growing array of numbers: exceededMemory | exceededCpu
const a = [];
for (;;) a.push(a.length + 0.5);

//? a growing Map: exceededMemory | exceededCpu
const m = new Map();
for (let i = 0; ; i++) m.set(i, { i });

//? a growing Set of texts: exceededMemory | exceededCpu
const s = new Set();
for (let i = 0; ; i++) s.add(`text ${i}`);

//? an object with millions of names: exceededMemory | exceededCpu
const o = {};
for (let i = 0; ; i++) o[`name${i}`] = i;

//? symbols without end: exceededMemory | exceededCpu
const a = [];
for (;;) a.push(Symbol("x".repeat(100)));

//? registered symbols without end: exceededMemory | exceededCpu
for (let i = 0; ; i++) Symbol.for(`registered ${i}`);

//? closures that keep each other: exceededMemory | exceededCpu
let f = () => 0;
for (;;) { const g = f; f = () => g; }

//? a linked list: exceededMemory | exceededCpu
let list = null;
for (;;) list = { list };

//? errors that keep their stacks: exceededMemory | exceededCpu
const a = [];
for (;;) a.push(new Error("x"));

//? bound functions: exceededMemory | exceededCpu
let f = () => 0;
for (;;) f = f.bind(null, f);

//? classes without end: exceededMemory | exceededCpu
const a = [];
for (;;) a.push(class { method() {} static field = 1; #own = 2; });

//? WeakRefs and finalizers: exceededMemory | exceededCpu
const kept = [];
const registry = new FinalizationRegistry(() => {});
for (;;) { const o = {}; registry.register(o, 1); kept.push(new WeakRef(o)); }

//? a WeakMap whose keys are kept: exceededMemory | exceededCpu
const keys = [], m = new WeakMap();
for (;;) { const k = {}; keys.push(k); m.set(k, { k }); }

//? an array doubled by concat: exceededMemory | exceededCpu | exception
let a = [1, 2, 3];
for (;;) a = a.concat(a);

//? a sparse array of a billion: exception | exceededCpu
new Array(1e9).fill(0);

//? an array literal spread into itself: exceededMemory | exceededCpu | exception
let a = [1, 2, 3, 4];
for (;;) a = [...a, ...a];

//? Array.from of a billion: exception | exceededCpu
Array.from({ length: 1e9 });

//? regular expressions without end: exceededMemory | exceededCpu
const a = [];
for (let i = 0; ; i++) { const r = new RegExp(`a{${i % 500}}b|c${i}`); r.test("aab"); a.push(r); }

//? Dates, boxed numbers and boxed texts: exceededMemory | exceededCpu
const a = [];
for (;;) a.push(new Date(), Object(1), Object("x"), Object(1n));

//? generators that have begun: exceededMemory | exceededCpu
const a = [];
for (;;) { const g = (function* () { yield a; })(); g.next(); a.push(g); }

//? global variables without end: exceededMemory | exceededCpu
for (let i = 0; ; i++) globalThis[`global${i}`] = [i];

//? just under the limit, again and again: ok | exceededMemory | exceededCpu {events=5}
globalThis.kept ??= [];
for (let i = 0; i < 2e5; i++) kept.push({ i });
if (kept.length > 6e5) kept.length = 0;
