// Percent-encoding, after https://url.spec.whatwg.org/#percent-encoded-bytes.

import {
  NumberToString,
  StringCharCodeAt,
  StringCodePointAt,
  StringFromCodePoint,
  StringIndexOf,
  StringSlice,
  StringToUpperCase,
  TypedArraySubarray,
  Uint8ArrayIntrinsic,
} from "../prelude/primordials.ts";
import { decodeLossy, encodeUtf8 } from "./utf8.ts";

// The printable ASCII characters of each set. Controls and everything beyond ASCII are in all of them.
export const C0 = "";
export const FRAGMENT = ' "<>`';
export const QUERY = ' "#<>';
export const SPECIAL_QUERY = `${QUERY}'`;
export const PATH = `${QUERY}?^\`{}`;
export const USERINFO = `${PATH}/:;=@[\\]|`;
const COMPONENT = `${USERINFO}$%&+,`;
export const FORM = `${COMPONENT}!'()~`;

function isIn(code: number, character: string, set: string): boolean {
  return code < 0x20 || code > 0x7e || StringIndexOf(set, character) !== -1;
}

/** `text` with the characters of `set` encoded; what is encoded already stays. */
export function percentEncode(text: string, set: string): string {
  let out = "";
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const code = StringCharCodeAt(text, i);
    if (!isIn(code, text[i] as string, set)) continue;
    const character = code < 0x80 ? (text[i] as string) : StringFromCodePoint(StringCodePointAt(text, i));
    out += StringSlice(text, from, i) + percentBytes(character);
    i += character.length - 1;
    from = i + 1;
  }
  return from === 0 ? text : out + StringSlice(text, from);
}

function percentBytes(character: string): string {
  const bytes = encodeUtf8(character);
  let out = "";
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    out += (byte < 16 ? "%0" : "%") + StringToUpperCase(NumberToString(byte, 16));
  }
  return out;
}

function isHex(code: number): boolean {
  return (code >= 48 && code <= 57) || (code >= 65 && code <= 70) || (code >= 97 && code <= 102);
}

/** The text behind `text`; malformed escapes stay, malformed UTF-8 becomes U+FFFD. */
export function percentDecode(text: string): string {
  if (StringIndexOf(text, "%") === -1) return text;
  const bytes = encodeUtf8(text);
  const out = new Uint8ArrayIntrinsic(bytes.length);
  let length = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    if (byte === 37 && i + 2 < bytes.length && isHex(bytes[i + 1] as number) && isHex(bytes[i + 2] as number)) {
      out[length++] = hex(bytes[i + 1] as number) * 16 + hex(bytes[i + 2] as number);
      i += 2;
    } else {
      out[length++] = byte;
    }
  }
  return decodeLossy(TypedArraySubarray(out, 0, length));
}

function hex(code: number): number {
  return code < 58 ? code - 48 : (code | 32) - 87;
}
