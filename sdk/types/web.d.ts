// The part of the web platform that flora has. Declared as lib.dom.d.ts does it, so that both may be there.

interface Console {
  /** Strings as they are, other values readable; `%s %d %i %f %j %o %O` in a first string are filled in. */
  log(...data: unknown[]): void;
  info(...data: unknown[]): void;
  debug(...data: unknown[]): void;
  warn(...data: unknown[]): void;
  error(...data: unknown[]): void;
  /** With the stack, at the level debug. */
  trace(...data: unknown[]): void;
  dir(item?: unknown, options?: { depth?: number | null }): void;
  table(tabularData?: unknown, properties?: readonly string[]): void;
  assert(condition?: unknown, ...data: unknown[]): void;
  count(label?: string): void;
  countReset(label?: string): void;
  group(...data: unknown[]): void;
  groupCollapsed(...data: unknown[]): void;
  groupEnd(): void;
  time(label?: string): void;
  timeEnd(label?: string): void;
  timeLog(label?: string, ...data: unknown[]): void;
}
/** Writes to the guild's log. A line holds 4 KiB. */
declare var console: Console;

/** Runs `callback` once; at most 1,000 timers may wait. They end with the script. */
declare function setTimeout<TArgs extends unknown[]>(
  callback: (...args: TArgs) => unknown,
  delay?: number,
  ...args: TArgs
): number;
// For `new Promise((resolve) => setTimeout(resolve, 100))`, where `resolve` takes something.
declare function setTimeout(callback: (nothing: void) => unknown, delay?: number): number;
declare function setInterval<TArgs extends unknown[]>(
  callback: (...args: TArgs) => unknown,
  delay?: number,
  ...args: TArgs
): number;
declare function clearTimeout(id?: number): void;
declare function clearInterval(id?: number): void;
declare function queueMicrotask(callback: () => void): void;

/** A deep copy; keeps cycles, Map, Set, Date, RegExp, Error, ArrayBuffer and its views. */
declare function structuredClone<T>(value: T, options?: { transfer?: readonly ArrayBuffer[] }): T;

/** Text of base64. */
declare function atob(data: string): string;
/** Base64 of text whose characters are bytes. */
declare function btoa(data: string): string;

interface Performance {
  /** Milliseconds since the isolate started; whole ones. */
  now(): number;
  readonly timeOrigin: number;
  toJSON(): unknown;
}
declare var performance: Performance;

/** A key of HMAC, as `crypto.subtle.importKey` makes it. */
interface CryptoKey {
  readonly type: "secret";
  readonly extractable: false;
  readonly algorithm: { name: "HMAC"; hash: { name: string }; length: number };
  readonly usages: ("sign" | "verify")[];
}
declare var CryptoKey: { prototype: CryptoKey; new (): CryptoKey };

/** "SHA-1", "SHA-256", "SHA-384" or "SHA-512". */
type HashName = string | { name: string };

interface SubtleCrypto {
  digest(algorithm: HashName, data: ArrayBuffer | ArrayBufferView): Promise<ArrayBuffer>;
  /** HMAC keys of bytes; they cannot be exported. */
  importKey(
    format: "raw",
    keyData: ArrayBuffer | ArrayBufferView,
    algorithm: { name: string; hash: HashName },
    extractable: boolean,
    usages: readonly ("sign" | "verify")[],
  ): Promise<CryptoKey>;
  sign(
    algorithm: string | { name: string },
    key: CryptoKey,
    data: ArrayBuffer | ArrayBufferView,
  ): Promise<ArrayBuffer>;
  /** Takes as long whether the signature is right or wrong. */
  verify(
    algorithm: string | { name: string },
    key: CryptoKey,
    signature: ArrayBuffer | ArrayBufferView,
    data: ArrayBuffer | ArrayBufferView,
  ): Promise<boolean>;
}
declare var SubtleCrypto: { prototype: SubtleCrypto; new (): SubtleCrypto };

interface Crypto {
  /** Digests and HMAC. */
  readonly subtle: SubtleCrypto;
  getRandomValues<T extends ArrayBufferView>(array: T): T;
  randomUUID(): `${string}-${string}-${string}-${string}-${string}`;
}
declare var crypto: Crypto;

