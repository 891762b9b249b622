// Answers to an interaction. Discord wants exactly one first answer within three seconds; what comes later
// edits it or follows it. `reply` and `edit` choose by what was answered so far, the other methods say
// clearly when they come too late. Each call waits for the one before it, so that calls that nobody awaits
// still reach Discord in order: the first message after defer() is the one that fills it.

import type { DiscordInteraction, DiscordMessage } from "../events/discord.ts";
import { message } from "../events/message.ts";
import { type FloraError, invalidInput } from "../prelude/errors.ts";
import { op } from "../prelude/host.ts";
import { needComponentsJson } from "../prelude/lazily.ts";
import { isObject } from "../prelude/primordials.ts";
import { type Body, EPHEMERAL, carry, editBody, respondBody } from "./body.ts";

const NONE = 0;
/** "The bot is thinking": the next reply fills that message. */
const DEFERRED = 1;
const REPLIED = 2;
/** The message that the component belongs to is the original. */
const UPDATED = 3;
const MODAL = 4;
/** Discord knows that an update may come; the user has seen nothing yet. */
const UPDATING = 5;

/** One interaction and how far its answering is. No script ever sees it. */
export interface Talk {
  readonly path: { readonly interaction: string; readonly token: string };
  /** Whether the interaction comes from a message of the bot, which it may update. */
  readonly onMessage: boolean;
  state: number;
  /** The latest call; the next one waits for it. */
  last: Promise<unknown> | undefined;
  /** Deferred by flora, not by the script. */
  automatic: boolean;
  /** All of its handlers have settled. */
  over: boolean;
  /** When it will be deferred, and who is next: see `unanswered.ts`. */
  due: number;
  next: Talk | undefined;
}

export function talkOf(interaction: DiscordInteraction, onMessage: boolean): Talk {
  return {
    path: { interaction: interaction.id, token: interaction.token },
    onMessage,
    state: NONE,
    last: undefined,
    automatic: false,
    over: false,
    due: 0,
    next: undefined,
  };
}

export function isUnanswered(talk: Talk): boolean {
  return talk.state === NONE;
}

type Sent = Promise<flora.EventMessage>;
type Query = { readonly [name: string]: string };
const WITH_RESPONSE: Query = { with_response: "true" };

/** The message in Discord's answer to a first response. */
function answered(result: unknown): flora.EventMessage {
  const { resource } = (result ?? {}) as { resource?: { message?: DiscordMessage } };
  return resource?.message === undefined ? (undefined as never) : message(resource.message);
}

/** Send the first answer; when Discord refuses it the interaction is as open as before. */
async function begin<T>(
  talk: Talk,
  next: number,
  name: string,
  body: { type: number; data?: unknown },
  query?: Query,
  convert?: (result: unknown) => T,
): Promise<T> {
  talk.state = next;
  const call = carry({ path: talk.path, query, body }, body.data as Body | undefined);
  const sending = op(name, call, convert);
  talk.last = sending;
  try {
    return await sending;
  } catch (error) {
    if (talk.state === next) talk.state = NONE;
    throw error;
  }
}

/** A first answer that is a message, which Discord sends back when asked to. */
function beginMessage(talk: Talk, next: number, name: string, type: number, data: Body): Sent {
  return begin(talk, next, name, { type, data }, WITH_RESPONSE, answered);
}

function beginDefer(talk: Talk, ephemeral: boolean): Promise<void> {
  const data = ephemeral ? { flags: EPHEMERAL } : undefined;
  return begin(talk, DEFERRED, "deferInteractionResponse", { type: 5, data });
}

function beginDeferUpdate(talk: Talk): Promise<void> {
  return begin(talk, UPDATING, "deferInteractionResponse", { type: 6 });
}

async function after<T>(
  previous: Promise<unknown> | undefined,
  name: string,
  call: object,
  convert?: (result: unknown) => T,
): Promise<T> {
  try {
    await previous;
  } catch {
    // Whoever made that call hears about it.
  }
  return await op(name, call, convert);
}

/** A call that follows the first answer. */
function later<T>(talk: Talk, name: string, call: object, convert?: (result: unknown) => T): Promise<T> {
  const sending = after(talk.last, name, call, convert);
  talk.last = sending;
  return sending;
}

const asMessage = message as (result: unknown) => flora.EventMessage;

function editOriginal(talk: Talk, body: Body): Sent {
  if (talk.state === DEFERRED) talk.state = REPLIED;
  else if (talk.state === UPDATING) talk.state = UPDATED;
  const call = carry({ path: { token: talk.path.token }, body }, body);
  return later(talk, "editOriginalInteractionResponse", call, asMessage);
}

/** The first one after a deferral fills the deferred message (Discord: "Create Followup Message"). */
function follow(talk: Talk, body: Body): Sent {
  if (talk.state === DEFERRED) talk.state = REPLIED;
  else if (talk.state === UPDATING) talk.state = UPDATED;
  const call = carry({ path: { token: talk.path.token }, body }, body);
  return later(talk, "createFollowupMessage", call, asMessage);
}

