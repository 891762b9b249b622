// Response, after https://fetch.spec.whatwg.org/#response-class.

import {
  JSONStringify,
  NumberIntrinsic,
  ObjectHasOwn,
  RangeErrorIntrinsic,
  RegExpExec,
  StringIntrinsic,
  TypeErrorIntrinsic,
  Uint8ArrayFromBase64,
} from "../../prelude/primordials.ts";
import { urlsModule } from "../../lazies.ts";
import { Body, type Content, extract, share } from "./body.ts";
import { Headers, guarded } from "./headers.ts";

interface Init {
  status?: number;
  statusText?: string;
  headers?: unknown;
}

type Type = "default" | "basic" | "error";

/** What the host says of an answer; `body` is base64. */
export interface Received {
  status: number;
  statusText: string;
  url: string;
  headers: [string, string][];
  redirected?: boolean;
  text?: string;
  body?: string;
}

interface Parts {
  status: number;
  statusText: string;
  url: string;
  redirected: boolean;
  type: Type;
}

/** Instead of a body: everything at once, for what does not come from a script. */
interface Made {
  readonly parts: Parts;
  readonly headers: Headers;
  readonly content: Content | null;
  /** Whether somebody else has the content's bytes too. */
  readonly shared: boolean;
}
const made = { __proto__: null } as unknown as { next: Made | undefined };

export class Response extends Body {
  #parts: Parts;

  constructor(body?: unknown, init?: Init) {
    const { parts, headers, content, shared } = made.next ?? fromScript(body, init);
    made.next = undefined;
    super(content, headers, shared);
    this.#parts = parts;
  }

  static json(data: unknown, init?: Init): Response {
    const text = JSONStringify(data);
    if (text === undefined) throw new TypeErrorIntrinsic("it is not JSON");
    const headers = guarded(undefined, init?.headers);
    if (!headers.has("content-type")) headers.set("content-type", "application/json");
    return new Response(text, { ...init, headers });
  }

  static error(): Response {
    return make({ status: 0, statusText: "", url: "", redirected: false, type: "error" }, guarded("immutable"), null);
  }

  static redirect(url: string | { toString(): string }, status = 302): Response {
    const location = new (urlsModule().URL)(StringIntrinsic(url)).href;
    if (status !== 301 && status !== 302 && status !== 303 && status !== 307 && status !== 308) {
      throw new RangeErrorIntrinsic(`${status} is no status of a redirect`);
    }
    const parts: Parts = { status, statusText: "", url: "", redirected: false, type: "default" };
    return make(parts, guarded("immutable", { location }), null);
  }

  get type(): Type {
    return this.#parts.type;
  }

  get url(): string {
    return this.#parts.url;
  }

  get redirected(): boolean {
    return this.#parts.redirected;
  }

  get status(): number {
    return this.#parts.status;
  }

  get ok(): boolean {
    return this.#parts.status >= 200 && this.#parts.status <= 299;
  }

  get statusText(): string {
    return this.#parts.statusText;
  }

  clone(): Response {
    const content = share(this);
    const guard = this.#parts.type === "default" ? undefined : "immutable";
    return make(this.#parts, guarded(guard, this.headers), content, true);
  }
}

/** The Response to a fetch. */
export function received(answer: Received): Response {
  const { status, statusText, url, headers } = answer;
  const parts: Parts = { status, statusText, url, redirected: ObjectHasOwn(answer, "redirected"), type: "basic" };
  return make(parts, receivedHeaders(headers), isNull(status) ? null : receivedContent(answer));
}

/** What is left out of `answer` is not looked for on a prototype. */
function receivedContent(answer: Received): Content {
  return ObjectHasOwn(answer, "body")
    ? { bytes: Uint8ArrayFromBase64(answer.body as string) as Uint8Array<ArrayBuffer> }
    : { text: answer.text as string };
}

function make(parts: Parts, headers: Headers, content: Content | null, shared = false): Response {
  made.next = { parts, headers, content, shared };
  return new Response();
}

function receivedHeaders(pairs: [string, string][]): Headers {
  const headers = new Headers();
  for (let i = 0; i < pairs.length; i++) {
    const pair = pairs[i] as [string, string];
    try {
      headers.append(pair[0], pair[1]);
    } catch {
      // A server may send what no header should have; the others count.
    }
  }
  return guarded("immutable", headers);
}

function fromScript(body: unknown, init: Init | undefined): Made {
  const status = init?.status === undefined ? 200 : NumberIntrinsic(init.status) & 0xffff;
  if (status < 200 || status > 599) throw new RangeErrorIntrinsic("the status should be from 200 to 599");
  const statusText = init?.statusText === undefined ? "" : StringIntrinsic(init.statusText);
  if (RegExpExec(/[^\t\x20-\x7e\x80-\xff]/, statusText)) throw new TypeErrorIntrinsic("no such text for a status");
  const headers = guarded(undefined, init?.headers);
  const parts: Parts = { status, statusText, url: "", redirected: false, type: "default" };
  if (body === undefined || body === null) return { parts, headers, content: null, shared: false };
  if (isNull(status)) throw new TypeErrorIntrinsic(`a response with status ${status} has no body`);
  const { content, type } = extract(body);
  if (type !== undefined && !headers.has("content-type")) headers.set("content-type", type);
  return { parts, headers, content, shared: true };
}

function isNull(status: number): boolean {
  return status === 101 || status === 204 || status === 205 || status === 304;
}
