// Code compiled at run time. Parsing is native and cannot be interrupted, so its length is limited.

import {
  FunctionPrototype,
  ObjectDefineProperty,
  ObjectGetPrototypeOf,
  ReflectConstruct,
} from "../prelude/primordials.ts";
import { named, replaceMethods, tooLarge } from "./replace.ts";

type Any = any;

/** Characters of source code to compile at once. */
const CODE_LIMIT = 1 << 20;

export function hardenCode(): void {
  const evaluate = globalThis.eval;
  // A replaced `eval` is an indirect one: it sees globals only.
  replaceMethods(globalThis, {
    eval: (code: Any) => {
      if (typeof code === "string" && code.length > CODE_LIMIT) throw tooLarge("the code");
      return evaluate(code);
    },
  });
  hardenConstructor(FunctionPrototype);
  hardenConstructor(ObjectGetPrototypeOf(async () => {}));
  hardenConstructor(ObjectGetPrototypeOf(function* () {}));
  hardenConstructor(ObjectGetPrototypeOf(async function* () {}));
}

/** `Function` and its three nameless relatives. */
function hardenConstructor(prototype: Any): void {
  const native = prototype.constructor;
  const wrapper = function (this: unknown, ...parts: Any[]) {
    let length = 0;
    for (let i = 0; i < parts.length; i++) {
      const part = `${parts[i]}`;
      parts[i] = part;
      length += part.length;
    }
    if (length > CODE_LIMIT) throw tooLarge("the code");
    return ReflectConstruct(native, parts, new.target === undefined || new.target === wrapper ? native : new.target);
  };
  named(native.name, wrapper).prototype = prototype;
  // Of the three others it cannot be assigned to.
  ObjectDefineProperty(prototype, "constructor", { value: wrapper });
  if (native === Function) globalThis.Function = wrapper as never;
}
