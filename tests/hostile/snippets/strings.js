// Texts: half a gigabyte is cheap to make and dear to walk through.

//? a text that doubles: exception | exceededMemory | exceededCpu
let s = "x";
for (;;) s += s;

//? repeat to half a gigabyte: exception
"x".repeat(2 ** 29 - 100);

//? padEnd to half a gigabyte: exception
"x".padEnd(2 ** 29 - 100, "yz");

//? a tree of parts, flattened by an index: ok | exception | exceededMemory | exceededCpu
let s = "abcdefgh";
for (let i = 0; i < 25; i++) s += s;
s.charCodeAt(1);
s[2 ** 20];

//? a tree of parts as a property's name: exception | exceededMemory | exceededCpu | ok
let s = "abcdefgh";
for (let i = 0; i < 24; i++) s += s;
({})[s];

//? two trees compared: ok | exception | exceededMemory | exceededCpu
let s = "abcdefgh", t = "abcdefgh";
for (let i = 0; i < 24; i++) { s += s; t += t; }
s === t;
s < t;

//? a large text spread: ok | exception | exceededMemory | exceededCpu
let s = "abcdefgh";
for (let i = 0; i < 22; i++) s += s;
[...s];

//? a large text spread into an object: exception | exceededMemory | exceededCpu | killed
let s = "abcdefgh";
for (let i = 0; i < 20; i++) s += s;
({ ...s });

//? a large text as Object.keys: exception | exceededMemory | exceededCpu | killed
let s = "abcdefgh";
for (let i = 0; i < 20; i++) s += s;
Object.keys(s);

//? split into characters: exception
let s = "abcdefgh";
for (let i = 0; i < 25; i++) s += s;
s.split("");

//? split, joined and split: exceededCpu | exceededMemory | exception
let s = "a,".repeat(1e6);
for (;;) s = s.split(",").join(",");

//? replaceAll that grows: exception | exceededCpu | exceededMemory
let s = "aaaa";
for (;;) s = s.replaceAll("a", "aa");

//? replace by a function that grows: exception | exceededCpu | exceededMemory
let s = "a".repeat(1000);
for (;;) s = s.replace(/a/g, () => "aaa");

//? normalize, upper case and locale compare in a loop: exceededCpu
const s = "ǆ".repeat(1e5);
for (;;) { s.normalize("NFKD"); s.toLocaleUpperCase("tr"); s.localeCompare(`${s}x`); }

//? a needle of a million in a haystack of four: exception | exceededCpu
"a".repeat(4e6).indexOf(`${"a".repeat(1e6)}b`);

//? texts kept by their slices: exceededMemory | exceededCpu | exception
const a = [];
for (let i = 0; ; i++) a.push(`${i}`.repeat(1e5).slice(1, 50_000));

//? String.raw with an endless template: exceededCpu | exceededMemory | exception
String.raw({ raw: { length: 2 ** 53 - 1 } });

//? fromCharCode.apply of a hundred thousand: ok | exception
String.fromCharCode.apply(null, new Array(1e5).fill(65));

//? a million unpaired surrogates in a reply: ok | exception
await ctx.reply("\ud800".repeat(1e5));

//? encodeURIComponent of megabytes: exceededCpu | exceededMemory | exception
for (;;) decodeURIComponent(encodeURIComponent("ä".repeat(1e6)));
