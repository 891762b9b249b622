// Everything a script finds without importing it. What comes later joins here: one
// more line in the section it belongs to.
//
// Classes are the dear part of an isolate's start, some 6 KiB each. Most scripts use few of them, so these
// modules are run when a script first touches one of their names: that is what esbuild makes of a `require`.

import {
  createBot,
  flattenCommands,
  handleSubcommand,
  messageCommand,
  prefix,
  registerSlashCommands,
  slash,
  userCommand,
} from "./bot/commands.ts";
import { flattenInteractionOptions, getSubcommand, getSubcommandGroup, hasRole } from "./bot/options.ts";
import { ButtonStyle, ChannelType, ComponentType, InputTextStyle, MessageFlags } from "./builders/enums.ts";
import { off, on, once } from "./events/handlers.ts";
import { console } from "./prelude/console.ts";
import { FloraError } from "./prelude/errors.ts";
import { clearTimeout, queueMicrotask, setInterval, setTimeout } from "./prelude/timers.ts";
import { fetchModule, subtleModule, urlsModule, webModule } from "./lazies.ts";
import { performance } from "./web/performance.ts";

declare function require(module: string): never;

/** flora's own, global and under `flora`. */
export const sdk = {
  // events
  on,
  once,
  off,
  // commands
  createBot,
  prefix,
  slash,
  userCommand,
  messageCommand,
  registerSlashCommands,
  flattenCommands,
  handleSubcommand,
  flattenInteractionOptions,
  hasRole,
  getSubcommand,
  getSubcommandGroup,
  // errors
  FloraError,
  // numbers by name
  ButtonStyle,
  ButtonStyles: ButtonStyle,
  ChannelType,
  ComponentType,
  InputTextStyle,
  InputTextStyles: InputTextStyle,
  MessageFlags,
};

/** What the web platform has, where bots want it. */
export const web = {
  clearInterval: clearTimeout,
  clearTimeout,
  console,
  performance,
  queueMicrotask,
  setInterval,
  setTimeout,
};

/** Names, and the module that has them. */
export interface Lazy {
  readonly names: readonly string[];
  readonly load: () => object;
}

function lazy<M extends object>(load: () => M, ...names: (keyof M & string)[]): Lazy & { readonly module?: M } {
  return { names, load };
}

export const lazySdk = [
  lazy<typeof import("./lazy/embed.ts")>(() => require("./lazy/embed.ts"), "EmbedBuilder", "embed"),
  lazy<typeof import("./lazy/cron.ts")>(() => require("./lazy/cron.ts"), "cron"),
  lazy<typeof import("./lazy/kv.ts")>(() => require("./lazy/kv.ts"), "KvStore", "kv", "store"),
  lazy<typeof import("./lazy/rest.ts")>(() => require("./lazy/rest.ts"), "rest"),
  lazy<typeof import("./lazy/secrets.ts")>(() => require("./lazy/secrets.ts"), "secrets"),
  lazy<typeof import("./lazy/permissions.ts")>(() => require("./lazy/permissions.ts"), "Permissions"),
  lazy<typeof import("./lazy/components.ts")>(
    () => require("./lazy/components.ts"),
    "ActionRowBuilder",
    "ButtonBuilder",
    "ChannelSelectMenuBuilder",
    "ContainerBuilder",
    "FileBuilder",
    "FileUploadBuilder",
    "InputTextBuilder",
    "LabelBuilder",
    "MediaGalleryBuilder",
    "MentionableSelectMenuBuilder",
    "ModalBuilder",
    "RoleSelectMenuBuilder",
    "SectionBuilder",
    "SelectMenuBuilderBase",
    "SeparatorBuilder",
    "StringSelectMenuBuilder",
    "TextDisplayBuilder",
    "ThumbnailBuilder",
    "UserSelectMenuBuilder",
    "actionRow",
    "button",
    "channelSelect",
    "container",
    "file",
    "fileUpload",
    "inputText",
    "label",
    "mediaGallery",
    "mentionableSelect",
    "modal",
    "roleSelect",
    "section",
    "separator",
    "stringSelect",
    "textDisplay",
    "thumbnail",
    "userSelect",
  ),
] as const;

export const lazyWeb = [
  lazy(urlsModule, "URL", "URLSearchParams"),
  lazy(fetchModule, "Blob", "File", "FormData", "Headers", "Request", "Response", "fetch"),
  lazy<Omit<ReturnType<typeof subtleModule>, "subtle">>(subtleModule, "CryptoKey", "SubtleCrypto"),
  lazy(
    webModule,
    "AbortController",
    "AbortSignal",
    "DOMException",
    "Event",
    "EventTarget",
    "TextDecoder",
    "TextEncoder",
    "atob",
    "btoa",
    "crypto",
    "structuredClone",
  ),
] as const;
