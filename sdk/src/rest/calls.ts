// How `rest` asks the host: Discord's answers come back as they are.

import { type Call, op, queuedOp } from "../prelude/host.ts";

const asItCame = <T>(result: unknown): T => result as T;

/** A call whose answer the script gets. */
export function ask<T>(name: string, call: Call): Promise<T> {
  return queuedOp(name, call, asItCame<T>);
}

/** A call that has no answer. */
export function act(name: string, call: Call): Promise<void> {
  return queuedOp(name, call);
}

/** The same as `ask` for answers to interactions, which wait behind nothing. */
export function askAtOnce<T>(name: string, call: Call): Promise<T> {
  return op(name, call, asItCame<T>);
}

/** The same as `act` for answers to interactions. */
export function actAtOnce(name: string, call: Call): Promise<void> {
  return op(name, call);
}
