// Regular expressions that take for ever, or a lot of room.

//? catastrophic backtracking: exceededCpu
/^(a+)+$/.test(`${"a".repeat(60)}b`);

//? backtracking through alternatives: exceededCpu
/^(a|aa|a?)*$/.test(`${"a".repeat(80)}b`);

//? a back reference that backtracks: exceededCpu
/^(.*)(\1)*x$/s.test("ab".repeat(5e4));

//? look-behind that backtracks: exceededCpu | ok
/(?<=(a+)+b)c/.test(`${"a".repeat(60)}c`);

//? a pattern of a million groups: exception
new RegExp("(".repeat(1e6) + ")".repeat(1e6)).test("x");

//? a pattern of nested groups: exception | ok
new RegExp("(?:".repeat(1e5) + ")".repeat(1e5)).test("x");

//? counted repetitions of counted repetitions: exception | exceededCpu | exceededMemory
new RegExp("((a{1,1000}){1,1000}){1,1000}b").test("a".repeat(5000));

//? unicode classes in a loop: exceededCpu | exceededMemory
for (let i = 0; ; i++) new RegExp(`[[\\p{L}\\p{N}]--[${i % 10}]]+`, "v").test("ä".repeat(100));

//? exec whose lastIndex is set back: exceededCpu
const r = /a/g;
for (;;) { r.exec("a"); r.lastIndex = 0; }

//? a pattern's flags that loop: exceededCpu
const r = /a/g;
Object.defineProperty(r, "flags", { get() { for (;;); } });
"a".replaceAll(r, "b");

//? exec replaced by one that never says no: exceededCpu | exceededMemory | exception
const r = /a/g;
r.exec = () => ({ index: 0, length: 1, 0: "" });
"abc".replace(r, "x");

//? Symbol.split of a script's own: exceededCpu
"abc".split({ [Symbol.split]() { for (;;); } });

//? matchAll over four million: exceededCpu | exceededMemory
[..."ab".repeat(2e6).matchAll(/./g)];

//? a large replacement pattern: exception | exceededCpu | exceededMemory
"a".repeat(1e6).replace(/a/g, "$`$'$&");
