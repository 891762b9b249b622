// What a script passes to reply() and edit(), as Discord's JSON for a message.

import { embedJson } from "../builders/embed_json.ts";
import { invalidInput } from "../prelude/errors.ts";
import { configuration } from "../prelude/host.ts";
import { needComponentsJson } from "../prelude/lazily.ts";
import {
  ArrayIsArray,
  MathRandom,
  NumberIntrinsic,
  NumberToString,
  ObjectKeys,
  StringIntrinsic,
  StringSlice,
  isObject,
  mapList,
} from "../prelude/primordials.ts";

export interface Body {
  content?: string | null;
  embeds?: unknown[];
  components?: unknown[];
  tts?: boolean;
  allowed_mentions?: unknown;
  flags?: number;
  message_reference?: { message_id: string; fail_if_not_exists: boolean };
  nonce?: string | number;
  enforce_nonce?: boolean;
}

export const EPHEMERAL = 64;
const COMPONENTS_V2 = 32768;

type Input = flora.MessageReplyOptions & { nonce?: string | number };

/** The body of a new message, and what it replies to: undefined for the source, null for nothing. */
export function sendBody(input: unknown): { body: Body; replyTo: string | null | undefined } {
  const options = optionsOf(input);
  const body = bodyOf(options);
  if (isEmpty(body)) {
    throw invalidInput("payload", "message must include content, embeds, attachments, or components");
  }
  if (options.nonce !== undefined) body.nonce = options.nonce;
  return { body, replyTo: options.replyTo };
}

/** The body of an answer to an interaction. */
export function respondBody(input: unknown): Body {
  const options = optionsOf(input);
  const body = bodyOf(options);
  if (isEmpty(body)) {
    throw invalidInput("payload", "Response must include content, embeds, attachments, or components");
  }
  if (options.ephemeral === true) body.flags = (body.flags ?? 0) | EPHEMERAL;
  return body;
}

/** The body of an edit: only what is given changes; null as the content takes it away. */
export function editBody(input: unknown): Body {
  const options = optionsOf(input);
  const body = bodyOf(options);
  if (options.content === null) body.content = null;
  if (ObjectKeys(body).length === 0) {
    throw invalidInput("payload", "message edit must include content, embeds, components, flags, or allowed mentions");
  }
  return body;
}

function optionsOf(input: unknown): Input {
  return isObject(input) ? (input as Input) : { content: StringIntrinsic(input) };
}

function bodyOf(options: Input): Body {
  const body = { __proto__: null } as Body;
  const { content, embeds, components, tts, allowedMentions, flags } = options;
  if (content !== undefined && content !== null) body.content = StringIntrinsic(content);
  if (embeds !== undefined) body.embeds = mapList(listOf(embeds, "embeds"), embedJson);
  if (tts !== undefined) body.tts = tts;
  if (allowedMentions !== undefined) body.allowed_mentions = mentionsJson(allowedMentions);
  if (flags !== undefined) body.flags = NumberIntrinsic(flags);
  if (components !== undefined) {
    const { json, v2 } = needComponentsJson().componentsJson(listOf(components, "components"));
    body.components = json;
    if (v2) body.flags = (body.flags ?? 0) | COMPONENTS_V2;
  }
  if ((options as { attachments?: unknown[] }).attachments?.length) {
    throw invalidInput("attachments", "files cannot be sent yet; give their URL in the content or in an embed");
  }
  return body;
}

function listOf(value: unknown, field: string): unknown[] {
  if (!ArrayIsArray(value)) throw invalidInput(field, "must be an array");
  return value;
}

function isEmpty(body: Body): boolean {
  return !(body.content || body.embeds?.length || body.components?.length);
}

function mentionsJson(mentions: flora.RawAllowedMentions & { replied_user?: boolean }): unknown {
  const { parse, users, roles, repliedUser, replied_user } = mentions;
  return { parse, users, roles, replied_user: repliedUser ?? replied_user };
}

let seed = "";
let count = 0;

/** At most 25 characters (Discord's limit), never the same twice. */
export function nonce(): string {
  // Without a configuration there is no better source; nonces need to differ, not to be secret.
  if (seed === "") seed = StringSlice(configuration.seed ?? NumberToString(MathRandom(), 36), 0, 15);
  return `${seed}-${NumberToString(++count, 36)}`;
}
