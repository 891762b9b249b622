// The rest of the table of events: what happens to members, roles, channels and the guild itself. They come
// rarely and few scripts want them, so their payloads are not written out: they are Discord's in camelCase,
// with the users and members in them as they are everywhere.

import { type ContextMaker, placeContext, plainContext, postContext } from "../bot/contexts.ts";
import { ArrayIsArray, ObjectKeys, append, isObject, mapList } from "../prelude/primordials.ts";
import { camel, camelKey } from "./camel.ts";
import type { DiscordMember, DiscordUser } from "./discord.ts";
import { nearNames } from "./near_names.ts";
import { member, user } from "./people.ts";
import type { Row } from "./table.ts";

type Json = { readonly [key: string]: unknown };

/** A deep copy with camelCase keys, and with every user and member in it as `people.ts` has them. */
function payload(value: unknown): unknown {
  if (!isObject(value)) return value;
  if (ArrayIsArray(value)) return mapList(value, payload);
  const out: Record<string, unknown> = {};
  const keys = ObjectKeys(value);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string;
    out[camelKey(key)] = field(key, (value as Json)[key]);
  }
  return out;
}

function field(key: string, value: unknown): unknown {
  if (!isObject(value)) return value;
  switch (key) {
    case "user":
    case "creator":
    case "inviter":
    case "target_user":
      return user(value as DiscordUser);
    case "member":
      // A thread has "members" too, which are no members of the guild.
      return "roles" in value && "user" in value ? guildMember(value as DiscordMember) : camel(value);
    default:
      return payload(value);
  }
}

function guildMember(d: DiscordMember): flora.EventMember {
  return member(d, user(d.user as DiscordUser));
}

function memberPayload(d: DiscordMember & { guild_id: string }): flora.EventGuildMember {
  return { ...guildMember(d), guildId: d.guild_id };
}

type Named = { readonly id: string };
type Located = { readonly channelId?: string | null };

/** For channels and threads themselves. */
const inItself: ContextMaker<Named> = (msg, raw) => placeContext(msg.id, msg, raw);
const inChannel: ContextMaker<Located> = (msg, raw) => placeContext(msg.channelId, msg, raw);

function row(event: flora.EventName, context: ContextMaker<never> = plainContext, convert: unknown = payload): Row {
  return { event, payload: convert as Row["payload"], context };
}

export const ROWS = {
  __proto__: null,
  MESSAGE_POLL_VOTE_ADD: row("pollVoteAdd", postContext),
  MESSAGE_POLL_VOTE_REMOVE: row("pollVoteRemove", postContext),
  GUILD_MEMBER_ADD: row("memberAdd", plainContext, memberPayload),
  GUILD_MEMBER_REMOVE: row("memberRemove"),
  GUILD_MEMBER_UPDATE: row("memberUpdate", plainContext, memberPayload),
  GUILD_BAN_ADD: row("banAdd"),
  GUILD_BAN_REMOVE: row("banRemove"),
  GUILD_AUDIT_LOG_ENTRY_CREATE: row("auditLogEntryCreate"),
  GUILD_UPDATE: row("guildUpdate"),
  GUILD_ROLE_CREATE: row("roleCreate"),
  GUILD_ROLE_UPDATE: row("roleUpdate"),
  GUILD_ROLE_DELETE: row("roleDelete"),
  CHANNEL_CREATE: row("channelCreate", inItself),
  CHANNEL_UPDATE: row("channelUpdate", inItself),
  CHANNEL_DELETE: row("channelDelete"),
  CHANNEL_PINS_UPDATE: row("channelPinsUpdate", inChannel),
  THREAD_CREATE: row("threadCreate", inItself),
  THREAD_UPDATE: row("threadUpdate", inItself),
  THREAD_DELETE: row("threadDelete"),
  THREAD_MEMBERS_UPDATE: row("threadMembersUpdate", inItself),
  VOICE_STATE_UPDATE: row("voiceStateUpdate", inChannel),
  INVITE_CREATE: row("inviteCreate", inChannel),
  INVITE_DELETE: row("inviteDelete", inChannel),
  AUTO_MODERATION_RULE_CREATE: row("automodRuleCreate"),
  AUTO_MODERATION_RULE_UPDATE: row("automodRuleUpdate"),
  AUTO_MODERATION_RULE_DELETE: row("automodRuleDelete"),
  AUTO_MODERATION_ACTION_EXECUTION: row("automodAction", inChannel),
  GUILD_SCHEDULED_EVENT_CREATE: row("scheduledEventCreate"),
  GUILD_SCHEDULED_EVENT_UPDATE: row("scheduledEventUpdate"),
  GUILD_SCHEDULED_EVENT_DELETE: row("scheduledEventDelete"),
  GUILD_SCHEDULED_EVENT_USER_ADD: row("scheduledEventUserAdd"),
  GUILD_SCHEDULED_EVENT_USER_REMOVE: row("scheduledEventUserRemove"),
  GUILD_EMOJIS_UPDATE: row("emojisUpdate"),
  GUILD_STICKERS_UPDATE: row("stickersUpdate"),
  WEBHOOKS_UPDATE: row("webhooksUpdate", inChannel),
} as unknown as { readonly [type: string]: Row | undefined };

/** Why `event` is none; "" when it is one of the events above. `usual` are all the others. */
export function whatIsWrongWith(event: string, usual: readonly string[]): string {
  const names = mapList(usual, (name) => name);
  const types = ObjectKeys(ROWS);
  for (let i = 0; i < types.length; i++) append(names, (ROWS[types[i] as string] as Row).event);
  for (let i = usual.length; i < names.length; i++) if (names[i] === event) return "";
  return `there is no event "${event}"; ${nearNames(event, names)}`;
}
