// Suggestions for an option while somebody types. Discord waits three seconds; there is nothing to defer and
// nothing to say when it fails, so a handler that throws is logged like any other.

import type { DiscordInteraction, DiscordOption } from "../events/discord.ts";
import { isHandled, runHandlers } from "../events/handlers.ts";
import { commandInteraction } from "../events/interaction.ts";
import { type FloraError, invalidInput } from "../prelude/errors.ts";
import { op } from "../prelude/host.ts";
import { ArrayIsArray, StringIntrinsic, isObject, mapList, rejected } from "../prelude/primordials.ts";
import { flattenInteractionOptions, getSubcommand, getSubcommandGroup } from "./options.ts";

const MOST = 25;
/** Characters of a name, and of a value that is text. */
const LENGTH = 100;

const EVENT = "autocomplete";

/** Run the handlers of an INTERACTION_CREATE of type 4. */
export function runAutocomplete(d: DiscordInteraction): unknown {
  return isHandled(EVENT) ? runHandlers(EVENT, context(d), false) : undefined;
}

function context(d: DiscordInteraction): flora.AutocompleteContext {
  const msg = commandInteraction(d) as flora.EventAutocomplete;
  const focused = focusedIn(d.data?.options) ?? { name: "", type: 3, value: "" };
  const path = { interaction: d.id, token: d.token };
  let answered = false;
  return {
    msg,
    raw: d as unknown as flora.JsonValue,
    options: flattenInteractionOptions(d.data?.options ?? []),
    focused: { name: focused.name, value: StringIntrinsic(focused.value ?? "") },
    respond(choices) {
      try {
        if (answered) throw invalidInput("interaction", "respond() comes too late: there were choices already");
        const body = { type: 8, data: { choices: choicesJson(choices) } };
        answered = true;
        return op("sendAutocompleteResult", { path, body });
      } catch (error) {
        return rejected(error);
      }
    },
  };
}

/** The option that is being typed; it may be one of a subcommand. */
function focusedIn(options: unknown): DiscordOption | undefined {
  if (!ArrayIsArray(options)) return undefined;
  for (let i = 0; i < options.length; i++) {
    const option = options[i] as DiscordOption;
    const found = option.focused === true ? option : focusedIn(option.options);
    if (found !== undefined) return found;
  }
  return undefined;
}

function choicesJson(choices: unknown): unknown[] {
  if (!ArrayIsArray(choices)) throw invalidInput("choices", "must be an array");
  if (choices.length > MOST) throw invalidInput("choices", `Discord shows at most ${MOST}, not ${choices.length}`);
  return mapList(choices, choiceJson);
}

type Choice = Exclude<flora.AutocompleteChoice, string | number>;

function choiceJson(choice: unknown, index: number): unknown {
  const { name, value, nameLocalizations } = (
    isObject(choice) ? choice : { name: StringIntrinsic(choice), value: choice }
  ) as Choice;
  const wrong = (what: string, reason: string): FloraError => invalidInput(`choices[${index}].${what}`, reason);
  if (typeof name !== "string" || name === "" || name.length > LENGTH) {
    throw wrong("name", `must be a text of 1 to ${LENGTH} characters`);
  }
  if (typeof value === "string" ? value.length > LENGTH : typeof value !== "number") {
    throw wrong("value", `must be a number, or a text of at most ${LENGTH} characters`);
  }
  return { name, name_localizations: nameLocalizations, value };
}

/** Answer with what the command's own `autocomplete` gives; a subcommand's comes before its command's. */
export async function answerAutocomplete(
  ctx: flora.AutocompleteContext,
  command: flora.SlashCommand | undefined,
): Promise<void> {
  const suggest = subcommandOf(ctx, command)?.autocomplete ?? command?.autocomplete;
  const choices = await suggest?.(ctx);
  if (choices !== undefined) await ctx.respond(choices);
}

function subcommandOf(
  ctx: flora.AutocompleteContext,
  command: flora.SlashCommand | undefined,
): flora.SlashSubcommand | undefined {
  const group = getSubcommandGroup(ctx);
  const siblings = group === undefined ? command?.subcommands : named(command?.groups, group)?.subcommands;
  return named(siblings, getSubcommand(ctx));
}

function named<T extends { name: string }>(
  list: readonly T[] | undefined,
  name: string | undefined,
): T | undefined {
  if (list) for (let i = 0; i < list.length; i++) if ((list[i] as T).name === name) return list[i];
  return undefined;
}
