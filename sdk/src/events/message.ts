// Messages: the hottest payload. The usual fields are written out so that every message has the same
// shape; the rest is added where it is there.

import { configuration } from "../prelude/host.ts";
import { mapList } from "../prelude/primordials.ts";
import { camel, camelKey } from "./camel.ts";
import type { DiscordMessage, DiscordUser } from "./discord.ts";
import { member, user } from "./people.ts";

/** What only some messages have. */
const RARE = [
  "activity",
  "application",
  "application_id",
  "call",
  "channel_type",
  "interaction_metadata",
  "lobby_member",
  "mention_channels",
  "message_snapshots",
  "poll",
  "position",
  "purchase_notification",
  "reactions",
  "resolved",
  "role_subscription_data",
  "shared_client_theme",
  "thread",
] as const;

/** A message out of an event, or out of Discord's answer to a call, which leaves the guild out. */
export function message(d: DiscordMessage): flora.EventMessage {
  const author = d.author === undefined ? (undefined as never) : user(d.author);
  const out: flora.EventMessage = {
    id: d.id,
    channelId: d.channel_id,
    guildId: d.guild_id ?? configuration.guildId,
    type: d.type ?? 0,
    content: d.content ?? "",
    author,
    timestamp: d.timestamp as string,
    editedTimestamp: d.edited_timestamp as string | null,
    tts: d.tts === true,
    pinned: d.pinned === true,
    flags: d.flags ?? 0,
    mentionEveryone: d.mention_everyone === true,
    mentions: list(d.mentions, mention),
    mentionRoles: d.mention_roles ?? [],
    attachments: list(d.attachments, camel) as flora.Attachment[],
    embeds: list(d.embeds, camel) as flora.ReceivedEmbed[],
    components: (d.components ?? []) as flora.ComponentJson[],
  };
  if (d.member !== undefined) out.member = member(d.member, author);
  if (d.nonce !== undefined) out.nonce = d.nonce;
  if (d.webhook_id !== undefined) out.webhookId = d.webhook_id;
  if (d.message_reference !== undefined) out.reference = camel(d.message_reference) as flora.MessageReference;
  if (d.referenced_message !== undefined) {
    out.referencedMessage = d.referenced_message === null ? null : message(d.referenced_message);
  }
  if (d.sticker_items !== undefined) out.stickers = camel(d.sticker_items) as flora.Sticker[];
  for (let i = 0; i < RARE.length; i++) {
    const key = RARE[i] as string;
    const value = (d as unknown as Record<string, unknown>)[key];
    if (value !== undefined) (out as unknown as Record<string, unknown>)[camelKey(key)] = camel(value);
  }
  return out;
}

/** An update has what a message has, and once more the whole of it as `new`. There is no cache for `old`. */
export function messageUpdate(d: DiscordMessage): flora.EventMessageUpdate {
  const now = message(d);
  return { ...now, content: d.content as string, new: now };
}

function mention(d: DiscordUser): flora.MentionedUser {
  const out: flora.MentionedUser = user(d);
  if (d.member !== undefined) out.member = member(d.member, user(d)); // not `out`: that would be a cycle
  return out;
}

function list<T, R>(items: T[] | undefined, convert: (item: T) => R): R[] {
  return items === undefined || items.length === 0 ? [] : mapList(items, convert);
}
