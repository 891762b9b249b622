// ArrayBuffers and typed arrays. Their memory is counted only when V8 collects garbage, which is late for
// a single large one: 8 MiB are the most. Their methods are native loops over as much; entered through
// JavaScript, a loop of them can be interrupted.

import {
  ArrayBufferIsView,
  ArrayIsArray,
  ArrayPush,
  ObjectDefineProperty,
  ObjectGetOwnPropertyDescriptor,
  ObjectSetPrototypeOf,
  ReflectApply,
  ReflectConstruct,
  TypedArrayIntrinsic,
  TypedArrayLength,
  TypedArrayName,
  Uint8ArrayIntrinsic,
  isObject,
  uncurry,
} from "../prelude/primordials.ts";
import { isArrayBuffer } from "../web/bytes.ts";
import { isShortArray } from "./receivers.ts";
import { replaceClass, replaceMethods, tooLarge } from "./replace.ts";
import { text } from "./texts.ts";

type Any = any;

/** Bytes of one ArrayBuffer. */
const BUFFER_LIMIT = 8 << 20;

/** Characters of a typed array joined to one text. */
const JOINED_LIMIT = 1 << 26;

function checked(size: Any, unit: number): Any {
  const number = typeof size === "number" ? size : +size;
  if (number * unit > BUFFER_LIMIT) throw tooLarge("the buffer");
  return number;
}

/** What a typed array is to be filled from, as something native code cannot be fooled with. */
function filling(from: Any, unit: number): Any {
  if (isShortArray(from)) {
    checked(from.length, unit);
    return from;
  }
  if (ArrayBufferIsView(from)) {
    // A view's length is its own; only a wider type makes more of it.
    if (TypedArrayName(from) !== undefined) checked(TypedArrayLength(from), unit);
    return from;
  }
  if (isArrayBuffer(from)) return from;
  const list: unknown[] = [];
  if ((from[Symbol.iterator] ?? undefined) !== undefined && !ArrayIsArray(from)) {
    for (const item of from) {
      ArrayPush(list, item);
      checked(list.length, unit);
    }
    return list;
  }
  const { length } = from;
  checked(length, unit);
  for (let i = 0; i < length; i++) ArrayPush(list, from[i]);
  return list;
}

function wrapTypedArray(name: string): void {
  const native = (globalThis as Any)[name];
  const unit = native.BYTES_PER_ELEMENT;
  const wrapper = function (this: unknown, first: Any, second: Any, third: Any) {
    if (new.target === undefined) return native(); // throws, as ever
    const argument = isObject(first) || typeof first === "function" ? filling(first, unit) : checked(first ?? 0, unit);
    return new.target === wrapper
      ? new native(argument, second, third)
      : ReflectConstruct(native, [argument, second, third], new.target);
  } as Any;
  ObjectSetPrototypeOf(wrapper, TypedArrayIntrinsic); // `from` and `of`
  wrapper.BYTES_PER_ELEMENT = unit;
  replaceClass(globalThis, name, wrapper);
}

function wrapArrayBuffer(): void {
  const native = ArrayBuffer as Any;
  const wrapper = function (this: unknown, length: Any, options: Any) {
    if (new.target === undefined) return native();
    const size = checked(length ?? 0, 1);
    let most: Any;
    if (isObject(options)) {
      const { maxByteLength } = options as { maxByteLength?: unknown };
      if (maxByteLength !== undefined) most = { maxByteLength: checked(maxByteLength, 1) };
    }
    const target = new.target === wrapper ? native : new.target;
    return ReflectConstruct(native, most === undefined ? [size] : [size, most], target);
  } as Any;
  wrapper.isView = ArrayBufferIsView;
  const species = ObjectGetOwnPropertyDescriptor(native, Symbol.species) as PropertyDescriptor;
  ObjectDefineProperty(wrapper, Symbol.species, species);
  const { prototype } = native;
  replaceClass(globalThis, "ArrayBuffer", wrapper);
  for (const name of ["transfer", "transferToFixedLength", "resize"]) {
    const method = prototype[name];
    replaceMethods(prototype, {
      [name](...length: Any[]) {
        if (length[0] !== undefined) length[0] = checked(length[0], 1);
        return ReflectApply(method, this, length);
      },
    });
  }
}

function wrapMethods(): void {
  const prototype = TypedArrayIntrinsic.prototype as Any;
  const threeAtMost =
    "copyWithin every fill filter find findIndex findLast findLastIndex forEach includes indexOf map reverse set slice some sort toReversed toSorted with";
  for (const name of threeAtMost.split(" ")) {
    const method = uncurry(prototype[name]) as Any;
    replaceMethods(prototype, {
      [name](a: Any, b: Any, c: Any) {
        return method(this, a, b, c);
      },
    });
  }
  for (const name of ["lastIndexOf", "reduce", "reduceRight"]) {
    const method = prototype[name];
    replaceMethods(prototype, {
      [name](...args: Any[]) {
        return ReflectApply(method, this, args);
      },
    });
  }
  const join = uncurry(prototype.join) as Any;
  replaceMethods(prototype, {
    join(separator: Any) {
      const between = separator === undefined ? "," : `${separator}`;
      if (between.length * TypedArrayLength(this) > JOINED_LIMIT) throw tooLarge("the joined text");
      return join(this, between);
    },
  });
  const { from } = TypedArrayIntrinsic as Any;
  replaceMethods(TypedArrayIntrinsic, {
    from(this: Any, items: Any, convert: Any, self: Any) {
      return ReflectApply(from, this, [isObject(items) ? filling(items, 1) : items, convert, self]);
    },
  });
  for (const name of ["fromBase64", "fromHex"]) {
    const make = (Uint8ArrayIntrinsic as Any)[name];
    replaceMethods(Uint8Array, {
      [name]: (value: Any, options: Any) => make(typeof value === "string" ? text(value) : value, options),
    });
  }
}

export function hardenBuffers(): void {
  wrapArrayBuffer();
  for (const name of [
    "Int8Array",
    "Uint8Array",
    "Uint8ClampedArray",
    "Int16Array",
    "Uint16Array",
    "Int32Array",
    "Uint32Array",
    "Float16Array",
    "Float32Array",
    "Float64Array",
    "BigInt64Array",
    "BigUint64Array",
  ]) {
    wrapTypedArray(name);
  }
  wrapMethods();
}
