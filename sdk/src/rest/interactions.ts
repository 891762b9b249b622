// Answers to interactions, by their ids and tokens. A context's own methods know what was answered already;
// these do what they say.

import { EPHEMERAL, carry, editBody, respondBody } from "../bot/body.ts";
import { modalJson } from "../builders/modal_json.ts";
import { method, textOf } from "./arguments.ts";
import { actAtOnce, askAtOnce } from "./calls.ts";
import { id } from "./ids.ts";

const MESSAGE = 4;
const DEFERRED_MESSAGE = 5;
const DEFERRED_UPDATE = 6;
const UPDATE = 7;
const MODAL = 9;

type OfToken = { token: string };
type OfInteraction = OfToken & { interactionId: string };

function tokenPath({ token }: OfToken): { token: string } {
  return { token: textOf(token, "token") };
}

function callbackPath(input: OfInteraction): { interaction: string; token: string } {
  return { interaction: id(input.interactionId, "interaction_id"), token: textOf(input.token, "token") };
}

function followupPath(input: OfToken & { messageId: string }): { token: string; message: string } {
  return { token: textOf(input.token, "token"), message: id(input.messageId, "message_id") };
}

export const interactions: Pick<
  flora.Rest,
  | "sendInteractionResponse"
  | "deferInteractionResponse"
  | "updateInteractionResponse"
  | "openModal"
  | "editOriginalInteractionResponse"
  | "deleteOriginalInteractionResponse"
  | "createFollowupMessage"
  | "editFollowupMessage"
  | "deleteFollowupMessage"
> = {
  sendInteractionResponse: method((input) => {
    const path = callbackPath(input);
    const data = respondBody(input);
    return actAtOnce("sendInteractionResponse", carry({ path, body: { type: MESSAGE, data } }, data));
  }),
  deferInteractionResponse: method((input) => {
    const data = input.ephemeral === true ? { flags: EPHEMERAL } : undefined;
    const body = input.update === true ? { type: DEFERRED_UPDATE } : { type: DEFERRED_MESSAGE, data };
    return actAtOnce("deferInteractionResponse", { path: callbackPath(input), body });
  }),
  updateInteractionResponse: method((input) => {
    const path = callbackPath(input);
    const data = editBody(input);
    return actAtOnce("updateInteractionResponse", carry({ path, body: { type: UPDATE, data } }, data));
  }),
  openModal: method((input) =>
    actAtOnce("openModal", { path: callbackPath(input), body: { type: MODAL, data: modalJson(input.modal) } }),
  ),
  editOriginalInteractionResponse: method((input) => {
    const path = tokenPath(input);
    const body = editBody(input);
    return askAtOnce("editOriginalInteractionResponse", carry({ path, body }, body));
  }),
  deleteOriginalInteractionResponse: method((input) =>
    actAtOnce("deleteOriginalInteractionResponse", { path: tokenPath(input) }),
  ),
  createFollowupMessage: method((input) => {
    const path = tokenPath(input);
    const body = respondBody(input);
    return askAtOnce("createFollowupMessage", carry({ path, body }, body));
  }),
  editFollowupMessage: method((input) => {
    const path = followupPath(input);
    const body = editBody(input);
    return askAtOnce("editFollowupMessage", carry({ path, body }, body));
  }),
  deleteFollowupMessage: method((input) => actAtOnce("deleteFollowupMessage", { path: followupPath(input) })),
};
