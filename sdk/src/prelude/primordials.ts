// The built-ins that the prelude relies on, taken before any guild code runs. Everything in the prelude
// uses these and never a method looked up on a prototype, so that a script which replaces
// Array.prototype.push or JSON.parse breaks its own code and nothing else.
//
// The same care forbids syntax that looks methods up: no `for…of`, no spreading and no destructuring of
// arrays (Array.prototype[Symbol.iterator]), no regular expressions beyond `RegExpExec`, no `instanceof`
// with a built-in on the right (Symbol.hasInstance). An `async` function returns `await promise` and never a
// promise, which would be asked for its `then`. Objects that are filled bit by bit have no prototype, and
// lists are filled with `append`: an assignment would meet a setter that a script put on a prototype.

const { bind, call } = Function.prototype;

/** `method` as a function of its `this`: `uncurry(String.prototype.slice)(text, 0, 4)`. */
// A bound `call` is what V8 inlines best: no array of arguments, no lookup.
export const uncurry = bind.bind(call as never) as unknown as <T, A extends unknown[], R>(
  method: (this: T, ...args: A) => R,
) => (self: T, ...args: A) => R;

function getter<T, R>(prototype: T, name: PropertyKey): (self: unknown) => R {
  return uncurry(Object.getOwnPropertyDescriptor(prototype, name)?.get as () => R) as (self: unknown) => R;
}

/** An indirect `eval`: it sees globals only. */
export const { eval: Evaluate } = globalThis;
export const { parse: JSONParse, stringify: JSONStringify } = JSON;
export const { apply: ReflectApply, construct: ReflectConstruct, ownKeys: ReflectOwnKeys } = Reflect;
export const {
  assign: ObjectAssign,
  defineProperty: ObjectDefineProperty,
  freeze: ObjectFreeze,
  getOwnPropertyDescriptor: ObjectGetOwnPropertyDescriptor,
  getPrototypeOf: ObjectGetPrototypeOf,
  hasOwn: ObjectHasOwn,
  is: ObjectIs,
  keys: ObjectKeys,
  setPrototypeOf: ObjectSetPrototypeOf,
} = Object;
export const ObjectPrototype = Object.prototype;
export const FunctionPrototype = Function.prototype;
export const FunctionToString = uncurry(Function.prototype.toString as (this: unknown) => string);

export const { isArray: ArrayIsArray } = Array;
export const ArrayIntrinsic = Array;
export const ArrayPrototype = Array.prototype;
export const ArrayPush = uncurry(Array.prototype.push as <T>(this: T[], ...items: T[]) => number);
export const ArraySort = uncurry(Array.prototype.sort as <T>(this: T[], order: (a: T, b: T) => number) => T[]);

export const StringIntrinsic = String;
export const StringFromCharCode = String.fromCharCode;
export const StringFromCodePoint = String.fromCodePoint;
export const StringCharCodeAt = uncurry(String.prototype.charCodeAt);
export const StringCodePointAt = uncurry(String.prototype.codePointAt as (this: string, at: number) => number);
export const StringIndexOf = uncurry(String.prototype.indexOf as (this: string, text: string, from?: number) => number);
export const StringNormalize = uncurry(String.prototype.normalize as (this: string, form: string) => string);
export const StringPadStart = uncurry(
  String.prototype.padStart as (this: string, size: number, fill: string) => string,
);
export const StringRepeat = uncurry(String.prototype.repeat);
export const StringSlice = uncurry(String.prototype.slice as (this: string, start?: number, end?: number) => string);
export const StringToLowerCase = uncurry(String.prototype.toLowerCase);
export const StringToUpperCase = uncurry(String.prototype.toUpperCase);
export const StringToWellFormed = uncurry(String.prototype.toWellFormed);
export const StringTrim = uncurry(String.prototype.trim);
export const RegExpIntrinsic = RegExp;
export const RegExpExec = uncurry(RegExp.prototype.exec);
/** Throws for anything that is no RegExp. */
export const RegExpSource = getter<RegExp, string>(RegExp.prototype, "source");
export const RegExpFlags = getter<RegExp, string>(RegExp.prototype, "flags");
/** These throw for anything that is no such object. */
export const BooleanValue = uncurry(Boolean.prototype.valueOf as (this: unknown) => boolean);
export const NumberValue = uncurry(Number.prototype.valueOf as (this: unknown) => number);
export const StringValue = uncurry(String.prototype.valueOf as (this: unknown) => string);
export const BigIntValue = uncurry(BigInt.prototype.valueOf as (this: unknown) => bigint);
export const ObjectIntrinsic = Object;

