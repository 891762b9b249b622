// Messages, reactions and pins. Each channel, and so each message in it, must be the guild's.

import { type Body, carry, editBody, nonce, sendBody } from "../bot/body.ts";
import { emojiOf, ids, method, optionalId, query, reasonOf, whole } from "./arguments.ts";
import { act, ask } from "./calls.ts";
import { id } from "./ids.ts";

type Rest = flora.Rest;
type OfMessage = { channelId: string; messageId: string };

function channelPath({ channelId }: { channelId: string }): { channel: string } {
  return { channel: id(channelId, "channel_id") };
}

function messagePath({ channelId, messageId }: OfMessage): { channel: string; message: string } {
  return { channel: id(channelId, "channel_id"), message: id(messageId, "message_id") };
}

function reactionPath(input: flora.RawReaction): { channel: string; message: string; emoji: string } {
  const { channel, message } = messagePath(input);
  return { channel, message, emoji: emojiOf(input.emoji) };
}

/** What is sent, and as a reply to what: `messageId` is the original's older name for `replyTo`. */
function newMessage(input: flora.RawSendMessage): Body {
  const { body, replyTo } = sendBody(input);
  const target = optionalId(replyTo === undefined ? input.messageId : replyTo, "message_id");
  if (target !== undefined) body.message_reference = { message_id: target, fail_if_not_exists: false };
  if (body.nonce === undefined) body.nonce = nonce();
  body.enforce_nonce = true;
  return body;
}

function onMessage(name: string): (input: OfMessage & { reason?: string }) => Promise<void> {
  return method((input) => act(name, { path: messagePath(input), reason: reasonOf(input) }));
}

export const messages: Pick<
  Rest,
  | "sendMessage"
  | "editMessage"
  | "deleteMessage"
  | "bulkDeleteMessages"
  | "pinMessage"
  | "unpinMessage"
  | "listPins"
  | "crosspostMessage"
  | "fetchMessage"
  | "fetchMessages"
  | "addReaction"
  | "removeReaction"
  | "listReactions"
  | "clearReactions"
  | "triggerTyping"
> = {
  sendMessage: method((input) => {
    const path = channelPath(input);
    const body = newMessage(input);
    return ask("sendMessage", carry({ path, body }, body));
  }),
  editMessage: method((input) => {
    const path = messagePath(input);
    const body = editBody(input);
    return ask("editMessage", carry({ path, body }, body));
  }),
  deleteMessage: onMessage("deleteMessage"),
  bulkDeleteMessages: method((input) =>
    act("bulkDeleteMessages", {
      path: channelPath(input),
      body: { messages: ids(input.messageIds, "message_ids", 2, 100) },
      reason: reasonOf(input),
    }),
  ),
  pinMessage: onMessage("pinMessage"),
  unpinMessage: onMessage("unpinMessage"),
  listPins: method((input) =>
    ask("listPins", {
      path: channelPath(input),
      query: { limit: query(whole(input.limit, "limit", 1, 50)), before: query(input.before) },
    }),
  ),
  crosspostMessage: method((input) => ask("crosspostMessage", { path: messagePath(input) })),
  fetchMessage: method((input) => ask("fetchMessage", { path: messagePath(input) })),
  fetchMessages: method((input) =>
    ask("fetchMessages", {
      path: channelPath(input),
      query: {
        limit: query(whole(input.limit, "limit", 1, 100)),
        before: query(optionalId(input.before, "before")),
        after: query(optionalId(input.after, "after")),
        around: query(optionalId(input.around, "around")),
      },
    }),
  ),
  addReaction: method((input) => act("addReaction", { path: reactionPath(input) })),
  removeReaction: method((input) => {
    const { channel, message, emoji } = reactionPath(input);
    const user = optionalId(input.userId, "user_id");
    return user === undefined
      ? act("removeOwnReaction", { path: { channel, message, emoji } })
      : act("removeReaction", { path: { channel, message, emoji, user } });
  }),
  listReactions: method((input) =>
    ask("listReactions", {
      path: reactionPath(input),
      query: {
        limit: query(whole(input.limit, "limit", 1, 100)),
        after: query(optionalId(input.after, "after")),
        type: query(whole(input.type, "type", 0, 1)),
      },
    }),
  ),
  clearReactions: method((input) => {
    const { channel, message } = messagePath(input);
    return input.emoji === undefined || input.emoji === null
      ? act("clearReactions", { path: { channel, message } })
      : act("clearReactionsOfEmoji", { path: { channel, message, emoji: emojiOf(input.emoji) } });
  }),
  triggerTyping: method((input) => act("triggerTyping", { path: channelPath(input) })),
};
