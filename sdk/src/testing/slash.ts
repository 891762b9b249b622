// A slash command as somebody types it, checked against what the script declared: Discord's client would not
// send anything else.

import type * as api from "flora-test";
import { user } from "./events.ts";

interface Declared {
  name: string;
  type?: number;
  required?: boolean;
  choices?: { name: string; value: unknown }[];
  min_value?: number;
  max_value?: number;
  min_length?: number;
  max_length?: number;
  options?: Declared[];
}

type Json = Record<string, unknown>;
type Values = { readonly [option: string]: api.OptionValue };

const SUBCOMMAND = 1;
const GROUP = 2;
const [STRING, INTEGER, BOOLEAN, NUMBER] = [3, 4, 5, 10];
const KINDS: { readonly [type: number]: string } = { 6: "users", 7: "channels", 8: "roles", 9: "users", 11: "attachments" };

/** `data` of the interaction for `line` ("remind list"); `focused` is the option that is being typed. */
export function commandData(commands: readonly Declared[], line: string, values: Values, focused?: string): Json {
  const [name, ...rest] = line.replace(/^\//, "").split(/\s+/);
  const command = find(commands.filter(({ type = 1 }) => type === 1), name as string, "slash command", "");
  const resolved: Record<string, Json> = {};
  const options = optionsOf(command, rest, values, focused, `/${name}`, resolved);
  return { id: "1", name, type: 1, options, resolved };
}

/** `data` of a command in a menu. */
export function menuData(commands: readonly Declared[], type: number, name: string, target: string, resolved: Json): Json {
  find(commands.filter((command) => command.type === type), name, type === 2 ? "user command" : "message command", "");
  return { id: "1", name, type, target_id: target, resolved };
}

function find(declared: readonly Declared[], name: string, what: string, at: string): Declared {
  const found = declared.find((one) => one.name === name);
  if (found !== undefined) return found;
  const known = declared.map((one) => one.name).join(", ");
  throw new Error(`${at === "" ? "" : `${at}: `}there is no ${what} ${JSON.stringify(name)}; there ${known ? `are: ${known}` : "is none: does the test import the script?"}`);
}

function optionsOf(
  command: Declared,
  words: readonly string[],
  values: Values,
  focused: string | undefined,
  at: string,
  resolved: Record<string, Json>,
): Json[] {
  const declared = command.options ?? [];
  if (declared.some(({ type }) => type === SUBCOMMAND || type === GROUP)) {
    const [word, ...rest] = words;
    if (word === undefined) throw new Error(`${at} wants a subcommand: ${declared.map(({ name }) => name).join(", ")}`);
    const inner = find(declared, word, "subcommand", at);
    const { name, type } = inner;
    return [{ name, type, options: optionsOf(inner, rest, values, focused, `${at} ${word}`, resolved) }];
  }
  if (words.length > 0) throw new Error(`${at} has no subcommand ${JSON.stringify(words[0])}`);
  for (const name of Object.keys(values)) find(declared, name, "option", at);
  const missing = declared.filter(({ name, required }) => required === true && values[name] === undefined);
  if (missing.length > 0 && focused === undefined) {
    throw new Error(`${at} wants the option ${missing.map(({ name }) => name).join(", ")}`);
  }
  return declared
    .filter(({ name }) => values[name] !== undefined)
    .map((option) => {
      const isFocused = option.name === focused;
      const value = isFocused ? values[option.name] : checked(option, values[option.name], `${at} ${option.name}`, resolved);
      return { name: option.name, type: option.type, value, ...(isFocused && { focused: true }) };
    });
}

function checked(option: Declared, value: unknown, at: string, resolved: Record<string, Json>): unknown {
  const { type = STRING, choices, min_value, max_value, min_length, max_length } = option;
  const wrong = (why: string): Error => new Error(`${at}: ${JSON.stringify(value)} ${why}`);
  const kind = KINDS[type];
  if (kind !== undefined) return referred(value, kind, resolved);
  const expected = type === BOOLEAN ? "boolean" : type === INTEGER || type === NUMBER ? "number" : "string";
  if (typeof value !== expected) throw wrong(`should be a ${expected}`);
  if (type === INTEGER && !Number.isInteger(value)) throw wrong("should be a whole number");
  if (choices !== undefined && !choices.some((choice) => choice.value === value)) {
    throw wrong(`is none of the choices ${choices.map((choice) => JSON.stringify(choice.value)).join(", ")}`);
  }
  const size = typeof value === "string" ? value.length : (value as number);
  const [least, most] = typeof value === "string" ? [min_length, max_length] : [min_value, max_value];
  if (least !== undefined && size < least) throw wrong(`is less than ${least}`);
  if (most !== undefined && size > most) throw wrong(`is more than ${most}`);
  return value;
}

function referred(value: unknown, kind: string, resolved: Record<string, Json>): string {
  const given = typeof value === "object" && value !== null ? (value as api.Person) : { id: String(value) };
  const id = given.id ?? user(given).id;
  const named = kind === "users" ? user({ username: `user-${id}`, ...given }) : { id, name: String(id), ...given };
  (resolved[kind] ??= {})[id as string] = named;
  return id as string;
}
