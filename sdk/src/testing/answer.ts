// What a script did about one event, as tests look at it.

import type * as api from "flora-test";

/** What the host tells. */
export interface Happened {
  calls: (api.Call & { result?: { id?: string; channel_id?: string; resource?: { message?: { id?: string } } } | null })[];
  logs: [string, string][];
  /** Stack of what a handler threw. */
  error?: string;
}

const KINDS: { [name: string]: api.Sent["kind"] } = {
  sendMessage: "message",
  executeWebhook: "message",
  sendInteractionResponse: "reply",
  updateInteractionResponse: "update",
  editOriginalInteractionResponse: "edit",
  editMessage: "edit",
  editFollowupMessage: "edit",
  createFollowupMessage: "followup",
};

/** Messages with components that the bot has shown in this test, newest last. */
let shown: api.Sent[] = [];

export function forget(): void {
  shown = [];
}

/** The newest message that has a component with that `custom_id`; throws when there is none. */
export function messageWith(customId: string): api.Sent {
  for (const message of shown.toReversed()) if (ids(message.components).includes(customId)) return message;
  const known = [...new Set(shown.flatMap(({ components }) => ids(components)))];
  const there = known.length > 0 ? `there are ${known.map((id) => JSON.stringify(id)).join(", ")}` : "there are none";
  throw new Error(`no message of the bot has a component ${JSON.stringify(customId)}; ${there}`);
}

export function newestMessage(): api.Sent | undefined {
  return shown.at(-1);
}

function ids(components: unknown): string[] {
  if (Array.isArray(components)) return components.flatMap(ids);
  if (typeof components !== "object" || components === null) return [];
  const { custom_id, components: inner, accessory, component } = components as Record<string, unknown>;
  return [...(typeof custom_id === "string" ? [custom_id] : []), ...ids(inner), ...ids(accessory), ...ids(component)];
}

/** A handler threw. Its stack is the script's. */
export class HandlerFailed extends Error {
  constructor(stack: string) {
    super(/^\s*(?:\w*Error: )?(.*)/.exec(stack)?.[1] ?? stack);
    this.stack = stack;
  }
}

export function answerOf({ calls, logs, error }: Happened): api.Answer {
  const messages: api.Sent[] = [];
  const reactions: string[] = [];
  let modal: unknown;
  let choices: api.Answer["choices"] = [];
  for (const { name, path, body, result } of calls) {
    const kind = KINDS[name];
    if (kind !== undefined) messages.push(sent(kind, path, body?.data ?? body ?? {}, result));
    else if (name === "openModal") modal = body.data;
    else if (name === "sendAutocompleteResult") choices = body.data.choices;
    else if (name === "addReaction") reactions.push(decodeURIComponent(path.emoji ?? ""));
  }
  shown.push(...messages);
  if (error !== undefined) throw new HandlerFailed(error);
  const [reply] = messages;
  const lines = logs.map(([level, text]) => ({ level, text }));
  const plain = calls.map(({ result: _, ...call }) => call);
  return { messages, reply, text: reply?.content, modal, choices, reactions, calls: plain, logs: lines };
}

function sent(kind: api.Sent["kind"], path: api.Call["path"], body: any, result: Happened["calls"][0]["result"]): api.Sent {
  const message = result?.resource?.message ?? result;
  return {
    kind,
    id: message?.id ?? path.message ?? "",
    content: body.content ?? "",
    embeds: body.embeds ?? [],
    components: body.components ?? [],
    ephemeral: ((body.flags ?? 0) & 64) !== 0,
    channelId: path.channel ?? result?.channel_id,
    body,
  };
}
