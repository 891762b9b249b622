// structuredClone, after https://html.spec.whatwg.org/#structuredserializeinternal: a deep copy that keeps
// cycles, shared parts and the kinds of built-in objects.

import {
  ArrayBufferByteLength,
  ArrayBufferSlice,
  ArrayBufferTransfer,
  ArrayIntrinsic,
  ArrayIsArray,
  BigIntValue,
  BooleanValue,
  DataViewBuffer,
  DataViewByteLength,
  DataViewByteOffset,
  DataViewIntrinsic,
  DateGetTime,
  DateIntrinsic,
  ErrorIntrinsic,
  ErrorIsError,
  MapForEach,
  MapIntrinsic,
  MapSet,
  NumberValue,
  ObjectDefineProperty,
  ObjectGetPrototypeOf,
  ObjectHasOwn,
  ObjectIntrinsic,
  ObjectKeys,
  ObjectPrototype,
  RegExpFlags,
  RegExpIntrinsic,
  RegExpSource,
  SetAdd,
  SetForEach,
  SetIntrinsic,
  StringIntrinsic,
  StringValue,
  SymbolToString,
  TypedArrayBuffer,
  TypedArrayByteOffset,
  TypedArrayLength,
  TypedArrayName,
  append,
  isObject,
  own,
  privateMap,
} from "../prelude/primordials.ts";
import { isArrayBuffer } from "./bytes.ts";
import { DOMException } from "./dom_exception.ts";

type Seen = Map<object, unknown>;

const typedArrays = {
  __proto__: null,
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float16Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
} as unknown as Record<string, new (buffer: ArrayBuffer, offset: number, length: number) => object>;

const errors = {
  __proto__: null,
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
} as unknown as Record<string, ErrorConstructor | undefined>;

export function structuredClone<T>(value: T, options?: { transfer?: readonly ArrayBuffer[] }): T {
  const seen: Seen = privateMap();
  const transfer = options?.transfer;
  if (transfer !== undefined) {
    for (let i = 0; i < transfer.length; i++)
      if (!isArrayBuffer(transfer[i])) throw cannot("a value that is no ArrayBuffer");
  }
  const copy = clone(value, seen, transfer) as T;
  // Detach what was given away but not met.
  if (transfer !== undefined) {
    for (let i = 0; i < transfer.length; i++)
      if (!seen.has(transfer[i] as ArrayBuffer)) ArrayBufferTransfer(transfer[i] as ArrayBuffer);
  }
  return copy;
}

function cannot(what: string): DOMException {
  return new DOMException(`${what} could not be cloned.`, "DataCloneError");
}

function clone(value: unknown, seen: Seen, transfer: readonly ArrayBuffer[] | undefined): unknown {
  if (typeof value === "symbol") throw cannot(SymbolToString(value));
  if (typeof value === "function") throw cannot(`the function ${StringIntrinsic((value as { name: unknown }).name)}`);
  if (!isObject(value)) return value;
  if (seen.has(value)) return seen.get(value);
  if (ArrayIsArray(value))
    return properties(value, remember(new ArrayIntrinsic(value.length), value, seen), seen, transfer);
  const prototype = ObjectGetPrototypeOf(value);
  if (prototype !== ObjectPrototype && prototype !== null) {
    const special = cloneSpecial(value, seen, transfer);
    if (special !== undefined) return special;
  }
  return properties(value, remember({}, value, seen), seen, transfer);
}

function remember<T extends object>(copy: T, original: object, seen: Seen): T {
  seen.set(original, copy);
  return copy;
}

function properties(from: object, to: object, seen: Seen, transfer: readonly ArrayBuffer[] | undefined): object {
  const keys = ObjectKeys(from);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string;
    if (!ObjectHasOwn(from, key)) continue; // a getter before it took it away
    const value = clone((from as Record<string, unknown>)[key], seen, transfer);
    ObjectDefineProperty(to, key, { ...own(value), enumerable: true });
  }
  return to;
}

