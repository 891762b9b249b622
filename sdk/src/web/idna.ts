// International domain names as ASCII: UTS #46 (non-transitional) without its tables. What V8 itself knows
// of Unicode stands in for them: NFKC and lower-casing map, general categories forbid. That agrees with
// the tables for the names in use; a few historic characters are let through or refused differently.

import {
  MathFloor,
  RegExpExec,
  StringCharCodeAt,
  StringCodePointAt,
  StringFromCharCode,
  StringFromCodePoint,
  StringIndexOf,
  StringNormalize,
  StringSlice,
  StringToLowerCase,
  append,
} from "../prelude/primordials.ts";

/** Characters that vanish: soft hyphen, zero-width space and joiners of words, variation selectors. */
const IGNORED =
  /[\u00ad\u034f\u180b-\u180f\u200b\u2060\u2064\ufe00-\ufe0f\ufeff\u{1bca0}-\u{1bca3}\u{e0100}-\u{e01ef}]/u;
const FORBIDDEN = /[\p{Cc}\p{Cn}\p{Co}\p{Cs}\p{Zl}\p{Zp}\ufffd\u2ff0-\u2fff]|(?![\u200c\u200d])\p{Cf}/u;
const MARK_FIRST = /^\p{M}/u;
const ASCII = /^[\0-\x7f]*$/;

/** The ASCII form of a domain, undefined when it has none. */
export function toAscii(domain: string): string | undefined {
  const mapped = RegExpExec(ASCII, domain) === null ? map(domain) : StringToLowerCase(domain);
  if (mapped === undefined) return undefined;
  let out = "";
  let from = 0;
  for (;;) {
    const dot = StringIndexOf(mapped, ".", from);
    const label = toAsciiLabel(StringSlice(mapped, from, dot === -1 ? mapped.length : dot));
    if (label === undefined) return undefined;
    out += label;
    if (dot === -1) return out;
    out += ".";
    from = dot + 1;
  }
}

function map(text: string): string | undefined {
  let kept = "";
  for (let i = 0; i < text.length; i++) {
    const character = StringFromCodePoint(StringCodePointAt(text, i));
    if (RegExpExec(IGNORED, character) === null) kept += character === "\u3002" ? "." : character;
    i += character.length - 1;
  }
  const folded = StringNormalize(StringToLowerCase(StringNormalize(kept, "NFKC")), "NFKC");
  let out = "";
  for (let i = 0; i < folded.length; i++) out += folded[i] === "\u3002" ? "." : folded[i];
  return RegExpExec(FORBIDDEN, out) === null ? out : undefined;
}

function toAsciiLabel(label: string): string | undefined {
  if (RegExpExec(ASCII, label) !== null) {
    if (StringSlice(label, 0, 4) !== "xn--") return label;
    const decoded = decodePunycode(StringSlice(label, 4));
    // It must be what encoding its own text gives: else two names would look the same.
    if (decoded === undefined || RegExpExec(ASCII, decoded) !== null || map(decoded) !== decoded) return undefined;
    return isLabel(decoded) ? label : undefined;
  }
  if (!isLabel(label)) return undefined;
  return `xn--${encodePunycode(label)}`;
}

function isLabel(label: string): boolean {
  return RegExpExec(MARK_FIRST, label) === null && StringIndexOf(label, ".") === -1;
}

// ------------------------------------------------------------------------------------------ Punycode, RFC 3492

const BASE = 36;
const T_MIN = 1;
const T_MAX = 26;

function adapt(delta: number, points: number, first: boolean): number {
  let d = first ? MathFloor(delta / 700) : delta >> 1;
  d += MathFloor(d / points);
  let k = 0;
  for (; d > ((BASE - T_MIN) * T_MAX) >> 1; k += BASE) d = MathFloor(d / (BASE - T_MIN));
  return k + MathFloor(((BASE - T_MIN + 1) * d) / (d + 38));
}

function threshold(k: number, bias: number): number {
  return k <= bias ? T_MIN : k >= bias + T_MAX ? T_MAX : k - bias;
}

function digit(value: number): string {
  return StringFromCharCode(value < 26 ? value + 97 : value + 22);
}

function codePoints(text: string): number[] {
  const out: number[] = [];
  for (let i = 0; i < text.length; i++) {
    const point = StringCodePointAt(text, i);
    append(out, point);
    if (point > 0xffff) i++;
  }
  return out;
}

function encodePunycode(text: string): string {
  const points = codePoints(text);
  let out = "";
  for (let i = 0; i < points.length; i++)
    if ((points[i] as number) < 128) out += StringFromCharCode(points[i] as number);
  const basic = out.length;
  let done = basic;
  if (basic > 0) out += "-";
  let n = 128;
  let delta = 0;
  let bias = 72;
  while (done < points.length) {
    let next = 0x7fffffff;
    for (let i = 0; i < points.length; i++) {
      const point = points[i] as number;
      if (point >= n && point < next) next = point;
    }
    delta += (next - n) * (done + 1);
    n = next;
    for (let i = 0; i < points.length; i++) {
      const point = points[i] as number;
      if (point < n) delta++;
      if (point !== n) continue;
      let q = delta;
      for (let k = BASE; ; k += BASE) {
        const t = threshold(k, bias);
        if (q < t) break;
        out += digit(t + ((q - t) % (BASE - t)));
        q = MathFloor((q - t) / (BASE - t));
      }
      out += digit(q);
      bias = adapt(delta, done + 1, done === basic);
      delta = 0;
      done++;
    }
    delta++;
    n++;
  }
  return out;
}

function decodePunycode(text: string): string | undefined {
  let points: number[] = [];
  let at = 0;
  for (let i = text.length - 1; i >= 0; i--) {
    if (text[i] !== "-") continue;
    for (let j = 0; j < i; j++) append(points, StringCharCodeAt(text, j));
    at = i + 1;
    break;
  }
  let n = 128;
  let index = 0;
  let bias = 72;
  while (at < text.length) {
    const before = index;
    for (let weight = 1, k = BASE; ; k += BASE) {
      if (at >= text.length) return undefined;
      const code = StringCharCodeAt(text, at++);
      const value = code >= 97 && code <= 122 ? code - 97 : code >= 48 && code <= 57 ? code - 22 : BASE;
      if (value >= BASE) return undefined;
      index += value * weight;
      if (index > 0x7fffffff) return undefined;
      const t = threshold(k, bias);
      if (value < t) break;
      weight *= BASE - t;
    }
    const length = points.length + 1;
    bias = adapt(index - before, length, before === 0);
    n += MathFloor(index / length);
    index %= length;
    if (n > 0x10ffff || (n >= 0xd800 && n < 0xe000)) return undefined;
    points = inserted(points, index++, n);
  }
  let out = "";
  for (let i = 0; i < points.length; i++) out += StringFromCodePoint(points[i] as number);
  return out;
}

function inserted(points: number[], at: number, point: number): number[] {
  const out: number[] = [];
  for (let i = 0; i <= points.length; i++) {
    if (i === at) append(out, point);
    if (i < points.length) append(out, points[i] as number);
  }
  return out;
}
