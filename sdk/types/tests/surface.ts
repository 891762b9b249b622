// What is declared is what there is: the declarations against the modules behind them.

import type { lazySdk, lazyWeb, sdk, web } from "../../src/surface.ts";

type Intersection<T> = (T extends unknown ? (value: T) => void : never) extends (value: infer R) => void ? R : never;
type Module<T> = T extends { readonly module?: infer M } ? NonNullable<M> : never;
/** Compiles only when the two are the same set. */
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : { tooMany: Exclude<B, A> }) : { tooMany: Exclude<A, B> };

type Sdk = typeof sdk & Intersection<Module<(typeof lazySdk)[number]>>;
declare const implemented: Sdk;
const declared: typeof flora = implemented;
void declared;
const sameNames: Same<keyof Sdk, keyof typeof flora> = true;
void sameNames;

// Classes with private fields fit no declaration but their own: of them the members are compared.
type Web = typeof web & Intersection<Module<(typeof lazyWeb)[number]>>;
type ClassName = { [K in keyof Web]: Web[K] extends abstract new (...args: never[]) => unknown ? K : never }[keyof Web];
type Members<T> = {
  [K in keyof T]: T[K] extends { prototype: infer P }
    ? keyof P | `static ${Exclude<keyof T[K], symbol | keyof ErrorConstructor>}`
    : never;
};
declare const platform: Omit<Web, ClassName>;
const declaredPlatform: Pick<typeof globalThis, Exclude<keyof Web, ClassName>> = platform;
void declaredPlatform;
const sameMembers: { [K in ClassName]: Same<Members<Web>[K], Members<Pick<typeof globalThis, ClassName>>[K]> } = {
  AbortController: true,
  AbortSignal: true,
  Blob: true,
  CryptoKey: true,
  DOMException: true,
  Event: true,
  EventTarget: true,
  File: true,
  FormData: true,
  Headers: true,
  Request: true,
  Response: true,
  SubtleCrypto: true,
  TextDecoder: true,
  TextEncoder: true,
  URL: true,
  URLSearchParams: true,
};
void sameMembers;
