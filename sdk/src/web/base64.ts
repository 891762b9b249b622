// atob and btoa, after https://infra.spec.whatwg.org/#forgiving-base64. V8's own decoder is as forgiving.

import {
  RangeErrorIntrinsic,
  StringCharCodeAt,
  StringIntrinsic,
  Uint8ArrayFromBase64,
  Uint8ArrayIntrinsic,
  Uint8ArrayToBase64,
} from "../prelude/primordials.ts";
import { DOMException } from "./dom_exception.ts";
import { BYTES_LIMIT, latin1 } from "./utf8.ts";

export function atob(data: string): string {
  const text = StringIntrinsic(data);
  checkLength(text);
  let bytes: Uint8Array;
  try {
    bytes = Uint8ArrayFromBase64(text);
  } catch {
    throw new DOMException("The string to be decoded is not correctly encoded.", "InvalidCharacterError");
  }
  return latin1(bytes);
}

export function btoa(data: string): string {
  const text = StringIntrinsic(data);
  checkLength(text);
  const bytes = new Uint8ArrayIntrinsic(text.length);
  for (let i = 0; i < text.length; i++) {
    const unit = StringCharCodeAt(text, i);
    if (unit > 0xff) {
      throw new DOMException(
        "The string to be encoded contains characters outside of the Latin1 range.",
        "InvalidCharacterError",
      );
    }
    bytes[i] = unit;
  }
  return Uint8ArrayToBase64(bytes);
}

function checkLength(text: string): void {
  if (text.length > BYTES_LIMIT) throw new RangeErrorIntrinsic("the text is longer than 8 MiB");
}
