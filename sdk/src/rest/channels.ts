// Channels and threads. A thread is a channel: its id goes wherever a channel's does.

import { type Body, carry, sendBody } from "../bot/body.ts";
import { invalidInput } from "../prelude/errors.ts";
import { method, objectOf, optionalId, permissionBits, query, reasonOf, whole } from "./arguments.ts";
import { act, ask } from "./calls.ts";
import { guildPath } from "./commands.ts";
import { id } from "./ids.ts";
import { payloadOf, snake } from "./payload.ts";

function channelPath({ channelId }: { channelId: string }): { channel: string } {
  return { channel: id(channelId, "channel_id") };
}

function threadPath({ threadId }: { threadId: string }): { channel: string } {
  return { channel: id(threadId, "thread_id") };
}

function memberPath(input: flora.RawThreadMember): { channel: string; user: string } {
  return { channel: threadPath(input).channel, user: id(input.userId, "user_id") };
}

function targetPath(input: flora.RawDeleteChannelPermissions): { channel: string; target: string } {
  return { channel: channelPath(input).channel, target: id(input.targetId, "target_id") };
}

/** In a forum a thread begins with a message, which may have files. */
function threadBody(input: flora.RawCreateThread): { body: object; message: Body | undefined } {
  const { message: first, ...payload } = objectOf(input.payload, "payload") as { message?: unknown };
  const body = snake(payload) as { message?: Body };
  if (first === undefined || first === null) return { body, message: undefined };
  const { body: message } = sendBody(first);
  delete message.nonce;
  body.message = message;
  return { body, message };
}

function overwriteType(type: unknown): number {
  if (type === 0 || type === "role") return 0;
  if (type === 1 || type === "member") return 1;
  throw invalidInput("type", 'must be "role" or "member"');
}

export const channels: Pick<
  flora.Rest,
  | "createChannel"
  | "fetchChannel"
  | "editChannel"
  | "deleteChannel"
  | "editChannelPermissions"
  | "deleteChannelPermissions"
  | "createInvite"
  | "listChannelInvites"
  | "createThread"
  | "createThreadFromMessage"
  | "joinThread"
  | "leaveThread"
  | "addThreadMember"
  | "removeThreadMember"
  | "listThreadMembers"
> = {
  createChannel: method((input) =>
    ask("createChannel", { path: guildPath(input), body: payloadOf(input), reason: reasonOf(input) }),
  ),
  fetchChannel: method((input) => ask("fetchChannel", { path: channelPath(input) })),
  editChannel: method((input) =>
    ask("editChannel", { path: channelPath(input), body: payloadOf(input), reason: reasonOf(input) }),
  ),
  deleteChannel: method((input) => ask("deleteChannel", { path: channelPath(input), reason: reasonOf(input) })),
  editChannelPermissions: method((input) =>
    act("editChannelPermissions", {
      path: targetPath(input),
      body: {
        type: overwriteType(input.type),
        allow: permissionBits(input.allow, "allow"),
        deny: permissionBits(input.deny, "deny"),
      },
      reason: reasonOf(input),
    }),
  ),
  deleteChannelPermissions: method((input) =>
    act("deleteChannelPermissions", { path: targetPath(input), reason: reasonOf(input) }),
  ),
  createInvite: method((input) =>
    ask("createInvite", {
      path: channelPath(input),
      body: input.payload === undefined ? {} : payloadOf(input),
      reason: reasonOf(input),
    }),
  ),
  listChannelInvites: method((input) => ask("listChannelInvites", { path: channelPath(input) })),
  createThread: method((input) => {
    const path = channelPath(input);
    const { body, message } = threadBody(input);
    return ask("createThread", carry({ path, body, reason: reasonOf(input) }, message));
  }),
  createThreadFromMessage: method((input) =>
    ask("createThreadFromMessage", {
      path: { channel: channelPath(input).channel, message: id(input.messageId, "message_id") },
      body: payloadOf(input),
      reason: reasonOf(input),
    }),
  ),
  joinThread: method((input) => act("joinThread", { path: threadPath(input) })),
  leaveThread: method((input) => act("leaveThread", { path: threadPath(input) })),
  addThreadMember: method((input) => act("addThreadMember", { path: memberPath(input) })),
  removeThreadMember: method((input) => act("removeThreadMember", { path: memberPath(input) })),
  listThreadMembers: method((input) =>
    ask("listThreadMembers", {
      path: threadPath(input),
      query: {
        with_member: query(input.withMember),
        after: query(optionalId(input.after, "after")),
        limit: query(whole(input.limit, "limit", 1, 100)),
      },
    }),
  ),
};
