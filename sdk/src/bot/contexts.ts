// The contexts that handlers get: the payload, the raw event, and ways to answer. Methods are closures, so
// that scripts may take them apart: `({ msg, reply }) => reply("hi")`.

import type { DiscordMessage } from "../events/discord.ts";
import { message } from "../events/message.ts";
import { invalidInput } from "../prelude/errors.ts";
import { queuedOp } from "../prelude/host.ts";
import { promised, rejected } from "../prelude/primordials.ts";
import { type Body, carry, editBody, nonce, sendBody } from "./body.ts";
import { isMe, knowsMe, learnMe } from "./me.ts";

/** Makes the context for one event; all of its handlers share it. */
export type ContextMaker<P = never, D = never> = (msg: P, raw: D) => unknown;

type Reply = flora.BaseContext<unknown>["reply"];
type Edit = flora.BaseContext<unknown>["edit"];

/** `reply` and `edit` around one message: `source` in `channel`, which the bot may have written itself. */
function conversation(channel: string, source: string | undefined, mine: () => boolean): { reply: Reply; edit: Edit } {
  let last: Promise<flora.EventMessage> | undefined;
  return {
    reply: (input) =>
      promised(() => {
        const { body, replyTo } = sendBody(input);
        const target = replyTo === undefined ? source : replyTo;
        // A reply to a message that is gone is still sent, as a plain message.
        if (target) body.message_reference = { message_id: target, fail_if_not_exists: false };
        return (last = send(channel, body));
      }),
    edit: (input) =>
      promised(() => {
        const body = editBody(input);
        if (last !== undefined) return editSent(last, body);
        if (source !== undefined && mine()) return editMessage(channel, source, body);
        throw invalidInput(
          "message_id",
          "there is nothing of the bot's to edit: reply() first, or edit in an event of a message that the bot wrote",
        );
      }),
  };
}

function send(channel: string, body: Body): Promise<flora.EventMessage> {
  // Discord drops a second message with the same nonce: the host may retry without saying things twice.
  if (body.nonce === undefined) body.nonce = nonce();
  body.enforce_nonce = true;
  return queuedOp("sendMessage", carry({ path: { channel }, body }, body), sent);
}

function sent(result: unknown): flora.EventMessage {
  learnMe((result as DiscordMessage).author?.id);
  return message(result as DiscordMessage);
}

async function editSent(sending: Promise<flora.EventMessage>, body: Body): Promise<flora.EventMessage> {
  const { channelId, id } = await sending;
  return await editMessage(channelId, id, body);
}

function editMessage(channel: string, id: string, body: Body): Promise<flora.EventMessage> {
  return queuedOp(
    "editMessage",
    carry({ path: { channel, message: id }, body }, body),
    message as (result: unknown) => flora.EventMessage,
  );
}

/** For messages. */
export function messageContext<P extends flora.EventMessage | flora.EventMessageUpdate>(
  msg: P,
  raw: unknown,
): flora.BaseContext<P> {
  const { author } = msg;
  const mine = () => isMe(author?.id) || (!knowsMe() && author?.bot === true);
  const { reply, edit } = conversation(msg.channelId, msg.id, mine);
  return { msg, raw: raw as flora.JsonValue, reply, edit };
}

type Post = { id?: string; messageId?: string; channelId: string; messageAuthorId?: string };

/** For what happened to a message: deletes and reactions. */
export function postContext<P extends Post>(msg: P, raw: unknown): flora.BaseContext<P> {
  const { reply, edit } = conversation(msg.channelId, msg.id ?? msg.messageId, () => isMe(msg.messageAuthorId));
  return { msg, raw: raw as flora.JsonValue, reply, edit };
}

/** For events that happen in no channel. */
export function plainContext<P>(msg: P, raw: unknown): flora.BaseContext<P> {
  const nowhere = () => rejected(invalidInput("channel_id", "this event has no channel to answer in"));
  return { msg, raw: raw as flora.JsonValue, reply: nowhere, edit: nowhere };
}

/** For what happens in a channel, but to no message: an answer is a message there. */
export function placeContext<P>(channel: string | null | undefined, msg: P, raw: unknown): flora.BaseContext<P> {
  if (!channel) return plainContext(msg, raw);
  const { reply, edit } = conversation(channel, undefined, () => false);
  return { msg, raw: raw as flora.JsonValue, reply, edit };
}
