// The constants of SHA-2, worked out instead of written down (FIPS 180-4, sections 4.2 and 5.3): the first 64 bits
// of the fractional parts of roots of the first primes. SHA-256 takes the first 32 of them.

import { ArrayIntrinsic, BigIntIntrinsic, NumberIntrinsic, Uint32ArrayIntrinsic } from "../../prelude/primordials.ts";

const COUNT = 80;

function primes(): number[] {
  const out = new ArrayIntrinsic<number>(COUNT);
  let count = 0;
  for (let candidate = 2; count < COUNT; candidate++) {
    let prime = true;
    for (let i = 0; i < count && prime; i++) prime = candidate % (out[i] as number) !== 0;
    if (prime) out[count++] = candidate;
  }
  return out;
}

/** The largest integer whose `degree`th power is not above `value`, by Newton's method. */
function root(value: bigint, degree: bigint): bigint {
  let guess = 1n << 80n;
  for (;;) {
    const next = ((degree - 1n) * guess + value / guess ** (degree - 1n)) / degree;
    if (next >= guess) return guess;
    guess = next;
  }
}

/** High and low halves one after another. */
function fractions(degree: bigint, from: number, count: number): Uint32Array {
  const list = primes();
  const out = new Uint32ArrayIntrinsic(2 * count);
  for (let i = 0; i < count; i++) {
    const bits = root(BigIntIntrinsic(list[from + i] as number) << (64n * degree), degree);
    out[2 * i] = NumberIntrinsic((bits >> 32n) & 0xffffffffn);
    out[2 * i + 1] = NumberIntrinsic(bits & 0xffffffffn);
  }
  return out;
}

function highs(pairs: Uint32Array): Uint32Array {
  const out = new Uint32ArrayIntrinsic(pairs.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = pairs[2 * i] as number;
  return out;
}

/** What the rounds of SHA-384 and SHA-512 add. */
export const K64 = fractions(3n, 0, COUNT);
/** What those of SHA-256 add: one for each of its 64 rounds, and some that are not used. */
export const K32 = highs(K64);
/** What the hashes start from. */
export const START_512 = fractions(2n, 0, 8);
export const START_384 = fractions(2n, 8, 8);
export const START_256 = highs(START_512);
