// Files that go with a message: bytes, text, or a URL that the host fetches. Also as the original had them:
// `{ Url: { url, filename } }`, `{ Base64: { data, filename } }`, and the same in lower case.

import type { Body } from "../bot/body.ts";
import { type FloraError, invalidInput } from "../prelude/errors.ts";
import { type CallFile, room } from "../prelude/host.ts";
import { StringIntrinsic, Uint8ArrayToBase64, append, isObject } from "../prelude/primordials.ts";
import { bytesOf } from "../web/bytes.ts";
import { encodeUtf8 } from "../web/utf8.ts";
import { id } from "./ids.ts";

/** Discord takes ten in one message. */
const MOST = 10;
/** Bytes by value in one turn: in base64 they leave the outbox room for what goes with them. */
const BYTES_BY_VALUE = 700 << 10;
/** Characters of the outbox that are kept for the call around the files. */
const AROUND = 16 << 10;

interface Original {
  url?: unknown;
  data?: unknown;
  filename?: unknown;
  description?: unknown;
}

interface Input extends Original {
  id?: unknown;
  name?: unknown;
  Url?: Original;
  Base64?: Original;
  base64?: Original;
}

interface Kept {
  id: string;
  description?: string;
}

/** Put what `list` says into `body`; with `editing`, it may name attachments of the message that stay. */
export function addAttachments(body: Body, list: unknown[], editing: boolean): void {
  if (list.length > MOST) throw invalidInput("attachments", `a message takes ${MOST} files`);
  const files: CallFile[] = [];
  const kept: Kept[] = [];
  let bytes = 0;
  for (let i = 0; i < list.length; i++) {
    const at = `attachments[${i}]`;
    const input = list[i];
    if (!isObject(input)) throw invalidInput(at, "must be an object with name and data, or with url");
    if ((input as Input).id !== undefined) {
      if (!editing) throw invalidInput(at, "only an edit can keep an attachment by its id");
      append(kept, keep(input as Input, at));
      continue;
    }
    const file = fileOf(input as Input, at);
    bytes += file.data?.length ?? 0;
    append(files, file);
  }
  if (bytes > 0 && bytes + AROUND > room()) throw tooLarge("attachments");
  if (files.length > 0) body.files = files;
  if (editing) body.attachments = kept;
}

function keep(input: Input, at: string): Kept {
  return { id: id(input.id, `${at}.id`), description: text(input.description, `${at}.description`) as string };
}

function fileOf(input: Input, at: string): CallFile {
  const { Url, Base64, base64, url } = input;
  if (Url !== undefined) return byUrl(Url, Url.url, at);
  if (isObject(url)) return byUrl(url as Original, (url as Original).url, at);
  if (url !== undefined) return byUrl(input, url, at);
  const encoded = Base64 ?? base64;
  if (encoded !== undefined) {
    const { data } = encoded;
    if (typeof data !== "string") throw invalidInput(`${at}.data`, "must be base64 as text");
    if (data.length > (BYTES_BY_VALUE * 4) / 3) throw tooLarge(`${at}.data`);
    return named(encoded, at, { data });
  }
  return named(input, at, { data: base64Of(input.data, `${at}.data`) });
}

function byUrl(input: Input, url: unknown, at: string): CallFile {
  if (typeof url !== "string" || url === "") throw invalidInput(`${at}.url`, "must be a URL as text");
  const name = text(input.name ?? input.filename, `${at}.name`);
  return { name, description: text(input.description, `${at}.description`), url };
}

function named(input: Input, at: string, file: CallFile): CallFile {
  const name = text(input.name ?? input.filename, `${at}.name`);
  if (!name) throw invalidInput(`${at}.name`, "a file needs one, like \"report.txt\"");
  return { name, description: text(input.description, `${at}.description`), data: file.data as string };
}

function base64Of(data: unknown, at: string): string {
  // A text of more characters has more bytes: no need to encode it first.
  if (typeof data === "string" && data.length > BYTES_BY_VALUE) throw tooLarge(at);
  let bytes: Uint8Array;
  try {
    bytes = typeof data === "string" ? encodeUtf8(data) : bytesOf(data ?? null);
  } catch {
    throw invalidInput(at, "must be text, a Uint8Array or another view of an ArrayBuffer");
  }
  if (bytes.length > BYTES_BY_VALUE) throw tooLarge(at);
  return Uint8ArrayToBase64(bytes);
}

function text(value: unknown, field: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") throw invalidInput(field, `must be text, not ${StringIntrinsic(typeof value)}`);
  return value;
}

function tooLarge(field: string): FloraError {
  return invalidInput(
    field,
    "files by value may have 700 KiB together in one turn; give the url of a larger one, or await the others first",
  );
}
