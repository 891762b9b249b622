// Jobs by the clock.

import { expectType } from "./expect.ts";

cron("morning", "0 9 * * mon-fri", async ({ name, scheduledAt, msg }) => {
  expectType<string>()(name);
  expectType<string>()(scheduledAt);
  expectType<string>()(msg.scheduledAt);
});
cron("often", "* * * * *", () => {}, { skipIfRunning: true });

// @ts-expect-error a job needs a handler
cron("x", "* * * * *");
// @ts-expect-error there is no such option
cron("x", "* * * * *", () => {}, { timezone: "UTC" });
