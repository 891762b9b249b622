// What people do.

import type * as api from "flora-test";
import { type Happened, answerOf, messageWith, newestMessage } from "./answer.ts";
import { CHANNEL, GUILD, USER, botMessage, field, interaction, message, newId, user } from "./events.ts";
import { ask } from "./host.ts";
import { commandData, menuData } from "./slash.ts";

type Json = Record<string, unknown>;
type Commands = Parameters<typeof commandData>[0];

async function happen(type: string, data: object): Promise<api.Answer> {
  return answerOf(await ask<Happened>("event", { type, data }));
}

async function interact(type: number, data: Json, by?: api.Saying, more?: Json): Promise<api.Answer> {
  return await happen("INTERACTION_CREATE", interaction(type, data, by, more));
}

async function declared(): Promise<Commands> {
  return await ask<Commands>("commands");
}

/** The message that a component is on; `raw.message` of the test goes before what is known. */
function on(customId: string, by: api.Saying | undefined): Json {
  return by?.raw !== undefined && "message" in by.raw ? {} : { message: botMessage(messageWith(customId)) };
}

export const bot: api.Bot = {
  async say(text, by) {
    return await happen("MESSAGE_CREATE", message(text, by));
  },
  async slash(command, options = {}, by) {
    return await interact(2, commandData(await declared(), command, options), by);
  },
  async userCommand(command, target = {}, by) {
    const who = user({ username: "somebody", id: "100000000000000004", ...target });
    const resolved = { users: { [who.id as string]: who } };
    return await interact(2, menuData(await declared(), 2, command, who.id as string, resolved), by);
  },
  async messageCommand(command, text, by) {
    const target = message(text, by);
    const resolved = { messages: { [target.id as string]: target } };
    return await interact(2, menuData(await declared(), 3, command, target.id as string, resolved), by);
  },
  async autocomplete(command, option, typed, by) {
    return await interact(4, commandData(await declared(), command, { [option]: typed }, option), by);
  },
  async click(customId, by) {
    return await interact(3, { custom_id: customId, component_type: 2 }, by, on(customId, by));
  },
  async select(customId, values, by) {
    return await interact(3, { custom_id: customId, component_type: 3, values }, by, on(customId, by));
  },
  async submit(customId, fields = {}, by) {
    const components = Object.entries(fields).map(([name, value]) => field(name, value));
    return await interact(5, { custom_id: customId, components }, by);
  },
  async react(emoji, by) {
    const who = user(by?.user);
    return await happen("MESSAGE_REACTION_ADD", {
      user_id: who.id,
      channel_id: by?.channelId ?? CHANNEL,
      message_id: newestMessage()?.id || newId(),
      guild_id: GUILD,
      member: { user: who, roles: by?.user?.roles ?? [] },
      emoji: { id: null, name: emoji },
      burst: false,
      type: 0,
      ...by?.raw,
    });
  },
  async emit(event, data = {}) {
    return await happen(event, { guild_id: GUILD, ...(event.startsWith("GUILD_MEMBER") && { user: user({ id: USER }) }), ...data });
  },
};
