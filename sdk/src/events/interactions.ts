// Interactions: Discord has one event for all of them, whose `type` tells them apart.

import { runAutocomplete } from "../bot/autocomplete.ts";
import { type Talk, talkOf } from "../bot/interaction_answers.ts";
import { commandContext, componentContext, modalContext } from "../bot/interaction_contexts.ts";
import { attend } from "../bot/unanswered.ts";
import type { DiscordInteraction } from "./discord.ts";
import { isHandled, runHandlers } from "./handlers.ts";
import { commandInteraction, componentInteraction, modalSubmit } from "./interaction.ts";

const COMMAND = 2;
const COMPONENT = 3;
const AUTOCOMPLETE = 4;
const MODAL = 5;

interface Row {
  readonly event: flora.EventName;
  readonly payload: (d: DiscordInteraction) => unknown;
  readonly context: (msg: never, raw: DiscordInteraction, talk: Talk) => unknown;
}

function row<P>(
  event: flora.EventName,
  payload: (d: DiscordInteraction) => P,
  context: (msg: P, raw: DiscordInteraction, talk: Talk) => unknown,
): Row {
  return { event, payload, context };
}

const ROWS = {
  __proto__: null,
  [COMMAND]: row("interactionCreate", commandInteraction, commandContext),
  [COMPONENT]: row("componentInteraction", componentInteraction, componentContext),
  [MODAL]: row("modalSubmit", modalSubmit, modalContext),
} as unknown as { readonly [type: number]: Row | undefined };

/** Run the handlers of an INTERACTION_CREATE. */
export function runInteraction(d: DiscordInteraction): unknown {
  if (d.type === AUTOCOMPLETE) return runAutocomplete(d);
  const row = ROWS[d.type];
  if (row === undefined || !isHandled(row.event)) return undefined;
  // Only a modal that a component opened has a message to update.
  const talk = talkOf(d, d.type === COMPONENT || (d.type === MODAL && d.message !== undefined));
  const ctx = row.context(row.payload(d) as never, d, talk);
  return attend(talk, () => runHandlers(row.event, ctx, false));
}
