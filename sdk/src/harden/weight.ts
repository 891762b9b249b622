// Memory that V8 does not see. A formatter of Intl is a few hundred bytes to V8 and tens of kilobytes to
// the library behind it, so a script could hold gigabytes in what looks like a small heap. Each such object
// is given a ballast, an ArrayBuffer of about that size: V8 counts those, collects in time, and the
// memory limit sees them.

import { ArrayBufferIntrinsic, ObjectDefineProperty } from "../prelude/primordials.ts";

const BALLAST = Symbol("ballast");

/** What one object of Intl takes, rounded up. */
export const INTL_BYTES = 1 << 16;

/** Tie `bytes` to `object`, for as long as it lives. */
export function weigh<T extends object>(object: T, bytes: number): T {
  const property = { __proto__: null, value: new ArrayBufferIntrinsic(bytes) } as PropertyDescriptor;
  return ObjectDefineProperty(object, BALLAST, property);
}

/** Account for an object that a built-in makes, uses and forgets. */
export function weighPassing(bytes = INTL_BYTES): void {
  new ArrayBufferIntrinsic(bytes);
}
