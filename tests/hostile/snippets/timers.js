// Timers: many, quick, nested, and loops in them after their event was settled.

//? a loop in a timer, after the event: exceededCpu {linger=1}
setTimeout(() => { for (;;); }, 1);

//? a microtask loop in a timer: exceededCpu {linger=1}
setTimeout(async () => { for (;;) await 0; }, 1);

//? a timer that sets itself at once, for ever: ok {linger=0.4}
const again = () => setTimeout(again, 0);
again();

//? two timers for each that fires: ok | exception | exceededCpu {linger=0.6}
const breed = () => { setTimeout(breed, 0); setTimeout(breed, 0); };
breed();

//? more timers than may wait: exception
for (;;) setTimeout(() => {}, 1e9);

//? a thousand intervals: ok | exceededCpu {linger=0.6}
for (let i = 0; i < 1000; i++) setInterval(() => {}, 1);

//? a thousand intervals that log: ok | exceededCpu {linger=0.6}
for (let i = 0; i < 1000; i++) setInterval(() => console.log("tick"), 1);

//? set and cleared in a loop: exceededCpu | exception
for (;;) clearTimeout(setTimeout(() => {}, 1e6));

//? set and cleared turn after turn: ok | exceededCpu | canceled {linger=0.6}
for (let turn = 0; turn < 40; turn++) {
  for (let i = 0; i < 900; i++) clearTimeout(setTimeout(() => {}, 1e9));
  await new Promise((resolve) => setTimeout(resolve, 1));
}

//? an interval that throws: ok | exception {linger=0.3}
setInterval(() => { throw new Error("each time"); }, 1);

//? an interval of 190 ms of work: ok | exceededCpu {linger=1.2}
setInterval(() => { const end = Date.now() + 190; while (Date.now() < end); }, 1);

//? memory grown from a timer: exceededMemory {linger=3}
const kept = [];
setInterval(() => { for (let i = 0; i < 1e5; i++) kept.push({ i }); }, 1);

//? delays that are no numbers: ok
for (const delay of [NaN, -1, Infinity, -Infinity, 1e308, "x", {}, [], null, undefined, true]) setTimeout(() => {}, delay);

//? a delay whose valueOf loops: exceededCpu
setTimeout(() => {}, { valueOf() { for (;;); } });

//? ids to clear that are no ids: ok | exception
for (const id of [NaN, -1, 1e308, "x", {}, [], null, undefined, { valueOf: () => 1 }]) clearTimeout(id);
