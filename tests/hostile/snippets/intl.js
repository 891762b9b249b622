// Intl: a small heap in front of a large library.

//? formatters of dates, kept: exceededMemory | exceededCpu
const a = [];
for (;;) a.push(new Intl.DateTimeFormat("en"));

//? formatters of numbers, dropped: exceededCpu
for (;;) new Intl.NumberFormat("de", { style: "currency", currency: "EUR" });

//? every locale's collator: exceededMemory | exceededCpu
const a = [];
for (let i = 0; ; i++) a.push(new Intl.Collator(["de", "en", "fr", "ja", "zh"][i % 5], { numeric: true }));

//? segmenters that keep their texts: exceededMemory | exceededCpu
const a = [], s = new Intl.Segmenter("en");
for (;;) a.push(s.segment("abc ".repeat(2000))[Symbol.iterator]());

//? segments of a megabyte, one by one: exceededCpu | exceededMemory | ok
for (const _ of new Intl.Segmenter("th", { granularity: "word" }).segment("ภาษาไทย".repeat(1e5)));

//? toLocaleString in a loop: exceededCpu
const d = new Date();
for (;;) d.toLocaleString("ar-EG", { dateStyle: "full", timeZone: "Asia/Kolkata" });

//? a BigInt of a million digits, formatted: exceededCpu | exceededMemory | exception | ok
(10n ** 300_000n).toLocaleString("en");

//? a locale of a megabyte: exception
new Intl.NumberFormat(`en-u-${"x".repeat(1e6)}`);

//? locales by an endless list: exceededCpu | exceededMemory | exception
Intl.getCanonicalLocales({ length: 2 ** 53 - 1, get 0() { return "en"; } });

//? options whose getters loop: exceededCpu
new Intl.DateTimeFormat("en", { get timeZone() { for (;;); } });

//? display names of all that has a name: exceededMemory | exceededCpu
const a = [];
for (;;) a.push(new Intl.DisplayNames("en", { type: "region" }).of("DE"));

//? all time zones again and again: exceededCpu
for (;;) Intl.supportedValuesOf("timeZone");

//? a million digits: exception
new Intl.NumberFormat("en", { minimumFractionDigits: 1e6 }).format(1);

//? Temporal: exception
for (;;) Temporal.Now.zonedDateTimeISO().toLocaleString();

//? locales by an endless list, to a constructor: exceededCpu | exceededMemory | exception
new Intl.NumberFormat({ length: 2 ** 53 - 1 });

//? locales by an endless list, everywhere else: exceededCpu | exceededMemory | exception
const list = { length: 2 ** 53 - 1 };
for (const use of [
  () => "a".localeCompare("b", list), () => "a".toLocaleUpperCase(list), () => (1).toLocaleString(list),
  () => 1n.toLocaleString(list), () => new Date().toLocaleDateString(list), () => [1].toLocaleString(list),
  () => Intl.Collator.supportedLocalesOf(list), () => new Intl.Segmenter(list),
]) try { use(); } catch (error) { globalThis.last = error; }
throw last;

//? a million locales that differ: exceededCpu | exceededMemory | exception
Intl.getCanonicalLocales(Array.from({ length: 3e5 }, (_, i) => `en-x-a${i}`));