/** Built-in objects with insides; undefined for an instance of some class, which becomes a plain object. */
function cloneSpecial(value: object, seen: Seen, transfer: readonly ArrayBuffer[] | undefined): object | undefined {
  if (ErrorIsError(value)) return cloneError(value, seen, transfer);
  if (isArrayBuffer(value)) return cloneBuffer(value, seen, transfer);
  const array = TypedArrayName(value);
  if (array !== undefined) {
    const buffer = clone(TypedArrayBuffer(value), seen, transfer) as ArrayBuffer;
    const View = typedArrays[array] as NonNullable<(typeof typedArrays)[string]>;
    return remember(new View(buffer, TypedArrayByteOffset(value), TypedArrayLength(value)), value, seen);
  }
  return (
    attempt(() => {
      const buffer = DataViewBuffer(value);
      const copy = clone(buffer, seen, transfer) as ArrayBuffer;
      return remember(new DataViewIntrinsic(copy, DataViewByteOffset(value), DataViewByteLength(value)), value, seen);
    }) ??
    attempt(() => remember(new DateIntrinsic(DateGetTime(value as Date)), value, seen)) ??
    cloneMap(value, seen, transfer) ??
    cloneSet(value, seen, transfer) ??
    attempt(() => remember(new RegExpIntrinsic(RegExpSource(value), RegExpFlags(value)), value, seen)) ??
    attempt(() => remember(ObjectIntrinsic(BooleanValue(value)), value, seen)) ??
    attempt(() => remember(ObjectIntrinsic(NumberValue(value)), value, seen)) ??
    attempt(() => remember(ObjectIntrinsic(StringValue(value)), value, seen)) ??
    attempt(() => remember(ObjectIntrinsic(BigIntValue(value)), value, seen)) ??
    refuse(value)
  );
}

function attempt<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof DOMException) throw error; // from the inside of it
    return undefined;
  }
}

/** Built-ins that hold what cannot be copied. */
function refuse(value: object): undefined {
  const { constructor } = value as { constructor?: unknown };
  for (let i = 0; i < UNCLONEABLE.length; i++) {
    if (constructor === UNCLONEABLE[i]) throw cannot(`#<${(constructor as { name: string }).name}>`);
  }
  return undefined;
}
const UNCLONEABLE = [Symbol, Promise, WeakMap, WeakSet, WeakRef, FinalizationRegistry];

function cloneError(error: Error, seen: Seen, transfer: readonly ArrayBuffer[] | undefined): Error {
  const { name, message, stack } = error;
  const Class = errors[StringIntrinsic(name)] ?? ErrorIntrinsic;
  const copy = remember(new Class(StringIntrinsic(message)), error, seen);
  ObjectDefineProperty(copy, "stack", own(stack === undefined ? undefined : StringIntrinsic(stack)));
  if (ObjectHasOwn(error, "cause")) ObjectDefineProperty(copy, "cause", own(clone(error.cause, seen, transfer)));
  return copy;
}

function cloneBuffer(buffer: ArrayBuffer, seen: Seen, transfer: readonly ArrayBuffer[] | undefined): ArrayBuffer {
  if (transfer !== undefined) {
    for (let i = 0; i < transfer.length; i++)
      if (transfer[i] === buffer) return remember(ArrayBufferTransfer(buffer), buffer, seen);
  }
  return remember(ArrayBufferSlice(buffer, 0, ArrayBufferByteLength(buffer)), buffer, seen);
}

function cloneMap(value: object, seen: Seen, transfer: readonly ArrayBuffer[] | undefined): object | undefined {
  const entries: unknown[] = [];
  try {
    MapForEach(value as Map<unknown, unknown>, (item, key) => {
      append(entries, key);
      append(entries, item);
    });
  } catch {
    return undefined;
  }
  const copy = remember(new MapIntrinsic(), value, seen);
  for (let i = 0; i < entries.length; i += 2)
    MapSet(copy, clone(entries[i], seen, transfer), clone(entries[i + 1], seen, transfer));
  return copy;
}

function cloneSet(value: object, seen: Seen, transfer: readonly ArrayBuffer[] | undefined): object | undefined {
  const items: unknown[] = [];
  try {
    SetForEach(value as Set<unknown>, (item) => {
      append(items, item);
    });
  } catch {
    return undefined;
  }
  const copy = remember(new SetIntrinsic(), value, seen);
  for (let i = 0; i < items.length; i++) SetAdd(copy, clone(items[i], seen, transfer));
  return copy;
}
