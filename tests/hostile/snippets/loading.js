// Attacks of a script that has not even loaded: at its top level, in what it declares, in its jobs.

//? an endless loop at the top level: exceededCpu {script}
for (;;);

//? a microtask loop at the top level: exceededCpu {script}
for (;;) await 0;

//? memory at the top level: exceededMemory | exceededCpu {script}
const a = [];
for (;;) a.push({ a });

//? a top level that throws: exception {script}
throw new Error("no");

//? a top level that throws something odd: exception {script}
throw { get stack() { throw 1; }, toString() { throw 2; } };

//? a top level that never ends to load: canceled {script}
await new Promise(() => {});

//? a top level that waits in timers: canceled | ok {script}
for (;;) await new Promise((resolve) => setTimeout(resolve, 1));

//? a top level that calls without end: canceled | exception | exceededCpu | ok {script}
on("messageCreate", () => {});
for (;;) await kv.store("s").get("k");

//? a top level that logs without end: exception | exceededCpu {script}
for (;;) console.log("x");

//? megabytes of source code: ok | exception {script}
eval(`0;${"1;".repeat(400_000)}`);
on("messageCreate", () => {});

//? eval of a pattern that nests deeply: exception {script}
eval("[".repeat(200_000));

//? Function of too much code: exception {script}
Function("1;".repeat(1e6));

//? eval that evaluates itself: exception | exceededCpu {script}
globalThis.code = "eval(code)";
eval(code);

//? functions made without end: exceededMemory | exceededCpu {script}
const a = [];
for (let i = 0; ; i++) a.push(new Function(`return ${i}`));

//? thirty-three jobs: exception {script}
for (let i = 0; i < 33; i++) cron(`job ${i}`, "* * * * *", () => {});

//? jobs every second that loop: exceededCpu {script linger=3}
cron("loop", "* * * * * *", () => { for (;;); });
on("messageCreate", () => {});

//? thirty-two jobs every second that never end: ok | canceled {script linger=2}
for (let i = 0; i < 32; i++) cron(`job ${i}`, "* * * * * *", () => new Promise(() => {}));
on("messageCreate", () => {});

//? cron expressions that nobody can plan: exception {script}
for (const expression of ["0 0 31 2 *", "99 * * * *", "* * * *", "x".repeat(1e5), "*/0 * * * *", "@reboot"]) {
  try { cron(expression.slice(0, 20), expression, () => {}); } catch (error) { globalThis.last = error; }
}
throw last;

//? job names with markup and paths: ok | exception {script}
for (const name of ["__proto__", "constructor", "../../etc", "<b>", "\0", "\ud800", "x".repeat(64)]) cron(name, "0 0 1 1 *", () => {});
on("messageCreate", () => {});

//? ten thousand slash commands: ok | exception | exceededCpu {script}
createBot({ slashCommands: Array.from({ length: 10_000 }, (_, i) => ({ name: `c${i}`, description: "x", run() {} })) });
on("messageCreate", () => {});

//? slash commands that are hostile objects: ok | exception | exceededCpu | exceededMemory {script}
createBot({ slashCommands: new Proxy([], { get: (_, key) => (key === "length" ? 1e6 : { name: "x", description: "y", get options() { return [this]; } }) }) });

//? slash commands registered in a loop: ok | exception | exceededCpu | canceled {script}
on("messageCreate", () => {});
for (let i = 0; i < 500; i++) await registerSlashCommands([{ name: `c${i}`, description: "x" }]);

//? a hundred bots: ok | exception | exceededCpu {script}
for (let i = 0; i < 100; i++) createBot({ prefixCommands: [{ name: "x", run() { for (;;); } }] });
on("messageCreate", () => {});

//? prefix commands by the million: exception | exceededCpu | exceededMemory | ok {script}
createBot({ prefixCommands: Array.from({ length: 1e6 }, (_, i) => ({ name: `c${i}`, run() {} })) });

//? rejections left behind at the top level: ok | exception {script}
for (let i = 0; i < 1000; i++) Promise.reject(new Error(`left ${i}`));
on("messageCreate", () => {});

//? a script that does not parse: exception {script}
const = 5;

//? a script that breaks out of its wrapper: ok | exception {script}
})(); for (let i = 0; i < 3; i++) globalThis[`out${i}`] = i; (async () => {
on("messageCreate", () => {});

//? a handler that loops each time, until it is quarantined: quarantined {script events=4}
on("messageCreate", () => { for (;;); });
