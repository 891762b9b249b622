// Memory beside the heap.

//? growing buffers: exceededMemory
const a = [];
for (;;) a.push(new Uint8Array(1e6).fill(1));

//? growing buffers that are never touched: exceededMemory
const a = [];
for (;;) a.push(new ArrayBuffer(8e6));

//? one buffer of a gigabyte: exception
new ArrayBuffer(1e9);

//? a resizable buffer of a gigabyte: exception
new ArrayBuffer(8, { maxByteLength: 1e9 });

//? resizable buffers that grow: exceededMemory | exceededCpu
const a = [];
for (;;) { const b = new ArrayBuffer(8, { maxByteLength: 8e6 }); b.resize(8e6); new Uint8Array(b).fill(1); a.push(b); }

//? a length that is an object: exception
new Uint8Array({ length: 2 ** 40 });

//? a typed array from an iterator without end: exception | exceededCpu | exceededMemory
new Uint8Array({ *[Symbol.iterator]() { for (;;) yield 1; } });

//? buffers transferred for ever: exceededCpu | exceededMemory
let b = new ArrayBuffer(8e6);
for (;;) b = b.transfer();

//? structuredClone of buffers: exceededMemory | exceededCpu | exception
const b = new Uint8Array(8e6), a = [];
for (;;) a.push(structuredClone(b));

//? a garbage of buffers: exceededCpu | ok
for (let i = 0; i < 400; i++) new Uint8Array(8e6).fill(1);

//? slices of a large buffer: exceededMemory | exceededCpu
const b = new Uint8Array(8e6), a = [];
for (;;) a.push(b.slice());

//? sorting eight megabytes again and again: exceededCpu
const b = new Float64Array(1e6);
for (;;) { for (let i = 0; i < b.length; i++) b[i] = Math.random(); b.sort(); }

//? sorting typed arrays by a function that never ends: exceededCpu
new Float64Array(10).sort(() => { for (;;); });

//? base64 of megabytes, again and again: exceededCpu | exceededMemory | exception
const b = new Uint8Array(2e6);
for (;;) Uint8Array.fromBase64(b.toBase64());

//? SharedArrayBuffer and Atomics.wait: exception
Atomics.wait(new Int32Array(new SharedArrayBuffer(8)), 0, 0);

//? WebAssembly memory: exception
const a = [];
for (;;) a.push(new WebAssembly.Memory({ initial: 1000 }));
