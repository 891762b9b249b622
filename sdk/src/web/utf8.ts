// UTF-8, both ways, after the Encoding Standard (https://encoding.spec.whatwg.org/#utf-8).

import {
  ArrayIntrinsic,
  RangeErrorIntrinsic,
  ReflectApply,
  StringCharCodeAt,
  StringFromCharCode,
  TypedArraySubarray,
  Uint8ArrayIntrinsic,
} from "../prelude/primordials.ts";

/** Bytes of the largest text that is encoded or decoded at once; what a single ArrayBuffer may hold. */
export const BYTES_LIMIT = 8 << 20;

/** How many bytes `text` takes; lone surrogates count as U+FFFD, as they are written. */
function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = StringCharCodeAt(text, i);
    if (unit < 0x80) continue;
    bytes += unit < 0x800 ? 1 : 2;
    if (isPair(text, i, unit)) {
      i++; // two units, four bytes
    }
  }
  return bytes;
}

function isPair(text: string, at: number, unit: number): boolean {
  return (
    unit >= 0xd800 && unit < 0xdc00 && at + 1 < text.length && (StringCharCodeAt(text, at + 1) & 0xfc00) === 0xdc00
  );
}

/** Write `text` into `to` as far as whole characters fit. */
export function writeUtf8(text: string, to: Uint8Array): { read: number; written: number } {
  let at = 0;
  let read = 0;
  const room = to.length;
  for (; read < text.length; read++) {
    let code = StringCharCodeAt(text, read);
    if (code < 0x80) {
      if (at === room) break;
      to[at++] = code;
      continue;
    }
    const pair = isPair(text, read, code);
    if (pair) code = 0x10000 + ((code & 0x3ff) << 10) + (StringCharCodeAt(text, read + 1) & 0x3ff);
    else if ((code & 0xf800) === 0xd800) code = 0xfffd;
    const more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    if (at + more >= room) break;
    to[at++] = (LEADS[more] as number) | (code >> (6 * more));
    for (let left = more - 1; left >= 0; left--) to[at++] = 0x80 | ((code >> (6 * left)) & 0x3f);
    if (pair) read++;
  }
  return { read, written: at };
}
const LEADS = [0, 0xc0, 0xe0, 0xf0];

export function encodeUtf8(text: string): Uint8Array<ArrayBuffer> {
  const length = utf8Length(text);
  if (length > BYTES_LIMIT) throw new RangeErrorIntrinsic("the text is longer than 8 MiB");
  const bytes = new Uint8ArrayIntrinsic(length);
  writeUtf8(text, bytes);
  return bytes;
}

/** What is left of a character between two chunks of a stream. */
interface Utf8State {
  code: number;
  needed: number;
  seen: number;
  low: number;
  high: number;
}

export function newUtf8State(): Utf8State {
  return { code: 0, needed: 0, seen: 0, low: 0x80, high: 0xbf };
}

/** Called for every malformed sequence; may throw. Otherwise U+FFFD stands for it. */
type OnMalformed = () => void;

const CHUNK = 4096;

/** The text of `bytes`, continuing `state`. With `last`, an unfinished character is malformed. */
export function decodeUtf8(bytes: Uint8Array, state: Utf8State, last: boolean, onMalformed?: OnMalformed): string {
  const units = new ArrayIntrinsic<number>(CHUNK + 4);
  let count = 0;
  let text = "";
  const malformed = () => {
    onMalformed?.();
    units[count++] = 0xfffd;
    restart(state);
  };
  for (let i = 0; i < bytes.length; i++) {
    if (count >= CHUNK) {
      text += textOf(units, count);
      count = 0;
    }
    const byte = bytes[i] as number;
    if (state.needed === 0) {
      if (byte < 0x80) units[count++] = byte;
      else if (!lead(byte, state)) malformed();
    } else if (byte < state.low || byte > state.high) {
      malformed();
      i--; // this byte may start the next character
    } else {
      state.low = 0x80;
      state.high = 0xbf;
      state.code = (state.code << 6) | (byte & 0x3f);
      if (++state.seen === state.needed) {
        const { code } = state;
        if (code >= 0x10000) {
          units[count++] = 0xd800 | ((code - 0x10000) >> 10);
          units[count++] = 0xdc00 | (code & 0x3ff);
        } else {
          units[count++] = code;
        }
        restart(state);
      }
    }
  }
  if (last && state.needed > 0) malformed();
  return text + textOf(units, count);
}

function restart(state: Utf8State): void {
  state.needed = state.seen = state.code = 0;
  state.low = 0x80;
  state.high = 0xbf;
}

/** Whether `byte` can start a character of several bytes; sets what must follow it. */
function lead(byte: number, state: Utf8State): boolean {
  if (byte < 0xc2 || byte > 0xf4) return false;
  if (byte < 0xe0) {
    state.needed = 1;
    state.code = byte & 0x1f;
  } else if (byte < 0xf0) {
    if (byte === 0xe0) state.low = 0xa0;
    if (byte === 0xed) state.high = 0x9f;
    state.needed = 2;
    state.code = byte & 0xf;
  } else {
    if (byte === 0xf0) state.low = 0x90;
    if (byte === 0xf4) state.high = 0x8f;
    state.needed = 3;
    state.code = byte & 7;
  }
  return true;
}

function textOf(units: number[], count: number): string {
  units.length = count;
  const text = ReflectApply(StringFromCharCode, undefined, units) as string;
  return text;
}

/** The text of bytes that came from percent-encoding and the like: never fails. */
export function decodeLossy(bytes: Uint8Array): string {
  return decodeUtf8(bytes, newUtf8State(), true);
}

/** A text whose units are bytes. */
export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let from = 0; from < bytes.length; from += CHUNK) {
    text += ReflectApply(StringFromCharCode, undefined, TypedArraySubarray(bytes, from, from + CHUNK) as never);
  }
  return text;
}
