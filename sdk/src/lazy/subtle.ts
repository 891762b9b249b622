// Digests and HMAC.
export { CryptoKey, SubtleCrypto, subtle } from "../web/subtle/subtle.ts";
