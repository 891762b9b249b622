// crypto.subtle, after https://w3c.github.io/webcrypto: digests, and HMAC with keys of bytes. What else it could
// do (ciphers, key pairs) is not there. It runs here, in the script's own time, and nothing leaves the isolate.

import {
  ArrayIsArray,
  StringIntrinsic,
  StringToUpperCase,
  TypeErrorIntrinsic,
  TypedArrayBuffer,
  Uint8ArrayIntrinsic,
  append,
  isObject,
} from "../../prelude/primordials.ts";
import { webModule } from "../../lazies.ts";
import { bytesOf } from "../bytes.ts";
import { copied } from "../fetch/pieces.ts";
import { type Hash, HASHES, digest } from "./sha.ts";

type Bytes = ArrayBuffer | ArrayBufferView;
type Named = string | { name: string };
type Usage = "sign" | "verify";

const KEY = {};
let keyOf: (key: CryptoKey) => { hash: Hash; bytes: Uint8Array; usages: Usage[] };

/** A key of HMAC. Its bytes are not given out again. */
export class CryptoKey {
  #key: { hash: Hash; bytes: Uint8Array; usages: Usage[] };

  static {
    keyOf = (key) => {
      if (!isObject(key) || !(#key in key)) throw new TypeErrorIntrinsic("a CryptoKey is needed");
      return key.#key;
    };
  }

  constructor(guard?: object, hash?: Hash, bytes?: Uint8Array, usages?: Usage[]) {
    if (guard !== KEY) throw new TypeErrorIntrinsic("Illegal constructor: use crypto.subtle.importKey()");
    this.#key = { hash: hash as Hash, bytes: bytes as Uint8Array, usages: usages as Usage[] };
  }

  get type(): "secret" {
    return "secret";
  }

  get extractable(): false {
    return false;
  }

  get algorithm(): { name: "HMAC"; hash: { name: string }; length: number } {
    const { hash, bytes } = this.#key;
    return { name: "HMAC", hash: { name: hash.name }, length: 8 * bytes.length };
  }

  get usages(): Usage[] {
    const out: Usage[] = [];
    for (let i = 0; i < this.#key.usages.length; i++) append(out, this.#key.usages[i] as Usage);
    return out;
  }
}

export class SubtleCrypto {
  constructor(guard?: object) {
    if (guard !== KEY) throw new TypeErrorIntrinsic("Illegal constructor: use crypto.subtle");
  }

  async digest(algorithm: Named, data: Bytes): Promise<ArrayBuffer> {
    return TypedArrayBuffer(digest(hashOf(algorithm), [copied(bytesOf(given(data)))]));
  }

  async importKey(
    format: "raw",
    keyData: Bytes,
    algorithm: { name: string; hash: Named },
    extractable: boolean,
    usages: readonly Usage[],
  ): Promise<CryptoKey> {
    if (format !== "raw") throw unsupported(`keys in the format "${StringIntrinsic(format)}"`);
    const name = StringToUpperCase(nameOf(algorithm));
    if (name !== "HMAC") throw unsupported(`keys of ${name}`);
    if (extractable) throw unsupported("keys that can be exported");
    const hash = hashOf(algorithm.hash);
    const bytes = copied(bytesOf(given(keyData)));
    if (bytes.length === 0) throw dom("the key has no bytes", "DataError");
    return new CryptoKey(KEY, hash, bytes, usagesOf(usages));
  }

  async sign(algorithm: Named, key: CryptoKey, data: Bytes): Promise<ArrayBuffer> {
    return TypedArrayBuffer(mac(algorithm, key, "sign", data));
  }

  /** Takes as long whichever byte is wrong. */
  async verify(algorithm: Named, key: CryptoKey, signature: Bytes, data: Bytes): Promise<boolean> {
    const theirs = copied(bytesOf(given(signature)));
    const ours = mac(algorithm, key, "verify", data);
    let different = theirs.length ^ ours.length;
    for (let i = 0; i < ours.length; i++) different |= (ours[i] as number) ^ (theirs[i % (theirs.length || 1)] ?? 0);
    return different === 0;
  }
}

export const subtle = new SubtleCrypto(KEY);

/** RFC 2104. */
function mac(algorithm: Named, key: CryptoKey, usage: Usage, data: Bytes): Uint8Array<ArrayBuffer> {
  const { hash, bytes, usages } = keyOf(key);
  if (StringToUpperCase(nameOf(algorithm)) !== "HMAC") throw dom("the key is one of HMAC", "InvalidAccessError");
  if (!has(usages, usage)) throw dom(`the key was not imported to ${usage}`, "InvalidAccessError");
  const inner = new Uint8ArrayIntrinsic(hash.block);
  const outer = new Uint8ArrayIntrinsic(hash.block);
  const short = bytes.length > hash.block ? digest(hash, [bytes]) : bytes;
  for (let i = 0; i < hash.block; i++) {
    const byte = i < short.length ? (short[i] as number) : 0;
    inner[i] = byte ^ 0x36;
    outer[i] = byte ^ 0x5c;
  }
  return digest(hash, [outer, digest(hash, [inner, bytesOf(given(data))])]);
}

function hashOf(algorithm: Named): Hash {
  const name = StringToUpperCase(nameOf(algorithm));
  for (let i = 0; i < HASHES.length; i++) {
    if ((HASHES[i] as Hash).name === name) return HASHES[i] as Hash;
  }
  throw unsupported(name);
}

function nameOf(algorithm: unknown): string {
  if (typeof algorithm === "string") return algorithm;
  if (!isObject(algorithm) || !("name" in algorithm)) throw new TypeErrorIntrinsic("an algorithm has a name");
  return StringIntrinsic(algorithm.name);
}

function usagesOf(given: readonly Usage[]): Usage[] {
  const out: Usage[] = [];
  const list = ArrayIsArray(given) ? given : [...given];
  for (let i = 0; i < list.length; i++) {
    const usage = StringIntrinsic(list[i]);
    if (usage !== "sign" && usage !== "verify") throw dom(`a key of HMAC cannot ${usage}`, "SyntaxError");
    if (!has(out, usage)) append(out, usage);
  }
  if (out.length === 0) throw dom("the key is imported to no use", "SyntaxError");
  return out;
}

function has(usages: readonly Usage[], usage: Usage): boolean {
  for (let i = 0; i < usages.length; i++) {
    if (usages[i] === usage) return true;
  }
  return false;
}

function given(data: unknown): unknown {
  if (data === undefined) throw new TypeErrorIntrinsic("an ArrayBuffer or a view of one is needed");
  return data;
}

function unsupported(what: string): Error {
  return dom(`${what}: not supported`, "NotSupportedError");
}

function dom(message: string, name: string): Error {
  return new (webModule().DOMException)(message, name);
}
