// SHA-1, SHA-256, SHA-384 and SHA-512: FIPS 180-4.

import { Uint8ArrayIntrinsic, Uint32ArrayIntrinsic } from "../../prelude/primordials.ts";
import { joined } from "../fetch/pieces.ts";
import { K32, K64, START_256, START_384, START_512 } from "./constants.ts";

export interface Hash {
  /** As WebCrypto calls it. */
  readonly name: string;
  /** Bytes of a block, and of the result. */
  readonly block: number;
  readonly size: number;
  readonly start: Uint32Array;
  /** Takes one block of `words` into `state`; `words` has room for the rounds. */
  readonly compress: (state: Uint32Array, words: Uint32Array) => void;
  /** 32-bit words that `compress` works on. */
  readonly words: number;
}

/** The hash of all `parts` one after another. */
export function digest(hash: Hash, parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const message = padded(hash, parts);
  const state = new Uint32ArrayIntrinsic(hash.start.length);
  for (let i = 0; i < state.length; i++) state[i] = hash.start[i] as number;
  const words = new Uint32ArrayIntrinsic(hash.words);
  for (let at = 0; at < message.length; at += hash.block) {
    for (let i = 0; i < hash.block; i += 4) words[i >> 2] = wordAt(message, at + i);
    hash.compress(state, words);
  }
  const out = new Uint8ArrayIntrinsic(hash.size);
  for (let i = 0; i < hash.size; i++) out[i] = (state[i >> 2] as number) >>> (24 - 8 * (i & 3));
  return out;
}

/** With a 1 bit, zeros, and the length in bits at the end of the last block. */
function padded(hash: Hash, parts: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (let i = 0; i < parts.length; i++) size += (parts[i] as Uint8Array).length;
  const least = size + 1 + hash.block / 8;
  const tail = new Uint8ArrayIntrinsic(least + ((hash.block - (least % hash.block)) % hash.block) - size);
  tail[0] = 0x80;
  const high = (size / 2 ** 29) | 0;
  const low = size << 3;
  for (let i = 0; i < 4; i++) {
    tail[tail.length - 1 - i] = low >>> (8 * i);
    tail[tail.length - 5 - i] = high >>> (8 * i);
  }
  return joined(parts.length === 1 ? [parts[0] as Uint8Array, tail] : [joined(parts), tail]);
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  );
}

function rotl(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by));
}

function rotr(x: number, by: number): number {
  return (x >>> by) | (x << (32 - by));
}

function add(state: Uint32Array, index: number, value: number): void {
  state[index] = (state[index] as number) + value;
}

function compress1(state: Uint32Array, words: Uint32Array): void {
  for (let i = 16; i < 80; i++) {
    const mixed =
      (words[i - 3] as number) ^ (words[i - 8] as number) ^ (words[i - 14] as number) ^ (words[i - 16] as number);
    words[i] = rotl(mixed, 1);
  }
  let a = (state[0] as number) | 0;
  let b = (state[1] as number) | 0;
  let c = (state[2] as number) | 0;
  let d = (state[3] as number) | 0;
  let e = (state[4] as number) | 0;
  for (let i = 0; i < 80; i++) {
    const mixed =
      i < 20
        ? ((b & c) | (~b & d)) + 0x5a827999
        : i < 40
          ? (b ^ c ^ d) + 0x6ed9eba1
          : i < 60
            ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
            : (b ^ c ^ d) + 0xca62c1d6;
    const next = (rotl(a, 5) + mixed + e + (words[i] as number)) | 0;
    e = d;
    d = c;
    c = rotl(b, 30);
    b = a;
    a = next;
  }
  add(state, 0, a);
  add(state, 1, b);
  add(state, 2, c);
  add(state, 3, d);
  add(state, 4, e);
}

function compress256(state: Uint32Array, words: Uint32Array): void {
  for (let i = 16; i < 64; i++) {
    const x = words[i - 15] as number;
    const y = words[i - 2] as number;
    const s0 = rotr(x, 7) ^ rotr(x, 18) ^ (x >>> 3);
    const s1 = rotr(y, 17) ^ rotr(y, 19) ^ (y >>> 10);
    words[i] = ((words[i - 16] as number) + s0 + (words[i - 7] as number) + s1) | 0;
  }
  let a = (state[0] as number) | 0;
  let b = (state[1] as number) | 0;
  let c = (state[2] as number) | 0;
  let d = (state[3] as number) | 0;
  let e = (state[4] as number) | 0;
  let f = (state[5] as number) | 0;
  let g = (state[6] as number) | 0;
  let h = (state[7] as number) | 0;
  for (let i = 0; i < 64; i++) {
    const s1 = rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25);
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + (K32[i] as number) + (words[i] as number)) | 0;
    const s0 = rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22);
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  add(state, 0, a);
  add(state, 1, b);
  add(state, 2, c);
  add(state, 3, d);
  add(state, 4, e);
  add(state, 5, f);
  add(state, 6, g);
  add(state, 7, h);
}

const ALL = 2 ** 32;