export const NumberIntrinsic = Number;
export const NumberToString = uncurry(Number.prototype.toString as (this: number, radix?: number) => string);
export const BigIntIntrinsic = BigInt;
export const BigIntToString = uncurry(BigInt.prototype.toString as (this: bigint) => string);
export const SymbolToString = uncurry(Symbol.prototype.toString);
export const { floor: MathFloor, imul: MathImul, min: MathMin, random: MathRandom, trunc: MathTrunc } = Math;

export const DateIntrinsic = Date;
export const { now: DateNow } = Date;
export const DateGetTime = uncurry(Date.prototype.getTime);
export const DateToISOString = uncurry(Date.prototype.toISOString);

export const PromiseIntrinsic = Promise;
const PromiseThen = Promise.prototype.then;
export const MapIntrinsic = Map;
export const MapForEach = uncurry(
  Map.prototype.forEach as <K, V>(this: Map<K, V>, visit: (value: V, key: K) => void) => void,
);
export const MapSet = uncurry(Map.prototype.set as <K, V>(this: Map<K, V>, key: K, value: V) => Map<K, V>);
export const MapSize = getter<Map<unknown, unknown>, number>(Map.prototype, "size");
export const SetIntrinsic = Set;
export const SetAdd = uncurry(Set.prototype.add as <T>(this: Set<T>, value: T) => Set<T>);
export const SetForEach = uncurry(Set.prototype.forEach as <T>(this: Set<T>, visit: (value: T) => void) => void);
export const SetSize = getter<Set<unknown>, number>(Set.prototype, "size");

export const ErrorIntrinsic = Error;
export const TypeErrorIntrinsic = TypeError;
export const RangeErrorIntrinsic = RangeError;
export const { isError: ErrorIsError, captureStackTrace: ErrorCaptureStackTrace } = Error as ErrorConstructor & {
  isError(value: unknown): value is Error;
  captureStackTrace(target: object, below?: unknown): void;
};

export const ArrayBufferIntrinsic = ArrayBuffer;
export const ArrayBufferByteLength = getter<ArrayBuffer, number>(ArrayBuffer.prototype, "byteLength");
export const ArrayBufferSlice = uncurry(ArrayBuffer.prototype.slice);
export const ArrayBufferTransfer = uncurry(ArrayBuffer.prototype.transfer as (this: ArrayBuffer) => ArrayBuffer);
export const { isView: ArrayBufferIsView } = ArrayBuffer;
export const DataViewIntrinsic = DataView;
export const DataViewBuffer = getter<DataView, ArrayBuffer>(DataView.prototype, "buffer");
export const DataViewByteLength = getter<DataView, number>(DataView.prototype, "byteLength");
export const DataViewByteOffset = getter<DataView, number>(DataView.prototype, "byteOffset");
export const Uint8ArrayIntrinsic = Uint8Array;
// Newer than TypeScript's library knows everywhere.
export const { fromBase64: Uint8ArrayFromBase64 } = Uint8Array as unknown as { fromBase64(text: string): Uint8Array };
export const Uint8ArrayToBase64 = uncurry(
  (Uint8Array.prototype as unknown as { toBase64(this: Uint8Array): string }).toBase64,
);
export const Uint32ArrayIntrinsic = Uint32Array;
/** %TypedArray%, which has no name of its own. */
export const TypedArrayIntrinsic = ObjectGetPrototypeOf(Int8Array) as Uint8ArrayConstructor;
const typedArray = TypedArrayIntrinsic.prototype;
export const TypedArrayBuffer = getter<Uint8Array, ArrayBuffer>(typedArray, "buffer");
export const TypedArrayByteLength = getter<Uint8Array, number>(typedArray, "byteLength");
export const TypedArrayByteOffset = getter<Uint8Array, number>(typedArray, "byteOffset");
export const TypedArrayLength = getter<Uint8Array, number>(typedArray, "length");
/** The name of a typed array's class, undefined for anything else. */
export const TypedArrayName = getter<Uint8Array, string | undefined>(typedArray, Symbol.toStringTag);
export const TypedArraySubarray = uncurry(
  typedArray.subarray as (this: Uint8Array, start: number, end: number) => Uint8Array,
);

