// Bytes cut and put together, without a method that a script could have replaced.

import {
  StringCharCodeAt,
  StringSlice,
  TypedArrayBuffer,
  TypedArrayByteOffset,
  TypedArraySet,
  Uint8ArrayIntrinsic,
} from "../../prelude/primordials.ts";

/** All of `parts` one after another, in memory of its own. */
export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let size = 0;
  for (let i = 0; i < parts.length; i++) size += (parts[i] as Uint8Array).length;
  const out = new Uint8ArrayIntrinsic(size);
  let at = 0;
  for (let i = 0; i < parts.length; i++) {
    TypedArraySet(out, parts[i] as Uint8Array, at);
    at += (parts[i] as Uint8Array).length;
  }
  return out;
}

export function copied(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return joined([bytes]);
}

/** A view of `bytes` from `start` to `end`. */
export function part(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const length = end > start ? end - start : 0;
  return new Uint8ArrayIntrinsic(TypedArrayBuffer(bytes), TypedArrayByteOffset(bytes) + start, length);
}

/** Text without the byte order mark that UTF-8 may begin with. */
export function withoutMark(text: string): string {
  return StringCharCodeAt(text, 0) === 0xfeff ? StringSlice(text, 1) : text;
}
