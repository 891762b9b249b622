// Answers to an interaction. Discord wants exactly one first answer within three seconds; what comes later
// edits it or follows it. `reply` and `edit` choose by what was answered so far, the other methods say
// clearly when they come too late. Each call waits for the one before it, so that calls that nobody awaits
// still reach Discord in order: the first message after defer() is the one that fills it.

import { modalJson } from "../builders/modal_json.ts";
import type { DiscordInteraction, DiscordMessage } from "../events/discord.ts";
import { message } from "../events/message.ts";
import { type FloraError, invalidInput } from "../prelude/errors.ts";
import { op } from "../prelude/host.ts";
import { type Body, EPHEMERAL, carry, editBody, respondBody } from "./body.ts";

const NONE = 0;
/** "The bot is thinking": the next reply fills that message. */
const DEFERRED = 1;
const REPLIED = 2;
/** The message that the component belongs to is the original. */
const UPDATED = 3;
const MODAL = 4;

type Answers = Omit<flora.ComponentInteractionContext, "msg" | "raw" | "resolved">;
type Sent = Promise<flora.EventMessage>;
type Query = { readonly [name: string]: string };
const WITH_RESPONSE: Query = { with_response: "true" };

/** The message in Discord's answer to a first response. */
function answered(result: unknown): flora.EventMessage {
  const { resource } = (result ?? {}) as { resource?: { message?: DiscordMessage } };
  return resource?.message === undefined ? (undefined as never) : message(resource.message);
}

/** `onMessage`: the interaction comes from a message of the bot, which it may update. */
export function answers(interaction: DiscordInteraction, onMessage: boolean): Answers {
  const path = { interaction: interaction.id, token: interaction.token };
  let state = NONE;
  let last: Promise<unknown> | undefined;

  /** Send the first answer; when Discord refuses it the interaction is as open as before. */
  async function begin<T>(
    next: number,
    name: string,
    body: { type: number; data?: unknown },
    query?: Query,
    convert?: (result: unknown) => T,
  ): Promise<T> {
    state = next;
    const sending = op(name, carry({ path, query, body }, body.data as Body | undefined), convert);
    last = sending;
    try {
      return await sending;
    } catch (error) {
      state = NONE;
      throw error;
    }
  }

  /** A first answer that is a message, which Discord sends back when asked to. */
  const beginMessage = (next: number, name: string, type: number, data: Body): Sent =>
    begin(next, name, { type, data }, WITH_RESPONSE, answered);

  async function after(previous: Promise<unknown> | undefined, name: string, body: Body): Sent {
    try {
      await previous;
    } catch {
      // Whoever made that call hears about it.
    }
    const call = carry({ path: { token: path.token }, body }, body);
    return await op(name, call, message as (result: unknown) => flora.EventMessage);
  }

  const later = (name: string, body: Body): Sent => {
    const sending = after(last, name, body);
    last = sending;
    return sending;
  };
  const editOriginal = (body: Body): Sent => later("editOriginalInteractionResponse", body);
  const follow = (body: Body): Sent => later("createFollowupMessage", body);

  return {
    async reply(input) {
      const body = respondBody(input);
      if (state === NONE) return await beginMessage(REPLIED, "sendInteractionResponse", 4, body);
      if (state !== DEFERRED) return await follow(body);
      state = REPLIED;
      if (body.flags !== undefined) body.flags &= ~EPHEMERAL; // that was decided by defer()
      if (body.flags === 0) delete body.flags;
      return await editOriginal(body);
    },

    async edit(input) {
      const body = editBody(input);
      if (state === NONE) {
        if (onMessage) return await beginMessage(UPDATED, "updateInteractionResponse", 7, body);
        throw tooEarly("edit");
      }
      if (state === MODAL) throw tooLate("edit", "a modal is no message");
      if (state === DEFERRED) state = REPLIED;
      return await editOriginal(body);
    },

    async defer(options) {
      if (state !== NONE) throw tooLate("defer", "the interaction is already answered");
      const data = options?.ephemeral === true ? { flags: EPHEMERAL } : undefined;
      await begin(DEFERRED, "deferInteractionResponse", { type: 5, data });
    },

    async followup(input) {
      const body = respondBody(input);
      if (state === NONE) throw tooEarly("followup");
      return await follow(body);
    },

    async update(input) {
      const body = editBody(input);
      if (!onMessage)
        throw invalidInput("interaction", "this modal was not opened from a message: there is nothing to update");
      if (state === UPDATED) return await editOriginal(body);
      if (state !== NONE) throw tooLate("update", "the interaction is already answered");
      return await beginMessage(UPDATED, "updateInteractionResponse", 7, body);
    },

    async deferUpdate() {
      if (state !== NONE) throw tooLate("deferUpdate", "the interaction is already answered");
      await begin(UPDATED, "deferInteractionResponse", { type: 6 });
    },

    async showModal(modal) {
      const data = modalJson(modal);
      if (state !== NONE) throw tooLate("showModal", "a modal can only be the first answer");
      await begin(MODAL, "openModal", { type: 9, data });
    },
  };
}

function tooEarly(method: string): FloraError {
  return invalidInput("interaction", `${method}() comes too early: reply() or defer() first`);
}

function tooLate(method: string, why: string): FloraError {
  return invalidInput("interaction", `${method}() comes too late: ${why}`);
}
