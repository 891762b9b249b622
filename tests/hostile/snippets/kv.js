// Storage: too much, too often, too many, too odd.

//? values of a megabyte as fast as they go: ok | exception | exceededCpu | canceled
const s = kv.store("s");
for (let i = 0; i < 200; i++) await s.set(`k${i}`, "x".repeat(900_000));

//? a thousand writes at once: ok | exception
const s = kv.store("s");
await Promise.allSettled(Array.from({ length: 1000 }, (_, i) => s.set(`k${i}`, "v")));

//? ten thousand reads at once: ok | exception | exceededCpu | canceled
const s = kv.store("s");
await Promise.allSettled(Array.from({ length: 10_000 }, (_, i) => s.get(`k${i}`)));

//? a thousand stores, and one more: ok | exception | canceled
await Promise.allSettled(Array.from({ length: 1100 }, (_, i) => kv.store(`store${i}`).set("k", "v")));

//? names of stores that climb out: exception
for (const name of ["..", "../x", "a/b", "", "x".repeat(1000), "\0", "a\u0000b"]) {
  try { await kv.store(name).set("k", "v"); } catch (error) { globalThis.last = error; continue; }
  for (;;);
}
throw last;

//? keys that are too long, empty or no text: exception
const s = kv.store("s");
for (const key of ["", "k".repeat(10_000), "\0", "\ud800", 5, null, {}, { toString() { for (;;); } }]) {
  try { await s.set(key, "v"); } catch (error) { globalThis.last = error; }
}
throw last;

//? a value that is larger than the outbox: exception
await kv.store("s").set("k", "x".repeat(2 ** 21));

//? lists with odd limits and cursors: ok | exception
const s = kv.store("s");
for (const options of [{ limit: 1e9 }, { limit: -1 }, { limit: NaN }, { cursor: "\uffff".repeat(600) }, { prefix: "x".repeat(1e5) }, { prefix: {} }, null, 5]) {
  try { await s.list(options); } catch {}
}

//? a transaction of a hundred thousand steps: exception | exceededCpu
await kv.transact((t) => { for (let i = 0; i < 1e5; i++) t.store("s").set(`k${i}`, "v"); });

//? a transaction that never ends: exceededCpu
await kv.transact(() => { for (;;); });

//? metadata of a megabyte, and a cycle: exception
const s = kv.store("s");
try { await s.set("k", "v", { metadata: "x".repeat(900_000) }); } catch {}
const cycle = {};
cycle.cycle = cycle;
await s.set("k", "v", { metadata: cycle });

//? counters past the end of numbers: exception | ok
const s = kv.store("s");
await s.set("n", `${Number.MAX_SAFE_INTEGER}`);
await s.incr("n", Number.MAX_SAFE_INTEGER);

//? times to live that make no sense: exception | ok
const s = kv.store("s");
for (const ttl of [NaN, Infinity, -1, 0, 1e300, "x", {}]) try { await s.set("k", "v", { ttl }); } catch {}
for (const expiration of [NaN, -1, 1e300, 2n ** 70n, -5n, "x"]) try { await s.set("k", "v", { expiration }); } catch {}

//? clear, count and stores in a storm: ok | exception | exceededCpu
const s = kv.store("s");
await Promise.allSettled(Array.from({ length: 2000 }, (_, i) => [s.clear(), s.count(), kv.stores(), s.list({ limit: 1000 })][i % 4]));

//? KV from a timer after the event: ok {linger=0.4}
setInterval(() => { for (let i = 0; i < 100; i++) kv.store("s").set(`k${i}`, "v").catch(() => {}); }, 1);
