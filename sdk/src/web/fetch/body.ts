// What Request and Response share: a body that is there as a whole, and is read once.

import { TEXT_LIMIT } from "../../harden/texts.ts";
import {
  JSONParse,
  ObjectGetOwnPropertyDescriptor,
  RangeErrorIntrinsic,
  ReflectApply,
  RegExpExec,
  StringIntrinsic,
  StringToLowerCase,
  StringToWellFormed,
  TypeErrorIntrinsic,
  TypedArrayBuffer,
  isObject,
} from "../../prelude/primordials.ts";
import { urlsModule } from "../../lazies.ts";
import { bytesOf, isBytes } from "../bytes.ts";
import { decodeLossy, encodeUtf8 } from "../utf8.ts";
import { type Blob, blobOf, bytesOfBlob, isBlob } from "./blob.ts";
import { FormData, isFormData } from "./form_data.ts";
import type { Headers } from "./headers.ts";
import { decodeMultipart, encodeMultipart } from "./multipart.ts";
import { copied, withoutMark } from "./pieces.ts";

/** Text or bytes, whichever it came as. Never changed. */
export type Content = { readonly text: string } | { readonly bytes: Uint8Array<ArrayBuffer> };

export let contentOf: (body: Body) => Content | null;
/** The content, which counts as read from now on; throws a TypeError when it was before. */
export let take: (body: Body) => Content | null;
/** The content for a copy: its bytes are shared from now on. */
export let share: (body: Body) => Content | null;

export abstract class Body {
  #content: Content | null;
  #headers: Headers;
  #used = false;
  #shared = false;

  static {
    contentOf = (body) => body.#content;
    take = (body) => {
      if (body.#used) throw new TypeErrorIntrinsic("the body was read already");
      body.#used = body.#content !== null;
      return body.#content;
    };
    share = (body) => {
      if (body.#used) throw new TypeErrorIntrinsic("the body was read already");
      body.#shared = true;
      return body.#content;
    };
  }

  constructor(content: Content | null, headers: Headers, shared: boolean) {
    this.#content = content;
    this.#headers = headers;
    this.#shared = shared;
  }

  get headers(): Headers {
    return this.#headers;
  }

  /** There are no streams; what there is comes as a whole. */
  get body(): null {
    return null;
  }

  get bodyUsed(): boolean {
    return this.#used;
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return TypedArrayBuffer(this.#bytes());
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#bytes();
  }

  async blob(): Promise<Blob> {
    return blobOf(this.#bytes(), this.#headers.get("content-type") ?? "");
  }

  async text(): Promise<string> {
    return this.#text();
  }

  async json(): Promise<unknown> {
    const text = this.#text();
    if (text.length > TEXT_LIMIT) throw new RangeErrorIntrinsic("the JSON has more than 4 Mi characters");
    return JSONParse(text);
  }

  async formData(): Promise<FormData> {
    const type = this.#headers.get("content-type") ?? "";
    const kind = StringToLowerCase(RegExpExec(/^[^; \t]*/, type)?.[0] as string);
    if (kind === "application/x-www-form-urlencoded") return formOf(this.#text());
    const boundary = RegExpExec(/;[ \t]*boundary=(?:"([^"]+)"|([^;" \t]+))/i, type);
    if (kind !== "multipart/form-data" || boundary === null) {
      throw new TypeErrorIntrinsic("the body's Content-Type is that of no form");
    }
    return decodeMultipart(this.#bytes(), (boundary[1] ?? boundary[2]) as string);
  }

  #text(): string {
    const content = take(this);
    if (content === null) return "";
    return withoutMark("text" in content ? content.text : decodeLossy(content.bytes));
  }

  #bytes(): Uint8Array<ArrayBuffer> {
    const content = take(this);
    if (content === null) return encodeUtf8("");
    if ("text" in content) return encodeUtf8(content.text);
    return this.#shared ? copied(content.bytes) : content.bytes;
  }
}

/** What `body` is made of, and the Content-Type that goes with it. */
export function extract(body: unknown): { content: Content; type: string | undefined } {
  if (isFormData(body)) {
    const { bytes, boundary } = encodeMultipart(body);
    return { content: { bytes }, type: `multipart/form-data; boundary=${boundary}` };
  }
  if (isBlob(body)) return { content: { bytes: bytesOfBlob(body) }, type: body.type || undefined };
  if (isBytes(body)) return { content: { bytes: copied(bytesOf(body)) }, type: undefined };
  const query = queryOf(body);
  if (query !== undefined) {
    return { content: { text: query }, type: "application/x-www-form-urlencoded;charset=UTF-8" };
  }
  return { content: { text: StringToWellFormed(StringIntrinsic(body)) }, type: "text/plain;charset=UTF-8" };
}

/** The text of URLSearchParams; undefined for anything else. */
function queryOf(body: unknown): string | undefined {
  if (!isObject(body)) return undefined;
  const { prototype } = urlsModule().URLSearchParams;
  try {
    ReflectApply(ObjectGetOwnPropertyDescriptor(prototype, "size")?.get as () => number, body, []);
    return ReflectApply(prototype.toString, body, []);
  } catch {
    return undefined;
  }
}

function formOf(text: string): FormData {
  const form = new FormData();
  const query = text[0] === "?" ? `?${text}` : text; // of a body, the first one is no mark
  new (urlsModule().URLSearchParams)(query).forEach((value, name) => form.append(name, value));
  return form;
}
