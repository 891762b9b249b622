// Errors that scripts meet, and the text of anything that was thrown.

import { ErrorIntrinsic, StringIntrinsic, StringSlice } from "./primordials.ts";

/** Characters of one log line or one error that leave the isolate. */
export const TEXT_LIMIT = 4096;

interface Details {
  status?: number;
  discordCode?: number;
  retryAfter?: number;
}

/** A call that failed: `code` is one of the documented error codes. */
export class FloraError extends ErrorIntrinsic implements flora.FloraError {
  readonly code: flora.FloraErrorCode;
  declare readonly status?: number;
  declare readonly discordCode?: number;
  declare readonly retryAfter?: number;
  constructor(code: flora.FloraErrorCode, message: string, details?: Details) {
    super(message);
    this.code = code;
    if (details?.status !== undefined) this.status = details.status;
    if (details?.discordCode !== undefined) this.discordCode = details.discordCode;
    if (details?.retryAfter !== undefined) this.retryAfter = details.retryAfter;
  }
}
FloraError.prototype.name = "FloraError";

/** An argument of a call is wrong. The wording is the original host's. */
export function invalidInput(field: string, reason: string): FloraError {
  return new FloraError("INVALID_INPUT", `Invalid input for ${field}: ${reason}`);
}

/** The error for what the host answered. */
export function failure(answer: unknown): FloraError {
  const { code, message, ...details } = answer as Partial<FloraError> & Details;
  return new FloraError(code ?? "DISCORD_HTTP_ERROR", message ?? "the call failed", details);
}

export function cut(text: string): string {
  return text.length > TEXT_LIMIT ? `${StringSlice(text, 0, TEXT_LIMIT - 1)}…` : text;
}

/** The text of anything that was thrown: its stack where it has one, at most `TEXT_LIMIT` characters. */
export function errorText(error: unknown): string {
  try {
    const stack = typeof error === "object" && error !== null ? (error as Error).stack : undefined;
    return cut(typeof stack === "string" && stack !== "" ? stack : StringIntrinsic(error));
  } catch {
    return "an error that cannot be shown as text";
  }
}
