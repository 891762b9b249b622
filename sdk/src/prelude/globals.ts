// Putting names where scripts find them.

import type { Lazy } from "../surface.ts";
import { ObjectDefineProperty, ObjectGetOwnPropertyDescriptor, ObjectKeys, own } from "./primordials.ts";

type Values = { readonly [name: string]: unknown };

/** Define all `values` on each of `holders`. */
export function define(values: object, ...holders: object[]): void {
  const names = ObjectKeys(values);
  for (let i = 0; i < names.length; i++) defineOne(names[i] as string, (values as Values)[names[i] as string], holders);
}

function defineOne(name: string, value: unknown, holders: object[]): void {
  // Minified, but scripts should meet it by the name they know. Aliases keep the first one.
  if (typeof value === "function" && value.name.length < 4) ObjectDefineProperty(value, "name", own(name));
  for (let i = 0; i < holders.length; i++) ObjectDefineProperty(holders[i] as object, name, own(value));
}

/** Put the value in the place of its getter, unless the script has replaced that already. */
function settle(name: string, module: Values, holders: object[]): void {
  for (let i = 0; i < holders.length; i++) {
    const holder = holders[i] as object;
    if (ObjectGetOwnPropertyDescriptor(holder, name)?.get === undefined) continue;
    defineOne(name, module[name], [holder]);
  }
}

/** Define names whose values are made when one of them is first read. A script may also replace them. */
export function defineLazily({ names, load }: Lazy, ...holders: object[]): void {
  const make = () => {
    const module = load() as Values;
    for (let i = 0; i < names.length; i++) settle(names[i] as string, module, holders);
    return module;
  };
  for (let i = 0; i < names.length; i++) {
    const name = names[i] as string;
    const property = {
      __proto__: null,
      get: () => make()[name],
      set(this: object | undefined, value: unknown) {
        ObjectDefineProperty(this ?? globalThis, name, own(value));
      },
      configurable: true,
    } as PropertyDescriptor;
    for (let j = 0; j < holders.length; j++) ObjectDefineProperty(holders[j] as object, name, property);
  }
}
