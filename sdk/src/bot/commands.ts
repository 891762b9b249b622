// Commands and `createBot`: definitions, routing, registration.

import { declareCommands, on } from "../events/handlers.ts";
import { log, loading, op, reportRejection } from "../prelude/host.ts";
import { toJson } from "../prelude/json.ts";
import {
  ArrayIsArray,
  PromiseIntrinsic,
  StringSlice,
  StringTrim,
  TypeErrorIntrinsic,
  append,
  mapList,
  rejected,
} from "../prelude/primordials.ts";
import { commandJson } from "./command_json.ts";
import { getSubcommand, getSubcommandGroup } from "./options.ts";
import { words } from "./words.ts";

export const prefix: typeof flora.prefix = (command) => command;

export const slash = ((command: unknown) => command) as typeof flora.slash;

/** What registerSlashCommands() takes: subcommands turned into options. */
export const flattenCommands: typeof flora.flattenCommands = (commands) =>
  mapList(commands, ({ subcommands, groups, options, ...rest }) => {
    delete (rest as { run?: unknown }).run;
    const branches: flora.SlashCommandOption[] = [];
    if (subcommands)
      for (let i = 0; i < subcommands.length; i++) append(branches, subcommandOption(subcommands[i] as never));
    if (groups) {
      for (let i = 0; i < groups.length; i++) {
        const { subcommands: inner, ...group } = groups[i] as flora.SlashSubcommandGroup;
        append(branches, { ...group, type: "subcommand_group", options: mapList(inner, subcommandOption) });
      }
    }
    return { ...rest, options: branches.length > 0 ? branches : options };
  });

function subcommandOption(subcommand: flora.SlashSubcommand): flora.SubcommandOption {
  const { run: _, ...rest } = subcommand;
  return { ...rest, type: "subcommand" } as flora.SubcommandOption;
}

/** While the script loads, the host pushes what was declared once the load succeeded: nothing to wait for. */
export const registerSlashCommands: typeof flora.registerSlashCommands = (commands) => {
  let json: string;
  let body: unknown[];
  try {
    if (!ArrayIsArray(commands)) throw new TypeErrorIntrinsic("registerSlashCommands() takes an array of commands");
    body = mapList(commands, commandJson);
    json = toJson(body);
  } catch (error) {
    return rejected(error);
  }
  declareCommands(json);
  return loading ? new PromiseIntrinsic((resolve) => resolve()) : op("upsertGuildCommands", { body });
};

/** Run the subcommand that was used; nothing happens when `command` does not have it. */
export const handleSubcommand: typeof flora.handleSubcommand = async (ctx, command) => {
  const group = getSubcommandGroup(ctx);
  const name = getSubcommand(ctx);
  const siblings = group === undefined ? command.subcommands : named(command.groups, group)?.subcommands;
  await named(siblings, name)?.run(ctx);
};

function named<T extends { name: string }>(list: readonly T[] | undefined, name: string | undefined): T | undefined {
  if (list) for (let i = 0; i < list.length; i++) if ((list[i] as T).name === name) return list[i];
  return undefined;
}

let created = false;

export const createBot = ((options: flora.CreateOptions): void => {
  if (created) {
    log("info", "[flora/sdk] createBot called multiple times; skipping duplicate registration");
    return;
  }
  created = true;
  const commands = options.commands ?? options.prefixCommands ?? [];
  const slashCommands = (options.slashCommands ?? []) as readonly flora.SlashCommand[];
  if (commands.length > 0) on("messageCreate", (ctx) => runPrefix(ctx, options.prefix ?? "!", commands));
  if (slashCommands.length > 0) {
    on("interactionCreate", (ctx) => runSlash(ctx, slashCommands));
    void reportRejection(registerSlashCommands(flattenCommands(slashCommands)));
  }
}) as typeof flora.createBot;

function runPrefix(ctx: flora.MessageContext, prefix: string, commands: readonly flora.Command[]): unknown {
  const { content, author } = ctx.msg;
  if (!content || author?.bot) return undefined;
  const text = StringTrim(content);
  if (StringSlice(text, 0, prefix.length) !== prefix) return undefined;
  const args = words(text, prefix.length);
  const command = named(commands, args.name);
  return command?.run({ ...ctx, args: args.rest });
}

function runSlash(ctx: flora.InteractionContext, commands: readonly flora.SlashCommand[]): unknown {
  const command = named(commands, ctx.msg.commandName);
  if (command === undefined) return undefined;
  if (command.subcommands?.length || command.groups?.length) return handleSubcommand(ctx, command);
  return command.run?.(ctx);
}
