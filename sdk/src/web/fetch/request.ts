// Request, after https://fetch.spec.whatwg.org/#request-class. There is no cache, no origin and no cookie jar, so
// what says how to use them is not there either.

import {
  RegExpExec,
  StringIntrinsic,
  StringToUpperCase,
  TypeErrorIntrinsic,
  isObject,
} from "../../prelude/primordials.ts";
import { urlsModule, webModule } from "../../lazies.ts";
import type { AbortSignal } from "../abort.ts";
import { Body, type Content, extract, share, take } from "./body.ts";
import { Headers, guarded } from "./headers.ts";

type Redirect = "follow" | "error" | "manual";

/** As a script gives it; what is in it is looked at where it is used. */
interface Init {
  method?: unknown;
  headers?: unknown;
  body?: unknown;
  redirect?: unknown;
  signal?: unknown;
  flora?: { secretsInBody?: boolean };
}

/** What is asked of an AbortSignal. */
export interface Signal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: "abort", listener: () => void, options: { once: boolean }): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

export interface Parts {
  url: string;
  method: string;
  headers: Headers;
  redirect: Redirect;
  signal: Signal | undefined;
  secretsInBody: boolean;
}

export let partsOf: (request: Request) => Parts;
let isRequest: (value: unknown) => value is Request;

/** What a copy is made of, in place of a constructor's arguments. */
interface Made {
  readonly parts: Parts;
  readonly content: Content | null;
}
const made = { __proto__: null } as unknown as { next: Made | undefined };

export class Request extends Body {
  #parts: Parts;

  static {
    partsOf = (request) => request.#parts;
    isRequest = (value): value is Request => isObject(value) && #parts in value;
  }

  constructor(input: unknown, init?: Init) {
    const { parts, content } = made.next ?? fromScript(input, init);
    made.next = undefined;
    super(content, parts.headers, true);
    this.#parts = parts;
  }

  get method(): string {
    return this.#parts.method;
  }

  get url(): string {
    return this.#parts.url;
  }

  get redirect(): Redirect {
    return this.#parts.redirect;
  }

  get signal(): AbortSignal {
    this.#parts.signal ??= new (webModule().AbortController)().signal;
    return this.#parts.signal as AbortSignal;
  }

  clone(): Request {
    const content = share(this);
    made.next = { parts: { ...this.#parts, headers: guarded("request", this.headers) }, content };
    return new Request("");
  }
}

function fromScript(input: unknown, init: Init | undefined): Made {
  const from = isRequest(input) ? input : undefined;
  const parts = merge(from === undefined ? fresh(input) : partsOf(from), init);
  return { parts, content: bodyOf(init?.body, from, parts) };
}

function fresh(input: unknown): Parts {
  const url = new (urlsModule().URL)(StringIntrinsic(input));
  if (url.username !== "" || url.password !== "") {
    throw new TypeErrorIntrinsic("the URL has a user name or password in it; send them in the Authorization header");
  }
  return {
    url: url.href,
    method: "GET",
    headers: guarded("request"),
    redirect: "follow",
    signal: undefined,
    secretsInBody: false,
  };
}

function merge(from: Parts, init: Init | undefined): Parts {
  if (init !== undefined && init !== null && !isObject(init)) {
    throw new TypeErrorIntrinsic("the second argument should be an object");
  }
  const { method, headers, redirect, signal, flora } = init ?? {};
  if (redirect !== undefined && redirect !== "follow" && redirect !== "error" && redirect !== "manual") {
    throw new TypeErrorIntrinsic('redirect should be "follow", "error" or "manual"');
  }
  return {
    url: from.url,
    method: method === undefined ? from.method : methodOf(method),
    headers: guarded("request", headers ?? from.headers),
    redirect: redirect ?? from.redirect,
    signal: signal === undefined ? from.signal : signalOf(signal),
    secretsInBody: flora?.secretsInBody ?? from.secretsInBody,
  };
}

function signalOf(given: unknown): Signal | undefined {
  if (given === null) return undefined;
  if (!isObject(given) || typeof (given as Partial<Signal>).aborted !== "boolean") {
    throw new TypeErrorIntrinsic("the signal should be an AbortSignal");
  }
  return given as Signal;
}

function methodOf(given: unknown): string {
  const method = StringIntrinsic(given);
  if (RegExpExec(/^[!#$%&'*+.^_`|~\w-]+$/, method) === null || RegExpExec(/^(?:connect|trace|track)$/i, method)) {
    throw new TypeErrorIntrinsic(`"${method}" is no method that may be used`);
  }
  return RegExpExec(/^(?:delete|get|head|options|post|put)$/i, method) ? StringToUpperCase(method) : method;
}

function bodyOf(given: unknown, from: Request | undefined, { method, headers }: Parts): Content | null {
  const none = given === undefined || given === null;
  if (!none && (method === "GET" || method === "HEAD")) {
    throw new TypeErrorIntrinsic(`a ${method} request has no body`);
  }
  if (none) return from === undefined ? null : take(from);
  const { content, type } = extract(given);
  if (type !== undefined && !headers.has("content-type")) headers.set("content-type", type);
  return content;
}