export const TypedArraySet = uncurry(
  typedArray.set as (this: Uint8Array, from: ArrayLike<number>, at?: number) => void,
);

/** Give a promise of ours its own `then` and `constructor`, so that resolving or awaiting it looks up neither. */
export function sealPromise<T>(promise: Promise<T>): Promise<T> {
  ObjectDefineProperty(promise, "then", { __proto__: null, value: PromiseThen } as PropertyDescriptor);
  return ObjectDefineProperty(promise, "constructor", {
    __proto__: null,
    value: PromiseIntrinsic,
  } as PropertyDescriptor);
}

export function rejected(reason: unknown): Promise<never> {
  return new PromiseIntrinsic((_, reject) => reject(reason));
}

/** The promise of `work`, rejected when `work` itself throws. */
export function promised<T>(work: () => Promise<T>): Promise<T> {
  try {
    return work();
  } catch (error) {
    return rejected(error);
  }
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === "object" && value !== null) || typeof value === "function") &&
    typeof (value as { then?: unknown }).then === "function"
  );
}

export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** A Map whose methods are its own properties: as fast as any, and out of a script's reach. */
export function privateMap<K, V>(): Map<K, V> {
  const map = new MapIntrinsic<K, V>();
  ObjectDefineProperty(map, "get", mapGet);
  ObjectDefineProperty(map, "set", mapSet);
  ObjectDefineProperty(map, "has", mapHas);
  return ObjectDefineProperty(map, "delete", mapDelete);
}
const mapGet = { __proto__: null, value: Map.prototype.get } as PropertyDescriptor;
const mapSet = { __proto__: null, value: Map.prototype.set } as PropertyDescriptor;
const mapHas = { __proto__: null, value: Map.prototype.has } as PropertyDescriptor;
const mapDelete = { __proto__: null, value: Map.prototype.delete } as PropertyDescriptor;

/** `list.push(item)`, past any setter on Array.prototype. */
export function append<T>(list: T[], item: T): void {
  ObjectDefineProperty(list, list.length, element(item));
}

/** `list.map(convert)` without the lookup. */
export function mapList<T, R>(list: ArrayLike<T>, convert: (item: T, index: number) => R): R[] {
  const { length } = list;
  const out = new ArrayIntrinsic<R>(length);
  for (let i = 0; i < length; i++) ObjectDefineProperty(out, i, element(convert(list[i] as T, i)));
  return out;
}

function element(value: unknown): PropertyDescriptor {
  return { __proto__: null, value, writable: true, enumerable: true, configurable: true } as PropertyDescriptor;
}

/** A plain data property for `ObjectDefineProperty`; without a prototype, which a script could fill. */
export function own(value: unknown): PropertyDescriptor {
  return { __proto__: null, value, writable: true, enumerable: false, configurable: true } as PropertyDescriptor;
}
