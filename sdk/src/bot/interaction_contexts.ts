// The contexts of interactions: what `contexts.ts` is for all other events.

import type { DiscordInteraction } from "../events/discord.ts";
import { modalFields, resolved } from "../events/interaction.ts";
import { type Talk, answers, modalOpener, updates } from "./interaction_answers.ts";
import { flattenInteractionOptions } from "./options.ts";

export function commandContext(
  msg: flora.EventInteractionCreate,
  raw: DiscordInteraction,
  talk: Talk,
): flora.InteractionContext {
  const ctx = {
    msg,
    raw: raw as unknown as flora.JsonValue,
    options: flattenInteractionOptions(raw.data?.options ?? []),
    get resolved() {
      return resolved(raw);
    },
    ...answers(talk),
    showModal: modalOpener(talk),
  };
  if (raw.data?.target_id !== undefined) addTarget(ctx, raw.data.target_id);
  return ctx;
}

/** Whom or what a command of a menu was used on. */
function addTarget(ctx: flora.InteractionContext & flora.CommandTarget, id: string): void {
  const { users, members, messages } = ctx.resolved;
  ctx.targetId = id;
  if (users[id] !== undefined) ctx.targetUser = users[id];
  if (members[id] !== undefined) ctx.targetMember = members[id];
  if (messages[id] !== undefined) ctx.targetMessage = messages[id];
}

export function componentContext(
  msg: flora.EventComponentInteraction,
  raw: DiscordInteraction,
  talk: Talk,
): flora.ComponentInteractionContext {
  return {
    msg,
    raw: raw as unknown as flora.JsonValue,
    get resolved() {
      return resolved(raw);
    },
    ...answers(talk),
    ...updates(talk),
    showModal: modalOpener(talk),
  };
}

export function modalContext(
  msg: flora.EventModalSubmit,
  raw: DiscordInteraction,
  talk: Talk,
): flora.ModalSubmitContext {
  return {
    msg,
    raw: raw as unknown as flora.JsonValue,
    fields: modalFields(raw.data?.components),
    get resolved() {
      return resolved(raw);
    },
    ...answers(talk),
    ...updates(talk),
  };
}
