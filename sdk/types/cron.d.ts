// Jobs by the clock.

declare namespace flora {
  interface CronContext extends BaseContext<{ name: string; scheduledAt: string }> {
    /** The job's name. */
    name: string;
    /** When it was planned, in UTC like "2024-01-01T09:00:00Z"; a run may begin later. */
    scheduledAt: string;
  }

  interface CronOptions {
    /** Leave a run out while the one before is still going on. */
    skipIfRunning?: boolean;
  }

  type CronHandler = (ctx: CronContext) => unknown;

  /**
   * Do something at certain times: `cron("morning", "0 9 * * mon-fri", …)`. The fields are minute, hour, day of
   * the month, month and weekday, in UTC; a sixth in front is seconds. Also `@hourly`, `@daily`, `@weekly`,
   * `@monthly`, `@yearly`. Runs that were missed are made up for by one. A guild may have 32 jobs.
   * @throws Error for an expression that is none, or a name that is taken
   */
  function cron(name: string, expression: string, handler: CronHandler, options?: CronOptions): void;
}
