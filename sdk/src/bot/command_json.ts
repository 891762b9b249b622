// Slash commands as Discord's JSON. Types of options may be flora's names or Discord's numbers; everything
// else may be in camelCase or, as Discord has it, in snake_case.

import { invalidInput } from "../prelude/errors.ts";
import { StringIntrinsic, isObject, mapList } from "../prelude/primordials.ts";

const TYPES = {
  __proto__: null,
  subcommand: 1,
  subcommand_group: 2,
  string: 3,
  integer: 4,
  boolean: 5,
  user: 6,
  channel: 7,
  role: 8,
  mentionable: 9,
  number: 10,
  attachment: 11,
} as unknown as { readonly [type: string]: number | undefined };

// Types of commands.
export const CHAT_INPUT = 1;
export const USER = 2;
export const MESSAGE = 3;

type Localizations = { readonly [locale: string]: string };

interface Definition {
  name: string;
  description?: string;
  type?: string | number;
  nameLocalizations?: Localizations;
  name_localizations?: Localizations;
  descriptionLocalizations?: Localizations;
  description_localizations?: Localizations;
  options?: readonly Option[];
}

interface Option extends Definition {
  required?: boolean;
  choices?: readonly (Definition & { value: string | number })[];
  minValue?: number;
  min_value?: number;
  maxValue?: number;
  max_value?: number;
  minLength?: number;
  min_length?: number;
  maxLength?: number;
  max_length?: number;
  channelTypes?: readonly number[];
  channel_types?: readonly number[];
  autocomplete?: boolean;
}

interface Command extends Definition {
  defaultMemberPermissions?: string | number | bigint | null;
  default_member_permissions?: string | number | bigint | null;
  nsfw?: boolean;
  contexts?: readonly number[];
}

/** One command. Undefined values are left out when the result becomes JSON. */
export function commandJson(command: unknown, index: number, at = `commands[${index}]`): unknown {
  const definition = check(command, at) as Command;
  const type = typeof definition.type === "number" ? definition.type : CHAT_INPUT;
  if (type === CHAT_INPUT && !definition.description)
    throw invalidInput(`${at}.description`, "a slash command needs one");
  const { defaultMemberPermissions: permissions = definition.default_member_permissions } = definition;
  return {
    type,
    name: definition.name,
    name_localizations: definition.nameLocalizations ?? definition.name_localizations,
    description: definition.description ?? "",
    description_localizations: definition.descriptionLocalizations ?? definition.description_localizations,
    options:
      definition.options && mapList(definition.options, (option, i) => optionJson(option, `${at}.options[${i}]`)),
    // null means everybody, and is not the same as saying nothing.
    default_member_permissions:
      permissions === undefined || permissions === null ? permissions : StringIntrinsic(permissions),
    nsfw: definition.nsfw,
    contexts: definition.contexts,
  };
}

function optionJson(option: unknown, at: string): unknown {
  const o = check(option, at) as Option;
  return {
    type: typeof o.type === "number" ? o.type : (TYPES[o.type ?? "string"] ?? TYPES.string),
    name: o.name,
    name_localizations: o.nameLocalizations ?? o.name_localizations,
    description: o.description ?? "",
    description_localizations: o.descriptionLocalizations ?? o.description_localizations,
    required: o.required,
    choices: o.choices && mapList(o.choices, choiceJson),
    options: o.options && mapList(o.options, (inner, i) => optionJson(inner, `${at}.options[${i}]`)),
    min_value: o.minValue ?? o.min_value,
    max_value: o.maxValue ?? o.max_value,
    min_length: o.minLength ?? o.min_length,
    max_length: o.maxLength ?? o.max_length,
    channel_types: o.channelTypes ?? o.channel_types,
    autocomplete: o.autocomplete,
  };
}

function choiceJson(choice: NonNullable<Option["choices"]>[number]): unknown {
  const { name, value, nameLocalizations, name_localizations } = choice;
  return { name, name_localizations: nameLocalizations ?? name_localizations, value };
}

function check(definition: unknown, at: string): Definition {
  if (!isObject(definition)) throw invalidInput(at, "must be an object");
  const { name } = definition as Definition;
  if (typeof name !== "string" || name === "") throw invalidInput(`${at}.name`, "must be a non-empty string");
  return definition as Definition;
}
