// Loops that never end, by every way the language has to go round.

//? while true: exceededCpu
while (true);

//? for ever, counting: exceededCpu
for (let i = 0; ; i++);

//? a labelled loop that continues itself: exceededCpu
again: for (;;) { for (;;) continue again; }

//? a loop that catches everything: exceededCpu
for (;;) { try { null.x; } catch { continue; } finally { continue; } }

//? finally that returns to its loop: exceededCpu
const spin = () => { for (;;) { try { return 1; } finally { continue; } } };
spin();

//? a generator without end: exceededCpu
function* endless() { for (;;) yield 1; }
for (const _ of endless());

//? spreading a generator without end: exceededCpu | exceededMemory
function* endless() { for (;;) yield 1; }
[...endless()];

//? two functions that call each other in a loop: exceededCpu
const even = (n) => (n === 0 ? true : odd(n - 1));
const odd = (n) => (n === 0 ? false : even(n - 1));
for (;;) even(1000);

//? waiting for a time: exceededCpu
const end = Date.now() + 60_000;
while (Date.now() < end);

//? a Map that grows while it is walked: exceededCpu | exceededMemory
const map = new Map([[0, 0]]);
for (const [key] of map) { map.delete(key); map.set(key + 1, 0); }

//? a Set that grows while forEach walks it: exceededCpu | exceededMemory
const set = new Set([0]);
set.forEach((n) => { set.delete(n); set.add(n + 1); });

//? arithmetic on a BigInt that doubles: exceededCpu | exceededMemory | exception
let n = 3n;
for (;;) n *= n;

//? one division of enormous BigInts: exceededCpu | exceededMemory | exception | ok
const n = 7n ** 3_000_000n;
for (;;) (n * n) / (n - 1n);

//? a BigInt as decimal text: exceededCpu | exceededMemory | exception | ok
for (;;) (3n ** 2_000_000n).toString();

//? toString that calls itself for ever: exception
const o = { toString() { return `${o}`; } };
`${o}`;

//? a loop in valueOf: exceededCpu
const o = { valueOf() { for (;;); } };
o + 1;

//? a loop in Symbol.toPrimitive of a property key: exceededCpu
const o = { [Symbol.toPrimitive]() { for (;;); } };
({})[o];

//? a getter that loops: exceededCpu
const o = { get x() { for (;;); } };
o.x;

//? a loop in the setter of a class: exceededCpu
class Trap { set x(_) { for (;;); } }
new Trap().x = 1;

//? a static block that never ends: exceededCpu
class Never { static { for (;;); } }

//? a default argument that never ends: exceededCpu
const f = (_ = (() => { for (;;); })()) => 0;
f();

//? a tagged template that never ends: exceededCpu
const tag = () => { for (;;); };
tag`x${1}`;

//? a loop of date parsing: exceededCpu
for (;;) new Date("Tue, 01 Jan 2030 00:00:00 GMT").toISOString();

//? a loop of Math: exceededCpu
let x = 0.5;
for (;;) x = Math.sin(x) * Math.pow(x, 1.0001);

//? the comma of a do-while: exceededCpu
do 0; while ((1, true));
