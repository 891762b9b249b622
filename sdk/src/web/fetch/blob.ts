// Blob and File, after https://w3c.github.io/FileAPI: bytes with a type, whole and in memory.

import {
  ArrayIsArray,
  DateNow,
  NumberIntrinsic,
  MathTrunc,
  RegExpExec,
  StringIntrinsic,
  StringToLowerCase,
  StringToWellFormed,
  TypeErrorIntrinsic,
  TypedArrayBuffer,
  append,
  isObject,
} from "../../prelude/primordials.ts";
import { bytesOf, isBytes } from "../bytes.ts";
import { decodeLossy, encodeUtf8 } from "../utf8.ts";
import { copied, joined, part, withoutMark } from "./pieces.ts";

type Part = string | ArrayBuffer | ArrayBufferView | Blob;

export let isBlob: (value: unknown) => value is Blob;
export let isFile: (value: unknown) => value is File;
export let bytesOfBlob: (blob: Blob) => Uint8Array<ArrayBuffer>;
/** A Blob of bytes that nobody else has. */
export let blobOf: (bytes: Uint8Array<ArrayBuffer>, type: string) => Blob;

export class Blob {
  #bytes: Uint8Array<ArrayBuffer>;
  #type: string;

  static {
    isBlob = (value): value is Blob => isObject(value) && #bytes in value;
    bytesOfBlob = (blob) => blob.#bytes;
    blobOf = (bytes, type) => {
      const blob = new Blob();
      blob.#bytes = bytes;
      blob.#type = typeOf(type);
      return blob;
    };
  }

  constructor(parts?: Iterable<Part>, options?: { type?: string }) {
    this.#bytes = joined(parts === undefined ? [] : bytesOfParts(parts));
    this.#type = typeOf(options?.type);
  }

  get size(): number {
    return this.#bytes.length;
  }

  get type(): string {
    return this.#type;
  }

  slice(start = 0, end: number = this.#bytes.length, type = ""): Blob {
    const { length } = this.#bytes;
    return blobOf(copied(part(this.#bytes, within(start, length), within(end, length))), type);
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return TypedArrayBuffer(copied(this.#bytes));
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return copied(this.#bytes);
  }

  async text(): Promise<string> {
    return withoutMark(decodeLossy(this.#bytes));
  }
}

export class File extends Blob {
  #name: string;
  #lastModified: number;

  static {
    isFile = (value): value is File => isObject(value) && #lastModified in value;
  }

  constructor(parts: Iterable<Part>, name: string, options?: { type?: string; lastModified?: number }) {
    super(parts, options);
    this.#name = StringToWellFormed(StringIntrinsic(name));
    this.#lastModified = options?.lastModified === undefined ? DateNow() : NumberIntrinsic(options.lastModified);
  }

  get name(): string {
    return this.#name;
  }

  get lastModified(): number {
    return this.#lastModified;
  }
}

function bytesOfParts(parts: Iterable<Part>): Uint8Array[] {
  if (!isObject(parts)) throw new TypeErrorIntrinsic("the parts of a Blob should be in an array");
  const out: Uint8Array[] = [];
  const list = ArrayIsArray(parts) ? parts : [...parts];
  for (let i = 0; i < list.length; i++) {
    const given: unknown = list[i];
    if (isBlob(given)) append(out, bytesOfBlob(given));
    else if (isBytes(given)) append(out, bytesOf(given));
    else append(out, encodeUtf8(StringIntrinsic(given)));
  }
  return out;
}

function typeOf(given: unknown): string {
  const type = given === undefined ? "" : StringIntrinsic(given);
  return RegExpExec(/[^\x20-\x7e]/, type) === null ? StringToLowerCase(type) : "";
}

/** An index from the start, or from the end when it is negative, in 0…length. */
function within(index: number, length: number): number {
  const at = MathTrunc(NumberIntrinsic(index)) || 0;
  const from = at < 0 ? length + at : at;
  return from < 0 ? 0 : from > length ? length : from;
}
