// What a script wants done at certain times. The host keeps the time; a run comes as an event.

import { declareCrons, setCronSink } from "../events/handlers.ts";
import { plainContext } from "../bot/contexts.ts";
import {
  ErrorIntrinsic,
  JSONStringify,
  RangeErrorIntrinsic,
  StringSlice,
  TypeErrorIntrinsic,
  isObject,
} from "../prelude/primordials.ts";
import { checkExpression } from "./expression.ts";

const MOST = 32;
const NAME_LENGTH = 64;

// Without a prototype: a job may be called "constructor".
const handlers = { __proto__: null } as unknown as Record<string, flora.CronHandler>;
let count = 0;
let declared = "";

export const cron: typeof flora.cron = (name, expression, handler, options) => {
  if (typeof name !== "string" || name === "") throw new TypeErrorIntrinsic("cron name must be a non-empty string");
  if (name.length > NAME_LENGTH) throw new TypeErrorIntrinsic(`cron name must have at most ${NAME_LENGTH} characters`);
  if (typeof expression !== "string" || expression === "") {
    throw new TypeErrorIntrinsic("cron expression must be a non-empty string");
  }
  if (typeof handler !== "function") throw new TypeErrorIntrinsic("cron handler must be a function");
  if (handlers[name] !== undefined) throw new ErrorIntrinsic(`cron job with name '${name}' already exists`);
  if (count === MOST) throw new RangeErrorIntrinsic(`max cron jobs exceeded for this guild: ${MOST}`);
  checkExpression(expression);
  handlers[name] = handler;
  count++;
  const skip = isObject(options) && options.skipIfRunning === true;
  declared += `${declared === "" ? "" : ","}${JSONStringify({ name, expression, skip })}`;
  declareCrons(`[${declared}]`);
};

setCronSink((type, data) => {
  const handler = handlers[StringSlice(type, "__cron:".length)];
  if (handler === undefined) return undefined;
  const { name, scheduledAt } = data as { name: string; scheduledAt: string };
  const msg = { name, scheduledAt };
  return handler({ ...plainContext(msg, data), name, scheduledAt });
});
