// Discord's events, as it would send them for what people do.

import type * as api from "flora-test";
import { clock } from "./clock.ts";

export const GUILD = "100000000000000001";
export const CHANNEL = "100000000000000002";
export const USER = "100000000000000003";
export const BOT = "100000000000000009";
/** All that Discord knows today. */
const ALL_PERMISSIONS = ((1n << 53n) - 1n).toString();

type Json = Record<string, unknown>;

let last = 200_000_000_000_000_000n;

/** An id that nothing else has. */
export function newId(): string {
  last += 1n;
  return String(last);
}

export function user(person: api.Person = {}): Json {
  const { id = USER, username = "you", globalName, bot } = person;
  return { id, username, global_name: globalName ?? null, discriminator: "0", avatar: null, bot };
}

function member({ nick, roles = [] }: api.Person = {}): Json {
  return { nick: nick ?? null, roles, joined_at: "2020-01-01T00:00:00+00:00", avatar: null, deaf: false, mute: false, flags: 0 };
}

export function message(content: string, by: api.Saying = {}): Json {
  return {
    id: newId(),
    channel_id: by.channelId ?? CHANNEL,
    guild_id: GUILD,
    type: 0,
    content,
    author: user(by.user),
    member: member(by.user),
    timestamp: clock.now.toISOString(),
    edited_timestamp: null,
    tts: false,
    pinned: false,
    mention_everyone: false,
    mentions: mentionsIn(content),
    mention_roles: [...content.matchAll(/<@&(\d+)>/g)].map(([, id]) => id),
    attachments: [],
    embeds: [],
    components: [],
    flags: 0,
    ...by.raw,
  };
}

function mentionsIn(content: string): Json[] {
  return [...content.matchAll(/<@!?(\d+)>/g)].map(([, id]) => user({ id: id as string, username: `user-${id}` }));
}

/** A message of the bot, as components and reactions refer to it. */
export function botMessage({ id, content, embeds, components }: api.Sent): Json {
  const raw = { id, author: user({ id: BOT, username: "flora", bot: true }), member: undefined, embeds, components };
  return message(content, { raw });
}

export function interaction(type: number, data: Json, by: api.Saying = {}, more: Json = {}): Json {
  const channel = by.channelId ?? CHANNEL;
  return {
    id: newId(),
    application_id: BOT,
    type,
    token: `token-${last}`,
    version: 1,
    guild_id: GUILD,
    channel_id: channel,
    channel: { id: channel, type: 0, name: "general", guild_id: GUILD, permissions: ALL_PERMISSIONS },
    member: {
      ...member(by.user),
      user: user(by.user),
      permissions: String(by.user?.permissions ?? ALL_PERMISSIONS),
    },
    locale: "en-US",
    guild_locale: "en-US",
    app_permissions: ALL_PERMISSIONS,
    entitlements: [],
    context: 0,
    data,
    ...more,
    ...by.raw,
  };
}

/** One of a submitted modal's rows. */
export function field(customId: string, value: string): Json {
  return { type: 18, component: { type: 4, custom_id: customId, value } };
}
