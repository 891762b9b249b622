// Packs text for the prelude: `src/prelude/unpack.ts` is the other half.
//
// Packed text is Latin-1, one byte a character in V8's memory, and made of
//
//     0x00–0x7F                 itself
//     0x80–0xDF, digit          a repetition of 3–10 characters that began 1–1,956 characters before
//     0xE0–0xFF, digit, digit   a repetition of 4–35 characters that began 1–26,569 characters before
//
// where a digit is one of the 163 characters 0x5D–0xFF: none of them needs escaping in a literal. Of all the
// ways to write a text so, `pack` finds a shortest one.

const FIRST_DIGIT = 0x5d;
const DIGITS = 163;

/** The two kinds of repetition: how long one takes, how far back it reaches, and how it is written. */
const NEAR = {
  shortest: 3,
  longest: 10,
  reach: 12 * DIGITS,
  write(length, distance) {
    const window = Math.floor((distance - 1) / DIGITS);
    return [0x80 + 8 * window + (length - 3), FIRST_DIGIT + ((distance - 1) % DIGITS)];
  },
};
const FAR = {
  shortest: 4,
  longest: 35,
  reach: DIGITS * DIGITS,
  write(length, distance) {
    const high = Math.floor((distance - 1) / DIGITS);
    return [0xe0 + (length - 4), FIRST_DIGIT + high, FIRST_DIGIT + ((distance - 1) % DIGITS)];
  },
};

/** `text`, of ASCII characters, packed. */
export function pack(text) {
  const odd = /[^\0-\x7f]/.exec(text);
  if (odd) throw new Error(`only ASCII can be packed, but there is ${JSON.stringify(odd[0])} at ${odd.index}`);
  const found = repetitions(text);
  // From the end: what the rest of the text costs from each place, and its first step.
  const cost = [...Array(text.length).fill(0), 0];
  const steps = [];
  for (let at = text.length - 1; at >= 0; at--) {
    cost[at] = cost[at + 1] + 1;
    steps[at] = { length: 1, codes: [text.charCodeAt(at)] };
    for (const { kind, length: longest, distance } of found[at]) {
      for (let length = kind.shortest; length <= longest; length++) {
        const codes = kind.write(length, distance);
        if (cost[at + length] + codes.length >= cost[at]) continue;
        cost[at] = cost[at + length] + codes.length;
        steps[at] = { length, codes };
      }
    }
  }
  let packed = "";
  for (let at = 0; at < text.length; at += steps[at].length) packed += String.fromCharCode(...steps[at].codes);
  return packed;
}

/** For each place of `text`, the longest repetition of each kind that could begin there. */
function repetitions(text) {
  const places = new Map();
  return Array.from(text, (_, at) => {
    const start = text.slice(at, at + NEAR.shortest);
    const before = places.get(start) ?? places.set(start, []).get(start);
    const found = [NEAR, FAR].map((kind) => longest(text, at, before, kind)).filter((one) => one !== undefined);
    before.push(at);
    return found;
  });
}

function longest(text, at, before, kind) {
  const most = Math.min(kind.longest, text.length - at);
  let best;
  // The nearest first.
  for (let i = before.length - 1; i >= 0 && at - before[i] <= kind.reach; i--) {
    let length = 0;
    while (length < most && text[before[i] + length] === text[at + length]) length++;
    if (length >= kind.shortest && length > (best?.length ?? 0)) best = { kind, length, distance: at - before[i] };
    if (length === most) break;
  }
  return best;
}

/** `text`, of Latin-1 characters, as a literal. */
export function literal(text) {
  const escapes = { "\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\0": "\\x00" };
  return `'${text.replace(/[\\'\n\r\0]/g, (character) => escapes[character])}'`;
}
