// Putting our functions in the place of built-ins. By plain assignment, which keeps the attributes and, other
// than Object.defineProperty, costs next to nothing in an isolate's start and size.

import { ObjectDefineProperty, RangeErrorIntrinsic, ReflectOwnKeys, own } from "../prelude/primordials.ts";

type Holder = { [key: PropertyKey]: unknown };

/** A value is too large for this runtime. */
export function tooLarge(what: string): RangeError {
  return new RangeErrorIntrinsic(`${what} is too large for this runtime`);
}

/** Replace methods of `holder` by those of `methods`, which have the built-ins' names. */
export function replaceMethods(holder: object, methods: object): void {
  const keys = ReflectOwnKeys(methods);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as PropertyKey;
    (holder as Holder)[key] = (methods as Holder)[key];
  }
}

/** Give a function the name that the minifier took. */
export function named<T extends object>(name: string, value: T): T {
  return ObjectDefineProperty(value, "name", own(name));
}

/**
 * Replace the constructor `name` of `holder` by `wrapper`, which must return instances of the built-in's
 * prototype: they share it, so `instanceof` and classes that extend it work as before.
 */
export function replaceClass(holder: object, name: string, wrapper: { prototype: unknown }): void {
  const native = (holder as Holder)[name] as { prototype: { constructor: unknown } };
  named(name, wrapper).prototype = native.prototype;
  native.prototype.constructor = wrapper;
  (holder as Holder)[name] = wrapper;
}
