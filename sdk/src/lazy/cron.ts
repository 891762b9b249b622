// Jobs by the clock.
export { cron } from "../cron/jobs.ts";
