// The web platform's names, as far as scripts have them.

//? structuredClone of a hundred thousand levels: exception | exceededCpu
let o = {};
for (let i = 0; i < 1e5; i++) o = { o };
structuredClone(o);

//? structuredClone in a loop: exceededCpu | exceededMemory
for (;;) structuredClone(new Map([[1, new Set([{ a: [1, 2, 3] }])]]));

//? structuredClone of getters that loop: exceededCpu
structuredClone({ get x() { for (;;); } });

//? TextEncoder of megabytes in a loop: exceededCpu | exceededMemory | exception
const e = new TextEncoder();
for (;;) e.encode("ä".repeat(1e6));

//? TextDecoder of noise in a loop: exceededCpu | exceededMemory | exception
const d = new TextDecoder(), noise = new Uint8Array(4e6).fill(0xff);
for (;;) d.decode(noise);

//? a streaming TextDecoder that is never flushed: exceededCpu | exceededMemory | exception
const d = new TextDecoder();
for (;;) d.decode(new Uint8Array([0xf0, 0x9f]), { stream: true });

//? URLs in a loop: exceededCpu
for (let i = 0; ; i++) new URL(`https://user:pass@example.com:8080/a/../b?x=${i}#y`);

//? a URL of megabytes: exception | exceededCpu | ok
new URL(`https://example.com/${"a/../".repeat(500_000)}`);

//? a host name for the tables of Unicode: exception | exceededCpu | ok
for (;;) try { new URL(`https://${"ß".repeat(60_000)}/`); } catch {}

//? search parameters without end: exceededCpu | exceededMemory | exception
const p = new URLSearchParams();
for (let i = 0; ; i++) p.append(`name${i}`, "x".repeat(100));

//? search parameters that sort a hundred thousand: exceededCpu | ok
const p = new URLSearchParams();
for (let i = 0; i < 1e5; i++) p.append(`${(i * 7919) % 1e5}`, "x");
for (;;) { p.sort(); p.append("a", "b"); }

//? base64 of megabytes: exceededCpu | exceededMemory | exception
for (;;) atob(btoa("x".repeat(2e6)));

//? random bytes without end: exceededCpu
for (;;) crypto.getRandomValues(new Uint8Array(65_536));

//? random UUIDs, kept: exceededMemory | exceededCpu
const a = [];
for (;;) a.push(crypto.randomUUID());

//? too many random bytes at once: exception
crypto.getRandomValues(new Uint8Array(1e6));

//? listeners without end: exceededCpu | exceededMemory | exception
const t = new EventTarget();
for (;;) t.addEventListener("x", () => {});

//? a listener that dispatches itself: exception | exceededCpu | ok
const t = new EventTarget();
t.addEventListener("x", () => t.dispatchEvent(new Event("x")));
t.dispatchEvent(new Event("x"));

//? abort signals that abort each other: ok | exception | exceededCpu
let signal = new AbortController().signal;
for (let i = 0; i < 20_000; i++) signal = AbortSignal.any([signal]);

//? a thousand timeouts of AbortSignal: ok | exception
for (let i = 0; i < 2000; i++) AbortSignal.timeout(1e6);

//? performance.now in a loop: exceededCpu
for (;;) performance.now();