/** The path of a follow-up, given by its id or as the message that `followup()` resolved with. */
function followupPath(talk: Talk, followup: unknown): { token: string; message: string } {
  const id = isObject(followup) ? (followup as { id?: unknown }).id : followup;
  if (typeof id !== "string" || id === "") throw invalidInput("message_id", "which follow-up? give its id or message");
  return { token: talk.path.token, message: id };
}

type Common = Omit<flora.InteractionBaseContext<unknown>, "msg" | "raw" | "resolved">;

/** What the contexts of all interactions have. */
export function answers(talk: Talk): Common {
  return {
    async reply(input) {
      const body = respondBody(input);
      if (talk.state === NONE) return await beginMessage(talk, REPLIED, "sendInteractionResponse", 4, body);
      if (talk.state !== DEFERRED) return await follow(talk, body);
      if (body.flags !== undefined) body.flags &= ~EPHEMERAL; // that was decided by defer()
      if (body.flags === 0) delete body.flags;
      return await editOriginal(talk, body);
    },

    async edit(input) {
      const body = editBody(input);
      if (talk.state === NONE) {
        if (talk.onMessage) return await beginMessage(talk, UPDATED, "updateInteractionResponse", 7, body);
        throw tooEarly("edit");
      }
      if (talk.state === MODAL) throw tooLate("edit", "a modal is no message");
      return await editOriginal(talk, body);
    },

    async defer(options) {
      if (talk.automatic) return await (talk.last as Promise<never>);
      if (talk.state !== NONE) throw tooLate("defer", "the interaction is already answered");
      await beginDefer(talk, options?.ephemeral === true);
    },

    async followup(input) {
      const body = respondBody(input);
      if (talk.state === NONE) throw tooEarly("followup");
      return await follow(talk, body);
    },

    async editFollowup(followup, input) {
      const body = editBody(input);
      const call = carry({ path: followupPath(talk, followup), body }, body);
      return await later(talk, "editFollowupMessage", call, asMessage);
    },

    async deleteFollowup(followup) {
      await later(talk, "deleteFollowupMessage", { path: followupPath(talk, followup) });
    },

    async fetchReply() {
      if (talk.state === NONE) throw tooEarly("fetchReply");
      if (talk.state === MODAL) throw tooLate("fetchReply", "a modal is no message");
      const call = { path: { token: talk.path.token } };
      return await later(talk, "getOriginalInteractionResponse", call, asMessage);
    },

    async deleteReply() {
      if (talk.state === NONE) throw tooEarly("deleteReply");
      if (talk.state === MODAL) throw tooLate("deleteReply", "a modal is no message");
      if (talk.state === DEFERRED) talk.state = REPLIED;
      await later(talk, "deleteOriginalInteractionResponse", { path: { token: talk.path.token } });
    },
  };
}

/** Of what comes from a message: components, and modals that one opened. */
export function updates(talk: Talk): Pick<flora.ComponentInteractionContext, "update" | "deferUpdate"> {
  return {
    async update(input) {
      const body = editBody(input);
      if (!talk.onMessage)
        throw invalidInput("interaction", "this modal was not opened from a message: there is nothing to update");
      if (talk.state === UPDATED || talk.state === UPDATING) return await editOriginal(talk, body);
      if (talk.state !== NONE) throw tooLate("update", "the interaction is already answered");
      return await beginMessage(talk, UPDATED, "updateInteractionResponse", 7, body);
    },

    async deferUpdate() {
      if (talk.automatic) return await (talk.last as Promise<never>);
      if (talk.state !== NONE) throw tooLate("deferUpdate", "the interaction is already answered");
      await beginDeferUpdate(talk);
    },
  };
}

export function modalOpener(talk: Talk): flora.InteractionContext["showModal"] {
  return async (modal) => {
    const data = needComponentsJson().modalJson(modal);
    if (talk.automatic) {
      throw tooLate(
        "showModal",
        "the interaction was deferred after 2 s without an answer; open the modal before the first long await, or use createBot({ autoDefer: false })",
      );
    }
    if (talk.state !== NONE) throw tooLate("showModal", "a modal can only be the first answer");
    await begin(talk, MODAL, "openModal", { type: 9, data });
  };
}

/** Answer for a script that takes its time, in the way that it can still answer in. */
export function deferItself(talk: Talk, ephemeral: boolean): Promise<void> {
  talk.automatic = true;
  return talk.onMessage ? beginDeferUpdate(talk) : beginDefer(talk, ephemeral);
}

/** Say `content` to the user alone, if they have been told nothing so far. */
export async function apologise(talk: Talk, content: string): Promise<void> {
  if (talk.state === NONE) {
    await beginMessage(talk, REPLIED, "sendInteractionResponse", 4, { content, flags: EPHEMERAL });
  } else if (talk.state === DEFERRED) {
    await editOriginal(talk, { content });
  } else if (talk.state === UPDATING) {
    await follow(talk, { content, flags: EPHEMERAL });
  }
}

function tooEarly(method: string): FloraError {
  return invalidInput("interaction", `${method}() comes too early: reply() or defer() first`);
}

function tooLate(method: string, why: string): FloraError {
  return invalidInput("interaction", `${method}() comes too late: ${why}`);
}
