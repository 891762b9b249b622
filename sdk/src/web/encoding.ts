// TextEncoder and TextDecoder, for UTF-8 only: the encoding of everything Discord and the web send today.

import {
  TypeErrorIntrinsic,
  RangeErrorIntrinsic,
  StringIntrinsic,
  StringSlice,
  StringToLowerCase,
  StringTrim,
} from "../prelude/primordials.ts";
import { bytesOf } from "./bytes.ts";
import { decodeUtf8, encodeUtf8, newUtf8State, writeUtf8 } from "./utf8.ts";

export class TextEncoder {
  get encoding(): string {
    return "utf-8";
  }

  encode(input = ""): Uint8Array<ArrayBuffer> {
    return encodeUtf8(StringIntrinsic(input));
  }

  encodeInto(source: string, destination: Uint8Array): { read: number; written: number } {
    return writeUtf8(StringIntrinsic(source), bytesOf(destination));
  }
}

export class TextDecoder {
  #fatal: boolean;
  #ignoreBOM: boolean;
  #state = newUtf8State();
  #atStart = true;

  constructor(label = "utf-8", options?: { fatal?: boolean; ignoreBOM?: boolean }) {
    const name = StringToLowerCase(StringTrim(StringIntrinsic(label)));
    if (name !== "utf-8" && name !== "utf8" && name !== "unicode-1-1-utf-8") {
      throw new RangeErrorIntrinsic(`the encoding "${name}" is not supported; utf-8 is`);
    }
    this.#fatal = options?.fatal === true;
    this.#ignoreBOM = options?.ignoreBOM === true;
  }

  get encoding(): string {
    return "utf-8";
  }

  get fatal(): boolean {
    return this.#fatal;
  }

  get ignoreBOM(): boolean {
    return this.#ignoreBOM;
  }

  decode(input?: ArrayBuffer | ArrayBufferView, options?: { stream?: boolean }): string {
    const more = options?.stream === true;
    const state = this.#state;
    let text: string;
    try {
      text = decodeUtf8(bytesOf(input), state, !more, this.#fatal ? refuse : undefined);
    } catch (error) {
      this.#state = newUtf8State();
      this.#atStart = true;
      throw error;
    }
    if (this.#atStart && text !== "") {
      this.#atStart = false;
      if (text[0] === "\ufeff" && !this.#ignoreBOM) text = StringSlice(text, 1);
    }
    if (!more) this.#atStart = true;
    return text;
  }
}

function refuse(): never {
  throw new TypeErrorIntrinsic("the bytes are not valid UTF-8");
}