interface URLSearchParams {
  readonly size: number;
  append(name: string, value: string): void;
  delete(name: string, value?: string): void;
  get(name: string): string | null;
  getAll(name: string): string[];
  has(name: string, value?: string): boolean;
  set(name: string, value: string): void;
  sort(): void;
  forEach(callback: (value: string, key: string, parent: URLSearchParams) => void, thisArg?: unknown): void;
  entries(): IteratorObject<[string, string], undefined, unknown>;
  keys(): IteratorObject<string, undefined, unknown>;
  values(): IteratorObject<string, undefined, unknown>;
  [Symbol.iterator](): IteratorObject<[string, string], undefined, unknown>;
  toString(): string;
}
declare var URLSearchParams: {
  prototype: URLSearchParams;
  new (
    init?: string | Iterable<readonly [string, string]> | { readonly [name: string]: string } | URLSearchParams,
  ): URLSearchParams;
};

interface URL {
  href: string;
  readonly origin: string;
  protocol: string;
  username: string;
  password: string;
  host: string;
  hostname: string;
  port: string;
  pathname: string;
  search: string;
  readonly searchParams: URLSearchParams;
  hash: string;
  toString(): string;
  toJSON(): string;
}
declare var URL: {
  prototype: URL;
  new (url: string | URL, base?: string | URL): URL;
  canParse(url: string | URL, base?: string | URL): boolean;
  parse(url: string | URL, base?: string | URL): URL | null;
};

interface TextEncoder {
  readonly encoding: string;
  encode(input?: string): Uint8Array<ArrayBuffer>;
  encodeInto(source: string, destination: Uint8Array): { read: number; written: number };
}
declare var TextEncoder: { prototype: TextEncoder; new (): TextEncoder };

interface TextDecoder {
  readonly encoding: string;
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  decode(input?: ArrayBuffer | ArrayBufferView, options?: { stream?: boolean }): string;
}
/** UTF-8 only. */
declare var TextDecoder: {
  prototype: TextDecoder;
  new (label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean }): TextDecoder;
};

interface DOMException extends Error {
  readonly code: number;
  readonly name: string;
}
declare var DOMException: {
  prototype: DOMException;
  new (message?: string, options?: string | { name?: string; cause?: unknown }): DOMException;
};

interface EventInit {
  bubbles?: boolean;
  cancelable?: boolean;
  composed?: boolean;
}

interface Event {
  readonly type: string;
  readonly target: EventTarget | null;
  readonly currentTarget: EventTarget | null;
  readonly bubbles: boolean;
  readonly cancelable: boolean;
  readonly composed: boolean;
  readonly defaultPrevented: boolean;
  readonly timeStamp: number;
  preventDefault(): void;
  stopPropagation(): void;
  stopImmediatePropagation(): void;
}
declare var Event: { prototype: Event; new (type: string, options?: EventInit): Event };

type EventListenerOrObject = ((event: Event) => unknown) | { handleEvent(event: Event): unknown };

interface EventTarget {
  addEventListener(
    type: string,
    listener: EventListenerOrObject | null,
    options?: boolean | { once?: boolean; signal?: AbortSignal },
  ): void;
  removeEventListener(type: string, listener: EventListenerOrObject | null): void;
  dispatchEvent(event: Event): boolean;
}
declare var EventTarget: { prototype: EventTarget; new (): EventTarget };

interface AbortSignal extends EventTarget {
  readonly aborted: boolean;
  readonly reason: any;
  onabort: ((event: Event) => unknown) | null;
  throwIfAborted(): void;
}
declare var AbortSignal: {
  prototype: AbortSignal;
  abort(reason?: unknown): AbortSignal;
  timeout(milliseconds: number): AbortSignal;
  any(signals: Iterable<AbortSignal>): AbortSignal;
};

interface AbortController {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
}
declare var AbortController: { prototype: AbortController; new (): AbortController };

/** Bytes with a type, whole and in memory. */
interface Blob {
  readonly size: number;
  readonly type: string;
  slice(start?: number, end?: number, contentType?: string): Blob;
  arrayBuffer(): Promise<ArrayBuffer>;
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
  text(): Promise<string>;
}
type BlobPart = string | ArrayBuffer | ArrayBufferView | Blob;
declare var Blob: { prototype: Blob; new (parts?: Iterable<BlobPart>, options?: { type?: string }): Blob };

