// The bytes behind an ArrayBuffer or any view of one.

import {
  ArrayBufferByteLength,
  ArrayBufferIsView,
  DataViewBuffer,
  DataViewByteLength,
  DataViewByteOffset,
  TypeErrorIntrinsic,
  TypedArrayBuffer,
  TypedArrayByteLength,
  TypedArrayByteOffset,
  TypedArrayName,
  Uint8ArrayIntrinsic,
  isObject,
} from "../prelude/primordials.ts";

export function isArrayBuffer(value: unknown): value is ArrayBuffer {
  if (!isObject(value) || ArrayBufferIsView(value)) return false;
  try {
    ArrayBufferByteLength(value);
    return true;
  } catch {
    return false;
  }
}

/** Whether `value` is an ArrayBuffer or a view of one. */
export function isBytes(value: unknown): value is ArrayBuffer | ArrayBufferView {
  return ArrayBufferIsView(value) || isArrayBuffer(value);
}

/** A view of the same memory; empty for undefined. Throws a TypeError for anything that has no bytes. */
export function bytesOf(value: unknown): Uint8Array {
  if (value === undefined) return new Uint8ArrayIntrinsic(0);
  if (ArrayBufferIsView(value)) {
    return TypedArrayName(value) === undefined
      ? new Uint8ArrayIntrinsic(DataViewBuffer(value), DataViewByteOffset(value), DataViewByteLength(value))
      : new Uint8ArrayIntrinsic(TypedArrayBuffer(value), TypedArrayByteOffset(value), TypedArrayByteLength(value));
  }
  if (isArrayBuffer(value)) return new Uint8ArrayIntrinsic(value);
  throw new TypeErrorIntrinsic("an ArrayBuffer or a view of one is needed");
}
