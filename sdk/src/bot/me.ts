// Who this bot is: told at the start where it is known, else learned from READY and from its own messages.

import { configuration } from "../prelude/host.ts";

export function learnMe(userId: string | undefined): void {
  if (userId !== undefined) configuration.userId = userId;
}

/** False as long as the bot does not know its own id. */
export function isMe(userId: string | undefined): boolean {
  return userId !== undefined && userId === configuration.userId;
}

export function knowsMe(): boolean {
  return configuration.userId !== undefined;
}
