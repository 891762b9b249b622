// Calls to Discord.
import { channels } from "../rest/channels.ts";
import { commands } from "../rest/commands.ts";
import { guild } from "../rest/guild.ts";
import { interactions } from "../rest/interactions.ts";
import { members } from "../rest/members.ts";
import { messages } from "../rest/messages.ts";
import { webhooks } from "../rest/webhooks.ts";

export const rest: flora.Rest = {
  ...messages,
  ...interactions,
  ...commands,
  ...members,
  ...guild,
  ...channels,
  ...webhooks,
};
