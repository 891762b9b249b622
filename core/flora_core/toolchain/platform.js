// What esbuild's browser build expects of a browser and bare V8 has not: `self`, timers that take no
// delay, a console, a clock, random bytes, and UTF-8. Evaluated first in the bundler's isolate.
"use strict";

var self = globalThis;

// What esbuild printed. It does so only when it dies: why, then all its stacks, then "exit code:".
globalThis.printed = "";
globalThis.onExit = () => {};

{
  // mini-racer's timer never fires without a delay and throws for one that is not positive.
  const timer = globalThis.setTimeout;
  globalThis.setTimeout = (callback, delay, ...rest) => timer(callback, delay > 0 ? delay : 1, ...rest);

  const print = (...parts) => {
    if (globalThis.printed.length < 4096) globalThis.printed += `${parts.join(" ")}\n`;
    if (parts[0] === "exit code:") globalThis.onExit();
  };
  globalThis.console = { log: print, warn: print, error: print };
  globalThis.performance = { now: () => Date.now() };
  // Only seeds Go's hash tables; nothing secret comes of it.
  globalThis.crypto = {
    getRandomValues(bytes) {
      for (let i = 0; i < bytes.length; i++) bytes[i] = Math.random() * 256;
      return bytes;
    },
  };
}

globalThis.TextEncoder = class TextEncoder {
  encode(text = "") {
    const units = String(text);
    const count = units.length;
    const bytes = new Uint8Array(count);
    let i = 0;
    for (let code; i < count && (code = units.charCodeAt(i)) < 0x80; i++) bytes[i] = code;
    if (i === count) return bytes;
    const wide = new Uint8Array(i + (count - i) * 3);
    wide.set(bytes.subarray(0, i));
    let at = i;
    for (; i < count; i++) {
      const code = units.codePointAt(i);
      if (code < 0x80) wide[at++] = code;
      else if (code < 0x800) at = put(wide, at, [0xc0 | (code >> 6), code]);
      else if (code > 0xffff) {
        at = put(wide, at, [0xf0 | (code >> 18), code >> 12, code >> 6, code]);
        i++; // the second half of the pair
      } else if (code >= 0xd800 && code < 0xe000) {
        at = put(wide, at, [0xef, 0xbf, 0xbd]); // half a pair alone has no UTF-8: U+FFFD
      } else at = put(wide, at, [0xe0 | (code >> 12), code >> 6, code]);
    }
    return wide.slice(0, at);
  }
};

// One lead byte and its continuation bytes, of which only the low six bits count.
function put(bytes, at, [lead, ...rest]) {
  bytes[at++] = lead;
  for (const bits of rest) bytes[at++] = 0x80 | (bits & 0x3f);
  return at;
}

// Reads valid UTF-8 only: all that comes here was printed by esbuild, which makes no other.
globalThis.TextDecoder = class TextDecoder {
  decode(view) {
    if (view === undefined) return "";
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    const units = [];
    let text = "";
    for (let i = 0; i < bytes.length; ) {
      const lead = bytes[i++];
      let code = lead;
      if (lead >= 0x80) {
        let more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
        code = lead & (0x3f >> more);
        for (; more > 0; more--) code = (code << 6) | (bytes[i++] & 0x3f);
      }
      if (code > 0xffff) units.push(0xd7c0 + (code >> 10), 0xdc00 | (code & 0x3ff));
      else units.push(code);
      if (units.length > 8192) {
        text += String.fromCharCode.apply(null, units);
        units.length = 0;
      }
    }
    return text + String.fromCharCode.apply(null, units);
  }
};
