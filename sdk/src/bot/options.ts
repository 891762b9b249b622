// The options of a slash command as the user filled them in.

import type { DiscordInteraction, DiscordOption } from "../events/discord.ts";
import { ArrayIsArray, isObject } from "../prelude/primordials.ts";

const SUBCOMMAND = 1;
const SUBCOMMAND_GROUP = 2;

function isBranch(option: DiscordOption): boolean {
  return option.type === SUBCOMMAND || option.type === SUBCOMMAND_GROUP;
}

/** `{name: value}`; the options of subcommands and groups are merged in. */
export function flattenInteractionOptions(options: unknown): flora.SlashCommandOptions {
  const out: flora.SlashCommandOptions = {};
  merge(options, out);
  return out;
}

function merge(options: unknown, out: flora.SlashCommandOptions): void {
  if (!ArrayIsArray(options)) return;
  for (let i = 0; i < options.length; i++) {
    const option = options[i] as DiscordOption;
    if (isBranch(option)) merge(option.options, out);
    else out[option.name] = option.value;
  }
}

type Interacting = { msg: { data: unknown } };

function branch(ctx: Interacting): DiscordOption | undefined {
  const data = ctx.msg.data as DiscordInteraction["data"];
  const option = isObject(data) && ArrayIsArray(data.options) ? data.options[0] : undefined;
  return option !== undefined && isBranch(option) ? option : undefined;
}

/** The subcommand that was used, undefined when the command has none. */
export const getSubcommand: typeof flora.getSubcommand = (ctx) => {
  const option = branch(ctx);
  return option?.type === SUBCOMMAND_GROUP ? option.options?.[0]?.name : option?.name;
};

/** The group of the subcommand that was used, undefined when it is in none. */
export const getSubcommandGroup: typeof flora.getSubcommandGroup = (ctx) => {
  const option = branch(ctx);
  return option?.type === SUBCOMMAND_GROUP ? option.name : undefined;
};

export const hasRole: typeof flora.hasRole = (ctx, roleId) => {
  const roles = ctx.msg.member?.roles;
  if (roles === undefined) return false;
  for (let i = 0; i < roles.length; i++) if (roles[i] === roleId) return true;
  return false;
};
