// JSON and sorting, large and deep.

//? JSON of nine million brackets: exception
JSON.parse("[".repeat(4.5e6) + "]".repeat(4.5e6));

//? JSON nested a hundred thousand deep: exception | ok
JSON.parse("[".repeat(1e5) + "]".repeat(1e5));

//? stringify of a hundred thousand levels: exception | exceededCpu | ok
let o = {};
for (let i = 0; i < 1e5; i++) o = { o };
JSON.stringify(o);

//? stringify of what refers to one thing a million times: exception | exceededCpu | exceededMemory
let o = { x: "x".repeat(1000) };
for (let i = 0; i < 30; i++) o = [o, o];
JSON.stringify(o);

//? stringify with an indentation: exception | exceededCpu | exceededMemory
for (;;) JSON.stringify(new Array(1e6).fill([1]), null, 10);

//? a reviver that never ends: exceededCpu
JSON.parse("[1]", () => { for (;;); });

//? a reviver that makes more to revive: exceededCpu | exceededMemory | exception | ok
JSON.parse("[1]", function (key, value) { return Array.isArray(value) ? value : [value]; });
JSON.parse('{"a":1}', function (key, value) { this[`${key}x`] = 1; this.b = { c: this }; return value; });

//? a replacer that never ends: exceededCpu
JSON.stringify([1], () => { for (;;); });

//? a replacer that makes deeper and deeper: exception | exceededCpu | exceededMemory
JSON.stringify({}, () => ({ a: {} }));

//? toJSON for ever: exceededCpu | exception
JSON.stringify({ toJSON() { return JSON.stringify({ toJSON: this.toJSON }); } });

//? JSON in a loop: exceededCpu | exceededMemory
const text = JSON.stringify(new Array(1e5).fill({ a: 1 }));
for (;;) JSON.parse(text);

//? rawJSON of megabytes: exceededCpu | exceededMemory | exception | ok
for (let i = 0; i < 1000; i++) JSON.rawJSON(`"${"x".repeat(1e6)}"`);

//? sort by a function that never ends: exceededCpu
[2, 1].sort(() => { for (;;); });

//? sort by a function that lies: ok | exceededCpu
new Array(1e5).fill(0).sort(() => Math.random() - 0.5);

//? sort by a function that changes the array: ok | exceededCpu | exceededMemory | exception
const a = [3, 2, 1, 5, 4];
a.sort(() => { a.push(1, 2, 3); a.length = 1e5; return 1; });

//? sort of a million texts: exceededCpu | exceededMemory
Array.from({ length: 1e6 }, (_, i) => `${(i * 7919) % 1e6}`).sort();

//? sort whose items loop when they are texts: exceededCpu
[{ toString() { for (;;); } }, 1].sort();

//? toSorted in a loop: exceededCpu | exceededMemory
const a = Array.from({ length: 3e5 }, (_, i) => -i);
for (;;) a.toSorted();