// 64-bit words as two halves. Low halves are added as numbers, which hold the carry.

/** The high half of a 64-bit word rotated right by `by` < 32; with the arguments exchanged, the low one. */
function turn(high: number, low: number, by: number): number {
  return (high >>> by) | (low << (32 - by));
}

function spread512(words: Uint32Array): void {
  for (let i = 32; i < 160; i += 2) {
    const xh = words[i - 30] as number;
    const xl = words[i - 29] as number;
    const yh = words[i - 4] as number;
    const yl = words[i - 3] as number;
    const s0h = turn(xh, xl, 1) ^ turn(xh, xl, 8) ^ (xh >>> 7);
    const s0l = turn(xl, xh, 1) ^ turn(xl, xh, 8) ^ turn(xl, xh, 7);
    const s1h = turn(yh, yl, 19) ^ turn(yl, yh, 29) ^ (yh >>> 6);
    const s1l = turn(yl, yh, 19) ^ turn(yh, yl, 29) ^ turn(yl, yh, 6);
    const low = (s0l >>> 0) + (s1l >>> 0) + (words[i - 31] as number) + (words[i - 13] as number);
    words[i + 1] = low;
    words[i] = s0h + s1h + (words[i - 32] as number) + (words[i - 14] as number) + ((low / ALL) | 0);
  }
}

function compress512(state: Uint32Array, words: Uint32Array): void {
  spread512(words);
  let ah = state[0] as number;
  let al = state[1] as number;
  let bh = state[2] as number;
  let bl = state[3] as number;
  let ch = state[4] as number;
  let cl = state[5] as number;
  let dh = state[6] as number;
  let dl = state[7] as number;
  let eh = state[8] as number;
  let el = state[9] as number;
  let fh = state[10] as number;
  let fl = state[11] as number;
  let gh = state[12] as number;
  let gl = state[13] as number;
  let hh = state[14] as number;
  let hl = state[15] as number;
  for (let i = 0; i < 160; i += 2) {
    const s1h = turn(eh, el, 14) ^ turn(eh, el, 18) ^ turn(el, eh, 9);
    const s1l = turn(el, eh, 14) ^ turn(el, eh, 18) ^ turn(eh, el, 9);
    const chooseHigh = (eh & fh) ^ (~eh & gh);
    const chooseLow = (el & fl) ^ (~el & gl);
    const t1l =
      (hl >>> 0) + (s1l >>> 0) + (chooseLow >>> 0) + (K64[i + 1] as number) + (words[i + 1] as number);
    const t1h = (hh + s1h + chooseHigh + (K64[i] as number) + (words[i] as number) + ((t1l / ALL) | 0)) | 0;
    const s0h = turn(ah, al, 28) ^ turn(al, ah, 2) ^ turn(al, ah, 7);
    const s0l = turn(al, ah, 28) ^ turn(ah, al, 2) ^ turn(ah, al, 7);
    const t2l = (s0l >>> 0) + (((al & bl) ^ (al & cl) ^ (bl & cl)) >>> 0);
    const t2h = (s0h + ((ah & bh) ^ (ah & ch) ^ (bh & ch)) + ((t2l / ALL) | 0)) | 0;
    hh = gh;
    hl = gl;
    gh = fh;
    gl = fl;
    fh = eh;
    fl = el;
    const nextE = (dl >>> 0) + (t1l % ALL);
    el = nextE | 0;
    eh = (dh + t1h + ((nextE / ALL) | 0)) | 0;
    dh = ch;
    dl = cl;
    ch = bh;
    cl = bl;
    bh = ah;
    bl = al;
    const nextA = (t1l % ALL) + (t2l % ALL);
    al = nextA | 0;
    ah = (t1h + t2h + ((nextA / ALL) | 0)) | 0;
  }
  add64(state, 0, ah, al);
  add64(state, 2, bh, bl);
  add64(state, 4, ch, cl);
  add64(state, 6, dh, dl);
  add64(state, 8, eh, el);
  add64(state, 10, fh, fl);
  add64(state, 12, gh, gl);
  add64(state, 14, hh, hl);
}

function add64(state: Uint32Array, index: number, high: number, low: number): void {
  const sum = (state[index + 1] as number) + (low >>> 0);
  state[index + 1] = sum;
  state[index] = (state[index] as number) + high + ((sum / ALL) | 0);
}

const START_1 = new Uint32ArrayIntrinsic(5);
START_1[0] = 0x67452301;
START_1[1] = 0xefcdab89;
START_1[2] = 0x98badcfe;
START_1[3] = 0x10325476;
START_1[4] = 0xc3d2e1f0;

export const HASHES: readonly Hash[] = [
  { name: "SHA-1", block: 64, size: 20, start: START_1, compress: compress1, words: 80 },
  { name: "SHA-256", block: 64, size: 32, start: START_256, compress: compress256, words: 64 },
  { name: "SHA-384", block: 128, size: 48, start: START_384, compress: compress512, words: 160 },
  { name: "SHA-512", block: 128, size: 64, start: START_512, compress: compress512, words: 160 },
];
