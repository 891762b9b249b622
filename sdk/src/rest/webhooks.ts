// Webhooks of the guild. With a webhook's own token the bot needs no permission.

import { type Body, carry, editBody, respondBody } from "../bot/body.ts";
import { method, optionalId, query, reasonOf, textOf } from "./arguments.ts";
import { act, ask } from "./calls.ts";
import { id } from "./ids.ts";
import { payloadOf } from "./payload.ts";

interface WebhookBody extends Body {
  username?: string;
  avatar_url?: string;
  thread_name?: string;
}

function webhook({ webhookId }: { webhookId: string }): string {
  return id(webhookId, "webhook_id");
}

function tokenPath(input: { webhookId: string; token: string }): { webhook: string; token: string } {
  return { webhook: webhook(input), token: textOf(input.token, "token") };
}

function messagePath(input: flora.RawWebhookMessage): { webhook: string; token: string; message: string } {
  const { webhook: hook, token } = tokenPath(input);
  return { webhook: hook, token, message: id(input.messageId, "message_id") };
}

function threadOf({ threadId }: { threadId?: string | undefined }): string {
  return query(optionalId(threadId, "thread_id"));
}

/** Discord leaves components out unless it is told that there are some. */
function withComponents({ withComponents }: { withComponents?: boolean }, body: Body): string {
  return query((withComponents ?? (body.components?.length ?? 0) > 0) || undefined);
}

function execute(input: flora.RawExecuteWebhook): Promise<flora.RestMessage | null> {
  const path = tokenPath(input);
  const body: WebhookBody = respondBody(input);
  if (input.username !== undefined) body.username = textOf(input.username, "username");
  if (input.avatarUrl !== undefined) body.avatar_url = textOf(input.avatarUrl, "avatar_url");
  if (input.threadName !== undefined) body.thread_name = textOf(input.threadName, "thread_name");
  const queried = {
    wait: query(input.wait === true || undefined),
    thread_id: threadOf(input),
    with_components: withComponents(input, body),
  };
  return ask("executeWebhook", carry({ path, query: queried, body }, body));
}

/** `withToken` is the op for callers that have the webhook's token. */
function path(name: string, withToken: string, input: flora.RawDeleteWebhook): [string, { [name: string]: string }] {
  return input.token === undefined || input.token === null
    ? [name, { webhook: webhook(input) }]
    : [withToken, tokenPath(input as { webhookId: string; token: string })];
}

export const webhooks: Pick<
  flora.Rest,
  | "createWebhook"
  | "listChannelWebhooks"
  | "executeWebhook"
  | "editWebhook"
  | "deleteWebhook"
  | "editWebhookMessage"
  | "deleteWebhookMessage"
> = {
  createWebhook: method((input) =>
    ask("createWebhook", {
      path: { channel: id(input.channelId, "channel_id") },
      body: payloadOf(input),
      reason: reasonOf(input),
    }),
  ),
  listChannelWebhooks: method((input) =>
    ask("listChannelWebhooks", { path: { channel: id(input.channelId, "channel_id") } }),
  ),
  executeWebhook: method(execute),
  editWebhook: method((input) => {
    const to = path("editWebhook", "editWebhookWithToken", input);
    return ask(to[0], { path: to[1], body: payloadOf(input), reason: reasonOf(input) });
  }),
  deleteWebhook: method((input) => {
    const to = path("deleteWebhook", "deleteWebhookWithToken", input);
    return act(to[0], { path: to[1], reason: reasonOf(input) });
  }),
  editWebhookMessage: method((input) => {
    const to = messagePath(input);
    const body = editBody(input);
    const queried = { thread_id: threadOf(input), with_components: withComponents(input, body) };
    return ask("editWebhookMessage", carry({ path: to, query: queried, body }, body));
  }),
  deleteWebhookMessage: method((input) =>
    act("deleteWebhookMessage", { path: messagePath(input), query: { thread_id: threadOf(input) } }),
  ),
};
