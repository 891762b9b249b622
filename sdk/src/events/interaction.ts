// Interactions: slash commands, components, submitted modals. `data` stays as Discord sent it.

import { ArrayIsArray, ObjectKeys, isObject } from "../prelude/primordials.ts";
import { camel } from "./camel.ts";
import type { DiscordInteraction, DiscordMember, DiscordUser } from "./discord.ts";
import { message } from "./message.ts";
import { member, user } from "./people.ts";

function base(d: DiscordInteraction): flora.EventInteraction & { data: unknown } {
  // In a guild the user stands inside the member.
  const who = user((d.user ?? d.member?.user) as DiscordUser);
  const out: ReturnType<typeof base> = {
    interactionId: d.id,
    interactionToken: d.token,
    applicationId: d.application_id,
    guildId: d.guild_id,
    channelId: d.channel_id,
    user: who,
    data: d.data,
    locale: d.locale,
    guildLocale: d.guild_locale,
    appPermissions: d.app_permissions,
  };
  if (d.member !== undefined) out.member = member(d.member as DiscordMember, who);
  if (d.channel !== undefined) out.channel = camel(d.channel) as flora.InteractionChannel;
  if (d.context !== undefined) out.context = d.context;
  if (d.entitlements !== undefined) out.entitlements = camel(d.entitlements) as flora.JsonValue[];
  if (d.attachment_size_limit !== undefined) out.attachmentSizeLimit = d.attachment_size_limit;
  if (d.authorizing_integration_owners !== undefined) {
    out.authorizingIntegrationOwners = d.authorizing_integration_owners as flora.JsonValue;
  }
  return out;
}

export function commandInteraction(d: DiscordInteraction): flora.EventInteractionCreate {
  const out = base(d) as flora.EventInteractionCreate;
  out.commandName = d.data?.name ?? "";
  return out;
}

export function componentInteraction(d: DiscordInteraction): flora.EventComponentInteraction {
  const out = base(d) as flora.EventComponentInteraction;
  out.customId = d.data?.custom_id ?? "";
  out.componentType = d.data?.component_type ?? 0;
  out.values = d.data?.values ?? [];
  addMessage(out, d);
  return out;
}

export function modalSubmit(d: DiscordInteraction): flora.EventModalSubmit {
  const out = base(d) as flora.EventModalSubmit;
  out.customId = d.data?.custom_id ?? "";
  addMessage(out, d);
  return out;
}

function addMessage(out: flora.EventComponentInteraction | flora.EventModalSubmit, d: DiscordInteraction): void {
  if (d.message === undefined) return;
  out.messageId = d.message.id;
  out.message = message(d.message);
}

/** What was entered, by `custom_id`: text, a list of what was chosen or uploaded, or a ticked box. */
export function modalFields(components: unknown): flora.ModalFields {
  const fields: flora.ModalFields = {};
  if (ArrayIsArray(components)) for (let i = 0; i < components.length; i++) collect(components[i], fields);
  return fields;
}

interface Submitted {
  custom_id?: string;
  value?: string | boolean | null;
  values?: string[];
  component?: unknown;
  components?: unknown;
}

function collect(component: unknown, fields: flora.ModalFields): void {
  if (!isObject(component)) return;
  const { custom_id, value, values, component: inner, components } = component as Submitted;
  if (custom_id !== undefined) fields[custom_id] = values ?? value ?? "";
  if (inner !== undefined) collect(inner, fields);
  if (ArrayIsArray(components)) for (let i = 0; i < components.length; i++) collect(components[i], fields);
}

/** The users, members, roles, channels, messages and attachments that options or selects refer to, by id. */
export function resolved(d: DiscordInteraction): flora.Resolved {
  const out: flora.Resolved = { users: {}, members: {}, roles: {}, channels: {}, attachments: {}, messages: {} };
  const found = d.data?.resolved;
  if (!isObject(found)) return out;
  const { users, members, messages, ...rest } = found as { [kind: string]: { [id: string]: unknown } | undefined };
  each(users, (id, d) => (out.users[id] = user(d as DiscordUser)));
  // Members come without their user, which is under the same id.
  each(members, (id, d) => (out.members[id] = member(d as DiscordMember, out.users[id] as flora.EventUser)));
  each(messages, (id, d) => (out.messages[id] = message(d as never)));
  const kinds = ObjectKeys(rest);
  for (let i = 0; i < kinds.length; i++) {
    const kind = kinds[i] as "roles" | "channels" | "attachments";
    out[kind] = camel(rest[kind]) as never;
  }
  return out;
}

function each(values: { [id: string]: unknown } | undefined, visit: (id: string, value: unknown) => void): void {
  if (values === undefined) return;
  const ids = ObjectKeys(values);
  for (let i = 0; i < ids.length; i++) visit(ids[i] as string, values[ids[i] as string]);
}
