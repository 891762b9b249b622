// multipart/form-data, both ways: https://html.spec.whatwg.org/#multipart-form-data and RFC 7578.

import {
  MathRandom,
  MathTrunc,
  RegExpExec,
  StringIndexOf,
  StringSlice,
  TypeErrorIntrinsic,
  append,
} from "../../prelude/primordials.ts";
import { decodeLossy, encodeUtf8, latin1 } from "../utf8.ts";
import { File, bytesOfBlob, isBlob } from "./blob.ts";
import { type Field, FormData, fieldsOf } from "./form_data.ts";
import { copied, joined, part } from "./pieces.ts";

const DIGITS = "0123456789abcdefghijklmnopqrstuv";

/** The bytes of `form`, and the boundary between its fields. */
export function encodeMultipart(form: FormData): { bytes: Uint8Array<ArrayBuffer>; boundary: string } {
  let boundary = "----flora-form-";
  for (let i = 0; i < 24; i++) boundary += DIGITS[MathTrunc(MathRandom() * 32)];
  const pieces: Uint8Array[] = [];
  const fields = fieldsOf(form);
  for (let i = 0; i < fields.length; i++) {
    const { name, value } = fields[i] as Field;
    let head = `--${boundary}\r\nContent-Disposition: form-data; name="${escaped(lines(name))}"`;
    if (isBlob(value)) {
      head += `; filename="${escaped(value.name)}"\r\nContent-Type: ${value.type || "application/octet-stream"}`;
    }
    append(pieces, encodeUtf8(`${head}\r\n\r\n`));
    append(pieces, isBlob(value) ? bytesOfBlob(value) : encodeUtf8(lines(value)));
    append(pieces, encodeUtf8("\r\n"));
  }
  append(pieces, encodeUtf8(`--${boundary}--\r\n`));
  return { bytes: joined(pieces), boundary };
}

/** The form in `bytes`; throws a TypeError when there is none. */
export function decodeMultipart(bytes: Uint8Array, boundary: string): FormData {
  const text = latin1(bytes); // one character a byte: what is found in it is where it is in `bytes`
  const form = new FormData();
  const mark = `--${boundary}`;
  let at = StringIndexOf(text, mark);
  while (at !== -1) {
    at += mark.length;
    if (StringSlice(text, at, at + 2) === "--") return form;
    const blank = StringIndexOf(text, "\r\n\r\n", at);
    const end = StringIndexOf(text, `\r\n${mark}`, at);
    if (StringSlice(text, at, at + 2) !== "\r\n" || blank === -1 || end === -1) break;
    const head = decodeLossy(part(bytes, at + 2, blank));
    addField(form, head, part(bytes, blank + 4, end));
    at = end + 2;
  }
  throw new TypeErrorIntrinsic("the body is not the multipart/form-data it should be");
}

function addField(form: FormData, head: string, content: Uint8Array): void {
  const name = RegExpExec(/^content-disposition:[ \t]*form-data[^\r\n]*?;[ \t]*name="([^"\r\n]*)"/im, head)?.[1];
  if (name === undefined) throw new TypeErrorIntrinsic("a field of the form has no name");
  const filename = RegExpExec(/^content-disposition:[^\r\n]*;[ \t]*filename="([^"\r\n]*)"/im, head)?.[1];
  if (filename === undefined) {
    form.append(unescaped(name), decodeLossy(content));
  } else {
    const type = RegExpExec(/^content-type:[ \t]*([^\r\n]*)/im, head)?.[1];
    form.append(unescaped(name), new File([copied(content)], unescaped(filename), { type: type ?? "text/plain" }));
  }
}

/** Every end of line as CR LF. */
function lines(text: string): string {
  let out = "";
  for (let i = 0; i < text.length; i++) {
    const unit = text[i] as string;
    if (unit === "\r") {
      out += "\r\n";
      if (text[i + 1] === "\n") i++;
    } else {
      out += unit === "\n" ? "\r\n" : unit;
    }
  }
  return out;
}

function escaped(text: string): string {
  let out = "";
  for (let i = 0; i < text.length; i++) {
    const unit = text[i] as string;
    out += unit === "\n" ? "%0A" : unit === "\r" ? "%0D" : unit === '"' ? "%22" : unit;
  }
  return out;
}

function unescaped(text: string): string {
  let out = "";
  for (let i = 0; i < text.length; i++) {
    const code = text[i] === "%" ? StringSlice(text, i, i + 3) : "";
    const plain = code === "%0A" ? "\n" : code === "%0D" ? "\r" : code === "%22" ? '"' : undefined;
    out += plain ?? (text[i] as string);
    if (plain !== undefined) i += 2;
  }
  return out;
}