interface File extends Blob {
  readonly name: string;
  readonly lastModified: number;
}
declare var File: {
  prototype: File;
  new (parts: Iterable<BlobPart>, name: string, options?: { type?: string; lastModified?: number }): File;
};

type FormDataEntryValue = string | File;

interface FormData {
  append(name: string, value: string | Blob, filename?: string): void;
  delete(name: string): void;
  get(name: string): FormDataEntryValue | null;
  getAll(name: string): FormDataEntryValue[];
  has(name: string): boolean;
  set(name: string, value: string | Blob, filename?: string): void;
  forEach(callback: (value: FormDataEntryValue, name: string, parent: FormData) => void, thisArg?: unknown): void;
  entries(): IteratorObject<[string, FormDataEntryValue], undefined, unknown>;
  keys(): IteratorObject<string, undefined, unknown>;
  values(): IteratorObject<FormDataEntryValue, undefined, unknown>;
  [Symbol.iterator](): IteratorObject<[string, FormDataEntryValue], undefined, unknown>;
}
declare var FormData: { prototype: FormData; new (): FormData };

type HeadersInit = Iterable<readonly [string, string]> | { readonly [name: string]: string } | Headers;

interface Headers {
  append(name: string, value: string): void;
  delete(name: string): void;
  get(name: string): string | null;
  /** Each cookie by itself; `get` would join them. */
  getSetCookie(): string[];
  has(name: string): boolean;
  set(name: string, value: string): void;
  forEach(callback: (value: string, name: string, parent: Headers) => void, thisArg?: unknown): void;
  entries(): IteratorObject<[string, string], undefined, unknown>;
  keys(): IteratorObject<string, undefined, unknown>;
  values(): IteratorObject<string, undefined, unknown>;
  [Symbol.iterator](): IteratorObject<[string, string], undefined, unknown>;
}
declare var Headers: { prototype: Headers; new (init?: HeadersInit): Headers };

type BodyInit = string | ArrayBuffer | ArrayBufferView | Blob | FormData | URLSearchParams;

/** What Request and Response share. A body is read once; `clone` first to read it twice. */
interface Body {
  /** There are no streams: a body comes as a whole, from one of the methods below. */
  readonly body: null;
  readonly bodyUsed: boolean;
  arrayBuffer(): Promise<ArrayBuffer>;
  blob(): Promise<Blob>;
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
  formData(): Promise<FormData>;
  /** Of at most 4 Mi characters. */
  json(): Promise<any>;
  text(): Promise<string>;
}

interface RequestInit {
  /** GET unless told. */
  method?: string;
  headers?: HeadersInit;
  /** At most 1 MiB of text, 768 KiB of bytes. */
  body?: BodyInit | null;
  /** What to do when the server redirects: go there (5 times at most), reject, or resolve with the redirect itself. */
  redirect?: "follow" | "error" | "manual";
  signal?: AbortSignal | null;
  /** flora's own. */
  flora?: {
    /** Put the values of secrets into the body too, not only into URL and headers. */
    secretsInBody?: boolean;
  };
}

interface Request extends Body {
  readonly headers: Headers;
  readonly method: string;
  readonly redirect: "follow" | "error" | "manual";
  readonly signal: AbortSignal;
  readonly url: string;
  clone(): Request;
}
declare var Request: { prototype: Request; new (input: string | URL | Request, init?: RequestInit): Request };

interface ResponseInit {
  status?: number;
  statusText?: string;
  headers?: HeadersInit;
}

interface Response extends Body {
  readonly headers: Headers;
  /** Whether the status is one of 200 to 299. */
  readonly ok: boolean;
  readonly redirected: boolean;
  readonly status: number;
  readonly statusText: string;
  readonly type: "basic" | "default" | "error";
  readonly url: string;
  clone(): Response;
}
declare var Response: {
  prototype: Response;
  new (body?: BodyInit | null, init?: ResponseInit): Response;
  error(): Response;
  json(data: unknown, init?: ResponseInit): Response;
  redirect(url: string | URL, status?: number): Response;
};

/**
 * Ask a server on the public internet. Resolves whatever its status is; see `ok`.
 * @throws FloraError with a code that begins with FETCH_ when there is no answer
 */
declare function fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>;
