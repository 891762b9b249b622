// The guild's slash commands, one by one or all at once, and who may use them.

import { commandJson } from "../bot/command_json.ts";
import { flattenCommands } from "../bot/commands.ts";
import { invalidInput } from "../prelude/errors.ts";
import { ArrayIsArray, isObject, mapList } from "../prelude/primordials.ts";
import { method, methodOfGuild, objectOf, optionalId } from "./arguments.ts";
import { act, ask } from "./calls.ts";
import { id } from "./ids.ts";
import { snake } from "./payload.ts";

type OfGuild = { guildId?: string };
type OfCommand = OfGuild & { commandId: string };

/** Without an id it is the script's own guild, which is the only one that it may name. */
export function guildPath({ guildId }: OfGuild): { guild: string } {
  return { guild: optionalId(guildId, "guild_id") as string };
}

function commandPath(input: OfCommand): { guild: string; command: string } {
  return { guild: guildPath(input).guild, command: id(input.commandId, "command_id") };
}

function definition(command: unknown): unknown {
  const given = objectOf(command, "command") as flora.SlashCommand;
  return commandJson(flattenCommands([given])[0], 0, "command");
}

function definitions(commands: unknown): unknown[] {
  if (!ArrayIsArray(commands)) throw invalidInput("commands", "must be a list of commands");
  for (let i = 0; i < commands.length; i++) {
    if (!isObject(commands[i])) throw invalidInput(`commands[${i}]`, "must be an object");
  }
  return mapList(flattenCommands(commands as flora.SlashCommand[]), (command, i) => commandJson(command, i));
}

export const commands: Pick<
  flora.Rest,
  | "upsertGuildCommands"
  | "createGuildCommand"
  | "editGuildCommand"
  | "deleteGuildCommand"
  | "getGuildCommands"
  | "getGuildCommand"
  | "editGuildCommandPermissions"
  | "getGuildCommandsPermissions"
  | "getGuildCommandPermissions"
> = {
  upsertGuildCommands: method((input) =>
    ask("upsertGuildCommands", { path: guildPath(input), body: definitions(input.commands) }),
  ),
  createGuildCommand: method((input) =>
    ask("createGuildCommand", { path: guildPath(input), body: definition(input.command) }),
  ),
  editGuildCommand: method((input) =>
    ask("editGuildCommand", { path: commandPath(input), body: definition(input.command) }),
  ),
  deleteGuildCommand: method((input) => act("deleteGuildCommand", { path: commandPath(input) })),
  getGuildCommands: methodOfGuild((input: OfGuild) => ask("getGuildCommands", { path: guildPath(input) })),
  getGuildCommand: method((input) => ask("getGuildCommand", { path: commandPath(input) })),
  editGuildCommandPermissions: method((input) => {
    const { permissions } = input as { permissions: unknown };
    const body = ArrayIsArray(permissions) ? { permissions } : objectOf(permissions, "permissions");
    return ask("editGuildCommandPermissions", { path: commandPath(input), body: snake(body) });
  }),
  getGuildCommandsPermissions: methodOfGuild((input: OfGuild) =>
    ask("getGuildCommandsPermissions", { path: guildPath(input) }),
  ),
  getGuildCommandPermissions: method((input) => ask("getGuildCommandPermissions", { path: commandPath(input) })),
};
