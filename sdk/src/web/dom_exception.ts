// DOMException, as far as scripts meet it: name, message, and the code that names once had.

import {
  ErrorCaptureStackTrace,
  ErrorIntrinsic,
  ObjectDefineProperty,
  StringIntrinsic,
  own,
} from "../prelude/primordials.ts";

const CODES = {
  __proto__: null,
  IndexSizeError: 1,
  HierarchyRequestError: 3,
  WrongDocumentError: 4,
  InvalidCharacterError: 5,
  NoModificationAllowedError: 7,
  NotFoundError: 8,
  NotSupportedError: 9,
  InvalidStateError: 11,
  SyntaxError: 12,
  InvalidModificationError: 13,
  NamespaceError: 14,
  InvalidAccessError: 15,
  SecurityError: 18,
  NetworkError: 19,
  AbortError: 20,
  URLMismatchError: 21,
  QuotaExceededError: 22,
  TimeoutError: 23,
  DataCloneError: 25,
} as unknown as { readonly [name: string]: number | undefined };

export class DOMException extends ErrorIntrinsic {
  #name: string;

  constructor(message = "", options: string | { name?: string; cause?: unknown } = "Error") {
    super(StringIntrinsic(message));
    this.#name = StringIntrinsic(typeof options === "string" ? options : (options.name ?? "Error"));
    if (typeof options === "object" && "cause" in options) ObjectDefineProperty(this, "cause", own(options.cause));
    // Error wrote its own name into the stack before there was this one.
    ErrorCaptureStackTrace(this, DOMException);
  }

  override get name(): string {
    return this.#name;
  }

  get code(): number {
    return CODES[this.#name] ?? 0;
  }
}
