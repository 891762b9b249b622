// Hosts of URLs: domains, IPv4, IPv6 and opaque ones, after https://url.spec.whatwg.org/#host-parsing.

import {
  MathFloor,
  NumberIntrinsic,
  NumberToString,
  RegExpExec,
  StringIndexOf,
  StringSlice,
  append,
} from "../prelude/primordials.ts";
import { toAscii } from "./idna.ts";
import { C0, percentDecode, percentEncode } from "./percent.ts";

const FORBIDDEN_HOST = /[\0\t\n\r #/:<>?@[\\\]^|]/;
const FORBIDDEN_DOMAIN = /[\0-\x20"#%/:<>?@[\\\]^`{|}\x7f]/;

/** The serialised host, undefined when `input` is none. */
export function parseHost(input: string, special: boolean): string | undefined {
  if (input[0] === "[") {
    if (input[input.length - 1] !== "]") return undefined;
    const address = parseIPv6(StringSlice(input, 1, -1));
    return address === undefined ? undefined : `[${serializeIPv6(address)}]`;
  }
  if (!special) return RegExpExec(FORBIDDEN_HOST, input) === null ? percentEncode(input, C0) : undefined;
  const domain = toAscii(percentDecode(input));
  if (domain === undefined || domain === "" || RegExpExec(FORBIDDEN_DOMAIN, domain) !== null) return undefined;
  return endsInNumber(domain) ? parseIPv4(domain) : domain;
}

function split(text: string, separator: string): string[] {
  const out: string[] = [];
  let from = 0;
  for (let at = StringIndexOf(text, separator); at !== -1; at = StringIndexOf(text, separator, from)) {
    append(out, StringSlice(text, from, at));
    from = at + 1;
  }
  append(out, StringSlice(text, from));
  return out;
}

function endsInNumber(domain: string): boolean {
  const parts = split(domain, ".");
  let last = parts[parts.length - 1] as string;
  if (last === "" && parts.length > 1) last = parts[parts.length - 2] as string;
  return RegExpExec(/^(?:\d+|0[xX][\da-fA-F]*)$/, last) !== null;
}

function parseIPv4(domain: string): string | undefined {
  const parts = split(domain, ".");
  let count = parts.length;
  if (count > 1 && parts[count - 1] === "") count--;
  if (count > 4) return undefined;
  let address = 0;
  for (let i = 0; i < count; i++) {
    const number = parseIPv4Number(parts[i] as string);
    if (number === undefined) return undefined;
    if (i < count - 1) {
      if (number > 255) return undefined;
      address += number * 256 ** (3 - i);
    } else {
      if (number >= 256 ** (5 - count)) return undefined;
      address += number;
    }
  }
  let out = "";
  for (let i = 3; i >= 0; i--) out += (i < 3 ? "." : "") + (MathFloor(address / 256 ** i) % 256);
  return out;
}

/** Decimal, `0x` hexadecimal or `0` octal. */
function parseIPv4Number(text: string): number | undefined {
  if (RegExpExec(/^0[xX][\da-fA-F]*$/, text) !== null) return text.length === 2 ? 0 : NumberIntrinsic(text);
  if (RegExpExec(/^0[0-7]+$/, text) !== null) return NumberIntrinsic(`0o${text}`);
  return RegExpExec(/^(?:0|[1-9]\d*)$/, text) === null ? undefined : NumberIntrinsic(text);
}

/** Eight 16-bit pieces. */
function parseIPv6(input: string): number[] | undefined {
  const address = [0, 0, 0, 0, 0, 0, 0, 0];
  let piece = 0;
  let compress = -1;
  let at = 0;
  if (input[0] === ":") {
    if (input[1] !== ":") return undefined;
    at = 2;
    compress = ++piece;
  }
  while (at < input.length) {
    if (piece === 8) return undefined;
    if (input[at] === ":") {
      if (compress !== -1) return undefined;
      at++;
      compress = ++piece;
      continue;
    }
    const digits = RegExpExec(/^[\da-fA-F]{0,4}/, StringSlice(input, at, at + 4))?.[0] as string;
    if (input[at + digits.length] === ".") {
      if (digits === "" || piece > 6) return undefined;
      const tail = parseIPv4Tail(StringSlice(input, at));
      if (tail === undefined) return undefined;
      address[piece++] = tail[0];
      address[piece++] = tail[1];
      at = input.length;
      break;
    }
    at += digits.length;
    if (at < input.length) {
      if (input[at] !== ":" || digits === "" || ++at === input.length) return undefined;
    }
    address[piece++] = digits === "" ? 0 : NumberIntrinsic(`0x${digits}`);
  }
  if (compress !== -1) {
    for (let swaps = piece - compress, to = 7; to !== 0 && swaps > 0; to--, swaps--) {
      const from = compress + swaps - 1;
      const moved = address[from] as number;
      address[from] = address[to] as number;
      address[to] = moved;
    }
  } else if (piece !== 8) {
    return undefined;
  }
  return address;
}

/** The dotted end of an IPv6 address as two pieces. */
function parseIPv4Tail(text: string): [number, number] | undefined {
  const match = RegExpExec(/^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/, text);
  if (match === null) return undefined;
  const bytes = [0, 0, 0, 0];
  for (let i = 0; i < 4; i++) {
    const byte = NumberIntrinsic(match[i + 1]);
    if (byte > 255) return undefined;
    bytes[i] = byte;
  }
  return [(bytes[0] as number) * 256 + (bytes[1] as number), (bytes[2] as number) * 256 + (bytes[3] as number)];
}

/** The longest run of two or more zeros becomes `::`. */
function serializeIPv6(address: number[]): string {
  let start = -1;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let run = 0;
    while (i + run < 8 && address[i + run] === 0) run++;
    if (run > length) {
      start = i;
      length = run;
    }
    if (run > 0) i += run - 1;
  }
  let out = "";
  for (let i = 0; i < 8; i++) {
    if (i === start) {
      out += i === 0 ? "::" : ":";
      i += length - 1;
      continue;
    }
    out += NumberToString(address[i] as number, 16);
    if (i < 7) out += ":";
  }
  return out;
}
