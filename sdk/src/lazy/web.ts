// The rest of the web platform.
export { AbortController, AbortSignal } from "../web/abort.ts";
export { atob, btoa } from "../web/base64.ts";
export { crypto } from "../web/crypto.ts";
export { DOMException } from "../web/dom_exception.ts";
export { TextDecoder, TextEncoder } from "../web/encoding.ts";
export { Event, EventTarget } from "../web/event_target.ts";
export { structuredClone } from "../web/structured_clone.ts";
