// What the array built-ins may be run on.
//
// They loop over `length` in native code that V8 does not interrupt: `indexOf.call({length: 2**53-1})` runs
// for years, and neither the CPU limit nor closing the isolate gets through. So they only ever see real
// arrays of a sensible size. Anything else they reach through a proxy of ours whose traps are JavaScript:
// V8 looks for interrupts whenever JavaScript is entered, so the CPU limit ends such a loop.
//
// A proxy of the script's own could say another length each time it is asked, so those count as "anything
// else" too. There is no way to tell a proxy from an array but to remember them as they are made.

import {
  ArrayIsArray,
  ArrayPush,
  ObjectGetOwnPropertyDescriptor,
  ObjectHasOwn,
  ObjectIntrinsic,
  ObjectSetPrototypeOf,
  uncurry,
} from "../prelude/primordials.ts";
import { named, tooLarge } from "./replace.ts";

/** Items that a native loop may go over in one piece: some ten milliseconds' worth. */
export const LENGTH_LIMIT = 1 << 20;

/** More arguments than V8's stack takes anyway. */
const ARGUMENTS_LIMIT = 1 << 17;

const ProxyIntrinsic = Proxy;
const { revocable } = Proxy;
const proxies = new WeakSet<object>();
const isKnown = uncurry(WeakSet.prototype.has as (this: WeakSet<object>, value: object) => boolean);
const remember = uncurry(WeakSet.prototype.add as (this: WeakSet<object>, value: object) => WeakSet<object>);
/** Whether the script has made a proxy; as long as not, no array can be one. */
export let anyProxy = false;

/** Makes every proxy a remembered one. */
export function rememberProxies(): void {
  const wrapper = function (this: unknown, target: object, handler: object) {
    if (new.target === undefined) return (ProxyIntrinsic as unknown as (...args: object[]) => never)(target, handler);
    return note(new ProxyIntrinsic(target, handler as ProxyHandler<object>));
  };
  named("Proxy", wrapper).prototype = undefined as never; // as Proxy has none
  wrapper.revocable = (target: object, handler: ProxyHandler<object>) => {
    const made = revocable(target, handler);
    note(made.proxy);
    return made;
  };
  globalThis.Proxy = wrapper as never;
}

function note<T extends object>(proxy: T): T {
  anyProxy = true;
  remember(proxies, proxy);
  return proxy;
}

function isProxy(value: object): boolean {
  return anyProxy && isKnown(proxies, value);
}

const { get, set, has, deleteProperty, defineProperty, getOwnPropertyDescriptor } = Reflect;

/** Does what would happen without it, in JavaScript. */
const interruptible: ProxyHandler<object> = {
  get: (target, key) => get(target, key),
  set: (target, key, value) => set(target, key, value),
  has: (target, key) => has(target, key),
  deleteProperty: (target, key) => deleteProperty(target, key),
  defineProperty: (target, key, property) => defineProperty(target, key, property),
  getOwnPropertyDescriptor: (target, key) => getOwnPropertyDescriptor(target, key),
};
ObjectSetPrototypeOf(interruptible, null);

/** `value` itself when a native loop over it is short and cannot change under way, else a stand-in. */
export function receiver(value: unknown): unknown {
  return ArrayIsArray(value) && !isProxy(value) && value.length <= LENGTH_LIMIT ? value : standIn(value);
}

function standIn(value: unknown): unknown {
  if (value === null || value === undefined) return value; // the built-in says what it thinks of that
  const object = ObjectIntrinsic(value) as object;
  if (!isProxy(object) && plainLength(object) <= LENGTH_LIMIT) return object;
  return note(new ProxyIntrinsic(object, interruptible)); // callbacks get to see it
}

/** The `length` of an object like `arguments`; Infinity when it is no plain property with a number in it. */
function plainLength(object: object): number {
  const property = ObjectGetOwnPropertyDescriptor(object, "length");
  if (property === undefined || !ObjectHasOwn(property, "value")) return Infinity;
  return typeof property.value === "number" ? property.value : Infinity;
}

/** A list of arguments for `apply`. */
export function argumentList(list: unknown): unknown {
  if (list === null || list === undefined || typeof list !== "object") return list;
  if (ArrayIsArray(list) && !isProxy(list)) return list;
  if (!isProxy(list) && plainLength(list) <= ARGUMENTS_LIMIT) return list;
  const { length } = list as ArrayLike<unknown>;
  if (!(length <= ARGUMENTS_LIMIT)) throw tooLarge("the list of arguments");
  const copy: unknown[] = [];
  for (let i = 0; i < length; i++) ArrayPush(copy, (list as ArrayLike<unknown>)[i]);
  return copy;
}

/** Whether `value` is a real array that native code may spread. */
export function isShortArray(value: unknown): value is unknown[] {
  return ArrayIsArray(value) && !isProxy(value) && value.length <= LENGTH_LIMIT;
}
