// Commands and `createBot`: definitions, routing, registration.

import { declareCommands, on } from "../events/handlers.ts";
import { log, loading, op, reportRejection } from "../prelude/host.ts";
import { toJson } from "../prelude/json.ts";
import { needInteractions } from "../prelude/lazily.ts";
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
import { CHAT_INPUT, MESSAGE, USER, commandJson } from "./command_json.ts";
import { getSubcommand, getSubcommandGroup } from "./options.ts";
import { words } from "./words.ts";

export const prefix: typeof flora.prefix = (command) => command;

export const slash = ((command: unknown) => command) as typeof flora.slash;

export const userCommand: typeof flora.userCommand = (command) => ({ ...command, type: USER });

export const messageCommand: typeof flora.messageCommand = (command) => ({ ...command, type: MESSAGE });

/** What registerSlashCommands() takes: subcommands turned into options. */
export const flattenCommands: typeof flora.flattenCommands = (commands) =>
  mapList(commands, ({ subcommands, groups, options, ...rest }) => {
    delete (rest as { run?: unknown }).run;
    delete rest.autocomplete;
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
  const { run: _run, autocomplete: _autocomplete, ...rest } = subcommand;
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

type Registered = Parameters<typeof flora.registerSlashCommands>[0][number];

let created = false;

export const createBot = ((options: flora.CreateOptions): void => {
  if (created) {
    log("info", "[flora/sdk] createBot called multiple times; skipping duplicate registration");
    return;
  }
  created = true;
  const commands = options.commands ?? options.prefixCommands ?? [];
  const slashCommands = (options.slashCommands ?? []) as readonly flora.SlashCommand[];
  const menuCommands = options.contextCommands ?? [];
  if (options.autoDefer !== undefined || options.errorReply !== undefined) needInteractions().setManners(options);
  if (commands.length > 0) on("messageCreate", (ctx) => runPrefix(ctx, options.prefix ?? "!", commands));
  if (slashCommands.length === 0 && menuCommands.length === 0) return;
  on("interactionCreate", (ctx) => runCommand(ctx, slashCommands, menuCommands));
  if (anySuggests(slashCommands)) {
    on("autocomplete", (ctx) =>
      needInteractions().answerAutocomplete(ctx, named(slashCommands, ctx.msg.commandName)),
    );
  }
  const all: Registered[] = flattenCommands(slashCommands);
  for (let i = 0; i < menuCommands.length; i++) append(all, menuCommands[i] as never);
  void reportRejection(registerSlashCommands(all));
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

function runCommand(
  ctx: flora.InteractionContext,
  slashCommands: readonly flora.SlashCommand[],
  menuCommands: readonly flora.ContextCommand[],
): unknown {
  const { commandName, data } = ctx.msg;
  const type = data?.type ?? CHAT_INPUT;
  if (type === CHAT_INPUT) return runSlash(ctx, named(slashCommands, commandName));
  for (let i = 0; i < menuCommands.length; i++) {
    const command = menuCommands[i] as flora.ContextCommand;
    if (command.name === commandName && command.type === type) return command.run(ctx as never);
  }
  return undefined;
}

function runSlash(ctx: flora.InteractionContext, command: flora.SlashCommand | undefined): unknown {
  if (command === undefined) return undefined;
  if (command.subcommands?.length || command.groups?.length) return handleSubcommand(ctx, command);
  return command.run?.(ctx);
}

type Suggests = { readonly autocomplete?: unknown; readonly subcommands?: unknown; readonly groups?: unknown };

/** Whether a command, or anything below it, has an `autocomplete`. */
function anySuggests(list: unknown): boolean {
  if (!ArrayIsArray(list)) return false;
  for (let i = 0; i < list.length; i++) {
    const { autocomplete, subcommands, groups } = list[i] as Suggests;
    if (typeof autocomplete === "function" || anySuggests(subcommands) || anySuggests(groups)) return true;
  }
  return false;
}
