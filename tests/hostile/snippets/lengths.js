// Array-likes that say they are very long: V8 does not interrupt what walks them natively.

//? indexOf of 2**53-1: exceededCpu | exception
Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1);

//? includes on a sparse array: exceededCpu | exception
const a = [];
a.length = 2 ** 32 - 2;
a.includes(1);

//? join of a sparse array: exceededCpu | exception | exceededMemory
const a = [];
a.length = 2 ** 32 - 2;
a.join("x");

//? reverse of 2**53-1: exceededCpu | exception
Array.prototype.reverse.call({ length: 2 ** 53 - 1 });

//? sort of a proxy that is very long: exceededCpu | exception | exceededMemory
[].sort.call(new Proxy([], { get: (t, k) => (k === "length" ? 2 ** 32 - 1 : t[k]) }));

//? sparse, inside an array, flattened: exceededCpu | exception | exceededMemory
const a = [];
a.length = 2 ** 32 - 2;
[a].flat();

//? a length that grows while it is read: exceededCpu | exception | ok
let n = 0;
Array.prototype.fill.call({ get length() { return n++ < 2 ? 1 : 2 ** 53 - 1; } }, 0);

//? unshift and splice of 2**53-2: exceededCpu | exception
Array.prototype.unshift.call({ length: 2 ** 53 - 2 }, 1);

//? copyWithin of 2**53-1: exceededCpu | exception
Array.prototype.copyWithin.call({ length: 2 ** 53 - 1 }, 0, 1);

//? lastIndexOf of 2**53-1: exceededCpu | exception
Array.prototype.lastIndexOf.call({ length: 2 ** 53 - 1 }, 1);

//? toSpliced and with: exceededCpu | exception | exceededMemory
Array.prototype.toSpliced.call({ length: 2 ** 32 - 1 }, 0, 1);

//? apply with a hundred million arguments: exception
Math.max.apply(null, { length: 1e8 });

//? spread arguments of a million: exception | ok
Math.max(...new Array(1e6).fill(1));

//? Reflect.ownKeys of an array of millions: exceededCpu | exceededMemory | ok
for (;;) Reflect.ownKeys(new Array(1e6).fill(1));

//? Object.assign and entries of an array of millions: exceededCpu | exceededMemory | exception
for (;;) Object.entries(Object.assign({}, new Array(1e6).fill(1)));

//? Object.fromEntries of what never ends: exceededCpu | exceededMemory
Object.fromEntries({ *[Symbol.iterator]() { for (let i = 0; ; i++) yield [i, i]; } });

//? Object.groupBy of what never ends: exceededCpu | exceededMemory
Object.groupBy({ *[Symbol.iterator]() { for (let i = 0; ; i++) yield i; } }, (i) => i % 1000);

//? Map.groupBy of a long array: exceededCpu | exceededMemory
for (;;) Map.groupBy(new Array(1e6).fill(1), (_, i) => i);

//? set algebra with a set that lies: exceededCpu | exceededMemory | exception
new Set([1]).union({ size: Infinity, has: () => true, keys: () => ({ next: () => ({ value: Math.random(), done: false }) }) });

//? structuredClone of an array of 2**32-2: exceededCpu | exception | exceededMemory | ok
const a = [];
a.length = 2 ** 32 - 2;
structuredClone(a);

//? console.log of an array of 2**32-2: ok | exceededCpu | exception | exceededMemory
const a = [];
a.length = 2 ** 32 - 2;
console.log(a, { length: 2 ** 53 - 1 }, [a]);
