// The built-ins that the prelude relies on, taken before any guild code runs. Everything in the prelude
// uses these and never a method looked up on a prototype, so that a script which replaces
// Array.prototype.push or JSON.parse breaks its own code and nothing else.

export const { parse: JSONParse, stringify: JSONStringify } = JSON;
export const {
  apply: ReflectApply,
  construct: ReflectConstruct,
  ownKeys: ReflectOwnKeys,
} = Reflect;
export const {
  defineProperty: ObjectDefineProperty,
  freeze: ObjectFreeze,
  getOwnPropertyDescriptor: ObjectGetOwnPropertyDescriptor,
  getPrototypeOf: ObjectGetPrototypeOf,
  keys: ObjectKeys,
  setPrototypeOf: ObjectSetPrototypeOf,
} = Object;
export const { isArray: ArrayIsArray } = Array;
export const { now: DateNow } = Date;
export const PromiseIntrinsic = Promise;
export const MapIntrinsic = Map;
export const ErrorIntrinsic = Error;
export const TypeErrorIntrinsic = TypeError;
export const RangeErrorIntrinsic = RangeError;
export const StringIntrinsic = String;
export const NumberIntrinsic = Number;

/** `method` as a function of its `this`: `uncurry(String.prototype.slice)(text, 0, 4)`. */
// biome-ignore format: one line reads better
export function uncurry<T, A extends unknown[], R>(method: (this: T, ...args: A) => R): (self: T, ...args: A) => R {
  return (self, ...args) => ReflectApply(method, self, args) as R;
}

export const StringSlice = uncurry(String.prototype.slice as (this: string, start?: number, end?: number) => string);
const PromiseThen = Promise.prototype.then;

/** `promise.then(fulfilled, rejected)` that a script cannot intercept. */
export function then<T>(promise: Promise<T>, fulfilled: (value: T) => unknown, rejected: (reason: unknown) => unknown): void {
  ReflectApply(PromiseThen, promise, [fulfilled, rejected]);
}

/** A Map whose methods are its own properties: as fast as any, and out of a script's reach. */
export function privateMap<K, V>(): Map<K, V> {
  const map = new MapIntrinsic<K, V>();
  for (let i = 0; i < mapMethods.length; i++) {
    const name = mapMethods[i] as keyof Map<K, V> & string;
    ObjectDefineProperty(map, name, { value: MapIntrinsic.prototype[name as "get"] });
  }
  return map;
}
const mapMethods = ["get", "set", "delete", "has"];
