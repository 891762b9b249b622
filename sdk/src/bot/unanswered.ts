// Interactions whose handler takes its time, or fails. Discord shows an error when nothing came within three
// seconds; so after two the interaction is deferred, and when its handler throws the user is told so.
//
// Most handlers answer before their first `await` and are never watched. For the others there is one timer
// in the isolate, armed for the oldest: they are a list in the order of their arrival, and all wait equally
// long. An answer takes nobody off the list; who has one is passed over when their time comes.

import { declareApology } from "../events/handlers.ts";
import { invalidInput } from "../prelude/errors.ts";
import { startTimer } from "../prelude/host.ts";
import { DateNow, StringSlice, isObject, isThenable } from "../prelude/primordials.ts";
import { type Talk, apologise, deferItself, isUnanswered } from "./interaction_answers.ts";

/** Discord waits 3,000; the rest is for the way there. */
const PATIENCE_MS = 2000;
/** Characters in a message. */
const CONTENT_LIMIT = 2000;

let deferring = true;
let ephemeral = false;
let apology = "Something went wrong. The people who run the bot can read why in its log.";

type Manners = Pick<flora.CreateOptions, "autoDefer" | "errorReply">;

/** What a script said about both. */
export function setManners({ autoDefer, errorReply }: Manners): void {
  if (autoDefer !== undefined) {
    deferring = autoDefer !== false;
    ephemeral = isObject(autoDefer) && autoDefer.ephemeral === true;
  }
  if (errorReply === undefined || errorReply === true) return;
  if (errorReply !== false && typeof errorReply !== "string") {
    throw invalidInput("errorReply", `must be a text or false, not ${typeof errorReply}`);
  }
  apology = errorReply === false ? "" : StringSlice(errorReply, 0, CONTENT_LIMIT);
  declareApology(apology);
}

/** Run the handlers of an interaction by `run`, with an eye on its answer. */
export function attend(talk: Talk, run: () => unknown): unknown {
  let result: unknown;
  try {
    result = run();
  } catch (error) {
    tellFailure(talk);
    throw error;
  }
  return isThenable(result) ? settled(talk, result) : result;
}

async function settled(talk: Talk, handlers: PromiseLike<unknown>): Promise<void> {
  if (deferring && isUnanswered(talk)) watch(talk);
  try {
    await handlers;
  } catch (error) {
    tellFailure(talk);
    throw error;
  } finally {
    talk.over = true;
  }
}

function tellFailure(talk: Talk): void {
  if (apology !== "") void quietly(apologise(talk, apology));
}

/** What nobody asked for is nobody's error. */
async function quietly(sending: Promise<unknown>): Promise<void> {
  try {
    await sending;
  } catch {
    // Discord would not have it: too late, or answered otherwise.
  }
}

let first: Talk | undefined;
let last: Talk | undefined;
/** Whom the timer runs for. */
let awaited: Talk | undefined;

function watch(talk: Talk): void {
  talk.due = DateNow() + PATIENCE_MS;
  if (last === undefined) first = talk;
  else last.next = talk;
  last = talk;
  if (awaited === undefined) arm(talk, PATIENCE_MS);
}

function arm(talk: Talk, milliseconds: number): void {
  try {
    startTimer(milliseconds, look);
    awaited = talk;
  } catch {
    // The turn has said all it may; the next interaction arms the timer.
  }
}

/** The time of `awaited` has come, and perhaps that of some behind it. */
function look(): void {
  const now = DateNow();
  let passed = false;
  for (; first !== undefined; first = first.next) {
    const mayWait = passed && first.due > now;
    if (mayWait && isUnanswered(first) && !first.over) break;
    if (first === awaited) passed = true;
    if (isUnanswered(first) && !first.over) void quietly(deferItself(first, ephemeral));
  }
  awaited = undefined;
  if (first === undefined) last = undefined;
  else arm(first, first.due - now);
}
