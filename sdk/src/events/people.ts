// Users and members. Field by field: they are in every event.
//
// Absent and null, for all payloads: a field that Discord left out reads as undefined and is missing from
// JSON; null appears only where Discord sends null.

import { NumberIntrinsic } from "../prelude/primordials.ts";
import { camel } from "./camel.ts";
import type { DiscordMember, DiscordUser } from "./discord.ts";

export function user(d: DiscordUser): flora.EventUser {
  const out: flora.EventUser = {
    id: d.id,
    username: d.username,
    globalName: d.global_name,
    avatar: d.avatar,
    bot: d.bot === true,
  };
  // "0" is what Discord sends for the accounts that have none any more.
  if (d.discriminator !== undefined && d.discriminator !== "0") {
    const discriminator = NumberIntrinsic(d.discriminator);
    if (discriminator > 0) out.discriminator = discriminator;
  }
  if (d.system === true) out.system = true;
  if (d.public_flags !== undefined) out.publicFlags = d.public_flags;
  if (d.banner !== undefined) out.banner = d.banner;
  if (d.accent_color !== undefined) out.accentColor = d.accent_color;
  if (d.avatar_decoration_data !== undefined) out.avatarDecorationData = camel(d.avatar_decoration_data) as never;
  if (d.primary_guild !== undefined) out.primaryGuild = camel(d.primary_guild) as never;
  if (d.collectibles !== undefined) out.collectibles = camel(d.collectibles) as never;
  return out;
}

/** A member; in messages and interactions Discord sends it without or with its user. */
export function member(d: DiscordMember, of: flora.EventUser): flora.EventMember {
  const out: flora.EventMember = {
    user: of,
    nick: d.nick,
    avatar: d.avatar,
    roles: d.roles,
    joinedAt: d.joined_at,
    premiumSince: d.premium_since,
    deaf: d.deaf === true,
    mute: d.mute === true,
    flags: d.flags ?? 0,
    pending: d.pending === true,
    communicationDisabledUntil: d.communication_disabled_until,
  };
  if (d.permissions !== undefined) out.permissions = d.permissions;
  if (d.banner !== undefined) out.banner = d.banner;
  if (d.avatar_decoration_data !== undefined) out.avatarDecorationData = camel(d.avatar_decoration_data) as never;
  if (d.collectibles !== undefined) out.collectibles = camel(d.collectibles) as never;
  return out;
}
