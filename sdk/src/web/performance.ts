// performance.now() in whole milliseconds: V8 alone has no finer clock, and scripts need none.

import { DateNow } from "../prelude/primordials.ts";

const timeOrigin = DateNow();
let last = 0;

export const performance = {
  timeOrigin,
  /** Milliseconds since the isolate started; never goes back. */
  now(): number {
    const now = DateNow() - timeOrigin;
    if (now > last) last = now;
    return last;
  },
  toJSON(): { timeOrigin: number } {
    return { timeOrigin };
  },
};
