// Random numbers. V8 without a host has no source of entropy but Math.random, which can be predicted; the
// worker hands 256 random bits to every isolate, and ChaCha20 (RFC 8439) makes a stream of them. Without
// those bits (tests, tools) the stream is seeded from Math.random and fit for no secret.

import { configuration } from "../prelude/host.ts";
import {
  DateNow,
  MathRandom,
  NumberIntrinsic,
  NumberToString,
  StringPadStart,
  StringSlice,
  TypedArrayByteLength,
  TypedArrayName,
  Uint32ArrayIntrinsic,
  TypeErrorIntrinsic,
} from "../prelude/primordials.ts";
import { subtleModule } from "../lazies.ts";
import { bytesOf } from "./bytes.ts";
import { DOMException } from "./dom_exception.ts";

const BLOCK = 64;
const key = new Uint32ArrayIntrinsic(8);
const block = new Uint32ArrayIntrinsic(16);
let blocks = 0;
let used = BLOCK;

function seed(): void {
  const { cryptoSeed } = configuration;
  for (let word = 0; word < 8; word++) {
    if (cryptoSeed?.length !== 64) {
      key[word] = (MathRandom() * 2 ** 32) ^ DateNow();
      continue;
    }
    let value = 0;
    for (let byte = 3; byte >= 0; byte--) {
      const at = word * 8 + byte * 2;
      value = (value << 8) | NumberIntrinsic(`0x${StringSlice(cryptoSeed, at, at + 2)}`);
    }
    key[word] = value;
  }
}

function quarter(a: number, b: number, c: number, d: number): void {
  const x = block as unknown as number[];
  x[a] = (x[a] as number) + (x[b] as number);
  x[d] = rotate((x[d] as number) ^ (x[a] as number), 16);
  x[c] = (x[c] as number) + (x[d] as number);
  x[b] = rotate((x[b] as number) ^ (x[c] as number), 12);
  x[a] = (x[a] as number) + (x[b] as number);
  x[d] = rotate((x[d] as number) ^ (x[a] as number), 8);
  x[c] = (x[c] as number) + (x[d] as number);
  x[b] = rotate((x[b] as number) ^ (x[c] as number), 7);
}

function rotate(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}

function start(word: number): number {
  if (word < 4) return CONSTANTS[word] as number;
  if (word < 12) return key[word - 4] as number;
  return word === 12 ? blocks : 0;
}
const CONSTANTS = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574];

function nextBlock(): void {
  if (blocks === 0) seed();
  for (let i = 0; i < 16; i++) block[i] = start(i);
  for (let round = 0; round < 10; round++) {
    quarter(0, 4, 8, 12);
    quarter(1, 5, 9, 13);
    quarter(2, 6, 10, 14);
    quarter(3, 7, 11, 15);
    quarter(0, 5, 10, 15);
    quarter(1, 6, 11, 12);
    quarter(2, 7, 8, 13);
    quarter(3, 4, 9, 14);
  }
  for (let i = 0; i < 16; i++) block[i] = (block[i] as number) + start(i);
  blocks++;
  used = 0;
}

function randomByte(): number {
  if (used === BLOCK) nextBlock();
  const byte = ((block[used >> 2] as number) >>> ((used & 3) * 8)) & 0xff;
  used++;
  return byte;
}

/** What may be filled: a typed array of integers, at most 64 KiB at a time. */
function getRandomValues<T>(array: T): T {
  const name = TypedArrayName(array);
  if (name === undefined) throw new TypeErrorIntrinsic("getRandomValues() takes a typed array of integers");
  if (name[0] === "F") throw new DOMException(`a ${name} cannot be filled with random values`, "TypeMismatchError");
  const length = TypedArrayByteLength(array);
  if (length > 65536) throw new DOMException(`${length} bytes asked, 65536 are the most`, "QuotaExceededError");
  const bytes = bytesOf(array);
  for (let i = 0; i < length; i++) bytes[i] = randomByte();
  return array;
}

/** A version 4 UUID. */
function randomUUID(): `${string}-${string}-${string}-${string}-${string}` {
  let text = "";
  for (let i = 0; i < 16; i++) {
    let byte = randomByte();
    if (i === 6) byte = (byte & 0x0f) | 0x40;
    if (i === 8) byte = (byte & 0x3f) | 0x80;
    text += StringPadStart(NumberToString(byte, 16), 2, "0");
    if (i === 3 || i === 5 || i === 7 || i === 9) text += "-";
  }
  return text as ReturnType<typeof randomUUID>;
}

export const crypto = {
  getRandomValues,
  randomUUID,
  /** Signatures and digests: a module of its own, which few scripts need. */
  get subtle() {
    return subtleModule().subtle;
  },
};
