// Who handles which event: `on`, `once`, `off`, and the running of handlers one after another.

import { declare, setDeclaration } from "../prelude/host.ts";
import { needMoreEvents } from "../prelude/lazily.ts";
import { JSONStringify, ObjectKeys, StringSlice, TypeErrorIntrinsic, isThenable } from "../prelude/primordials.ts";

type Handler = (ctx: unknown) => unknown;

/** Handlers of one event form a linked list, in the order of their registration. */
interface Node {
  readonly handler: Handler;
  readonly once: boolean;
  /** Whether the bot's own messages are wanted too. */
  readonly own: boolean;
  removed: boolean;
  next: Node | undefined;
}

interface List {
  first: Node | undefined;
  last: Node | undefined;
}

/** The events that most scripts live on. The others, and what belongs to them, come when one is named. */
const USUAL = {
  __proto__: null,
  ready: 1,
  messageCreate: 1,
  messageUpdate: 1,
  messageDelete: 1,
  messageDeleteBulk: 1,
  interactionCreate: 1,
  componentInteraction: 1,
  modalSubmit: 1,
  autocomplete: 1,
  reactionAdd: 1,
  reactionRemove: 1,
  reactionRemoveEmoji: 1,
  reactionRemoveAll: 1,
} as unknown as { readonly [event: string]: 1 | undefined };

/** What the host calls the runs of cron jobs. */
const CRON_PREFIX = "__cron:";

// Without a prototype: no event is called "constructor". One list for each event that was ever named.
const lists = { __proto__: null } as unknown as Record<string, List>;

/** JSON of Discord's commands; "null" until the script registers some. */
let commands = "null";

/** JSON of the jobs by the clock; "" until the script has some. */
let crons = "";

/** JSON of what users are told when a handler fails; "" for the usual text. */
let apology = "";

function listOf(event: unknown): List {
  const list = lists[event as string];
  if (list !== undefined) return list;
  if (typeof event !== "string") throw new TypeErrorIntrinsic(`an event's name must be a string, not ${typeof event}`);
  if (StringSlice(event, 0, CRON_PREFIX.length) === CRON_PREFIX) {
    throw new TypeErrorIntrinsic(`event names that start with "${CRON_PREFIX}" are reserved for cron()`);
  }
  if (USUAL[event] === undefined) {
    const wrong = needMoreEvents().whatIsWrongWith(event, ObjectKeys(USUAL));
    if (wrong !== "") throw new TypeErrorIntrinsic(wrong);
  }
  return (lists[event] = { first: undefined, last: undefined });
}

function add(event: string, handler: Handler, once: boolean, own: boolean): void {
  const list = listOf(event);
  if (typeof handler !== "function") throw new TypeErrorIntrinsic(`the handler of "${event}" must be a function`);
  const node: Node = { handler, once, own, removed: false, next: undefined };
  if (list.last === undefined) {
    list.first = node;
    declare();
  } else {
    list.last.next = node;
    if (own) declare();
  }
  list.last = node;
}

/** Handlers that are running keep their place: a removed node still points to those after it. */
function drop(list: List, matches: (node: Node) => boolean): void {
  let before: Node | undefined;
  let dropped = false;
  for (let node = list.first; node !== undefined; node = node.next) {
    if (matches(node)) {
      node.removed = dropped = true;
      if (before === undefined) list.first = node.next;
      else before.next = node.next;
    } else {
      before = node;
    }
  }
  list.last = before;
  if (dropped) declare();
}

export const on: typeof flora.on = (event, handler, options) => {
  add(event, handler as Handler, false, options?.own === true);
};

export const once: typeof flora.once = (event, handler, options) => {
  add(event, handler as Handler, true, options?.own === true);
};

export const off: typeof flora.off = (event, handler) => {
  drop(listOf(event), (node) => node.handler === handler);
};

export function isHandled(event: string): boolean {
  return lists[event]?.first !== undefined;
}

/**
 * Run the handlers of `event` one after another; one that throws stops the rest. Returns a promise only
 * when a handler returned one. `own`: the event is a message of the bot itself.
 */
export function runHandlers(event: string, ctx: unknown, own: boolean): unknown {
  const list = lists[event] as List;
  for (let node = list.first; node !== undefined; node = node.next) {
    const result = runOne(list, node, ctx, own);
    if (isThenable(result)) return node.next === undefined ? result : runRest(list, node.next, ctx, own, result);
  }
  return undefined;
}

async function runRest(list: List, rest: Node, ctx: unknown, own: boolean, first: unknown): Promise<void> {
  await first;
  for (let node: Node | undefined = rest; node !== undefined; node = node.next) {
    const result = runOne(list, node, ctx, own);
    if (isThenable(result)) await result;
  }
}

function runOne(list: List, node: Node, ctx: unknown, own: boolean): unknown {
  if (node.removed || (own && !node.own)) return undefined;
  if (node.once) drop(list, (other) => other === node);
  const { handler } = node; // called bare: as a method it would get the node as its `this`
  return handler(ctx);
}

/** The script's slash commands, as Discord's JSON. */
export function declareCommands(json: string): void {
  commands = json;
  declare();
}

/** What users are told when a handler fails: the host says it where the script no longer can. */
export function declareApology(text: string): void {
  apology = JSONStringify(text);
  declare();
}

/** The script's jobs by the clock, as the host reads them. */
export function declareCrons(json: string): void {
  crons = json;
  declare();
}

let cronSink: ((type: string, data: unknown) => unknown) | undefined;

/** `sink` does the runs of cron jobs. */
export function setCronSink(sink: (type: string, data: unknown) => unknown): void {
  cronSink = sink;
}

/** Do a run when `type` is one's. */
export function runCron(type: string, data: unknown): unknown {
  return cronSink !== undefined && StringSlice(type, 0, CRON_PREFIX.length) === CRON_PREFIX
    ? cronSink(type, data)
    : undefined;
}

setDeclaration(() => {
  let names = "";
  let own = false;
  const events = ObjectKeys(lists);
  for (let i = 0; i < events.length; i++) {
    const event = events[i] as string;
    let node = (lists[event] as List).first;
    if (node !== undefined) names += `${names === "" ? "" : ","}"${event}"`;
    for (; node !== undefined; node = node.next) own ||= node.own;
  }
  const jobs = crons === "" ? "" : `,"crons":${crons}`;
  const sorry = apology === "" ? "" : `,"apology":${apology}`;
  return `{"events":[${names}],"own":${own},"commands":${commands}${jobs}${sorry}}`;
});
