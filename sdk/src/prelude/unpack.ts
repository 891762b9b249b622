// Lazy modules travel as packed text (`sdk/pack.mjs` packs them and says what the code is) and are unpacked
// when a script first uses one: what nobody uses costs an isolate less than half of its text.

import {
  Evaluate,
  ObjectDefineProperty,
  ReflectApply,
  StringCharCodeAt,
  StringFromCharCode,
  TypedArrayBuffer,
  Uint8ArrayIntrinsic,
  own,
} from "./primordials.ts";

/** Characters made at once: they are arguments of one call. */
const CHUNK = 4096;

/** The text of `length` characters that `packed` holds. */
export function unpacked(packed: string, length: number): string {
  const codes = new Uint8ArrayIntrinsic(length);
  for (let at = 0, from = 0; at < length; ) {
    const lead = StringCharCodeAt(packed, from++);
    if (lead < 0x80) {
      codes[at++] = lead;
      continue;
    }
    const digit = StringCharCodeAt(packed, from++) - 0x5d;
    let distance = 1 + digit;
    let end = at;
    if (lead < 0xe0) {
      distance += ((lead - 0x80) >> 3) * 163;
      end += 3 + (lead & 7);
    } else {
      distance += digit * 162 + StringCharCodeAt(packed, from++) - 0x5d;
      end += lead - 0xdc;
    }
    for (; at < end; at++) codes[at] = codes[at - distance] as number;
  }
  return textOf(codes, length);
}

function textOf(codes: Uint8Array, length: number): string {
  const buffer = TypedArrayBuffer(codes);
  let text = "";
  for (let at = 0; at < length; at += CHUNK) {
    const size = length - at < CHUNK ? length - at : CHUNK;
    // Of its own: the one on the prototype is within a script's reach.
    const chunk = ObjectDefineProperty(new Uint8ArrayIntrinsic(buffer, at, size), "length", own(size));
    text += ReflectApply(StringFromCharCode, undefined, chunk);
  }
  return text;
}

/** The module in `packed`: a function of what it imports, which returns what it exports. */
export function unpack(packed: string, length: number): (...imports: unknown[]) => object {
  return Evaluate(unpacked(packed, length));
}
