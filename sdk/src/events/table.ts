// The table of the usual events: Discord's gateway name -> flora's name, the payload as scripts see it, and
// the context that carries it. The host's table of all events is `flora_core/events.py`, whose tests hold this
// one and `more_events.ts` against it.

import { type ContextMaker, messageContext, plainContext, postContext } from "../bot/contexts.ts";
import { isMe, learnMe } from "../bot/me.ts";
import { setEventSink } from "../prelude/host.ts";
import { moreEvents, needInteractions } from "../prelude/lazily.ts";
import type { DiscordInteraction, DiscordMessage, DiscordUser } from "./discord.ts";
import { isHandled, runCron, runHandlers } from "./handlers.ts";
import { message, messageUpdate } from "./message.ts";
import { member, user } from "./people.ts";

export interface Row {
  readonly event: flora.EventName;
  readonly payload: (d: never) => unknown;
  readonly context: ContextMaker;
}

export function row<D, P>(event: flora.EventName, payload: (d: D) => P, context: ContextMaker<P, D>): Row {
  return { event, payload, context: context as ContextMaker };
}

const ROWS = {
  __proto__: null,
  READY: row("ready", ready, plainContext),
  MESSAGE_CREATE: row("messageCreate", message, messageContext),
  MESSAGE_UPDATE: row("messageUpdate", messageUpdate, messageContext),
  MESSAGE_DELETE: row("messageDelete", messageDelete, postContext),
  MESSAGE_DELETE_BULK: row("messageDeleteBulk", messageDeleteBulk, postContext),
  MESSAGE_REACTION_ADD: row("reactionAdd", reaction, postContext),
  MESSAGE_REACTION_REMOVE: row("reactionRemove", reaction, postContext),
  MESSAGE_REACTION_REMOVE_EMOJI: row("reactionRemoveEmoji", reaction, postContext),
  MESSAGE_REACTION_REMOVE_ALL: row("reactionRemoveAll", reactionRemoveAll, postContext),
} as unknown as { readonly [type: string]: Row | undefined };

function ready(d: { user: DiscordUser }): flora.EventReady {
  // Always empty: a guild is not told about the others.
  return { user: user(d.user), guildIds: [] };
}

interface DiscordReference {
  id: string;
  ids: string[];
  message_id: string;
  channel_id: string;
  guild_id?: string;
}

function messageDelete(d: DiscordReference): flora.EventMessageDelete {
  return { id: d.id, channelId: d.channel_id, guildId: d.guild_id };
}

function messageDeleteBulk(d: DiscordReference): flora.EventMessageDeleteBulk {
  return { ids: d.ids, channelId: d.channel_id, guildId: d.guild_id };
}

interface DiscordReaction extends DiscordReference {
  user_id?: string;
  member?: Parameters<typeof member>[0];
  emoji: flora.Emoji;
  burst?: boolean;
  type?: number;
  message_author_id?: string;
  burst_colors?: string[];
}

function reaction(d: DiscordReaction): flora.EventReaction {
  const out: flora.EventReaction = {
    userId: d.user_id,
    channelId: d.channel_id,
    messageId: d.message_id,
    guildId: d.guild_id,
    emoji: d.emoji,
    burst: d.burst === true,
    type: d.type ?? 0,
  };
  if (d.member?.user !== undefined) out.member = member(d.member, user(d.member.user));
  if (d.message_author_id !== undefined) out.messageAuthorId = d.message_author_id;
  if (d.burst_colors !== undefined) out.burstColors = d.burst_colors;
  return out;
}

function reactionRemoveAll(d: DiscordReference): flora.EventReactionRemoveAll {
  return { messageId: d.message_id, channelId: d.channel_id, guildId: d.guild_id };
}

setEventSink((type, d) => {
  if (type === "INTERACTION_CREATE") return needInteractions().runInteraction(d as DiscordInteraction);
  const row = ROWS[type] ?? moreEvents?.ROWS[type];
  if (row === undefined) return runCron(type, d);
  if (type === "READY") learnMe((d as { user: DiscordUser }).user.id);
  if (!isHandled(row.event)) return undefined;
  const own = type === "MESSAGE_CREATE" && isMe((d as DiscordMessage).author?.id);
  return runHandlers(row.event, row.context(row.payload(d as never) as never, d as never), own);
});
