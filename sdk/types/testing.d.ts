/**
 * What a `*.test.ts` file imports; `flora test` runs those. It is in no deployed bundle: a script that imports it
 * cannot be deployed.
 */
declare module "flora-test" {
  /** One test. It fails when `run` throws, or takes longer than `flora test --timeout` allows. */
  export const test: {
    (name: string, run: (t: Test) => unknown): void;
    /** Left out, and counted as skipped. */
    skip(name: string, run: (t: Test) => unknown): void;
    /** Where a file has such tests, its others are skipped. */
    only(name: string, run: (t: Test) => unknown): void;
  };
  /** Put a name before those of the tests that `define` makes. */
  export function describe(name: string, define: () => void): void;
  /** Run before each of the tests that come behind it in its file, or in its `describe`. */
  export function beforeEach(run: (t: Test) => unknown): void;
  /** Say what a value should be. */
  export function expect<T>(actual: T): Expectation<T>;

  /** What a test has. Storage, calls, stubs and clock are new for each; the script's variables stay for a file. */
  export interface Test {
    readonly name: string;
    readonly bot: Bot;
    readonly clock: Clock;
    readonly cron: Crons;
    readonly fetch: FetchStubs;
    readonly discord: DiscordStubs;
    readonly secrets: SecretStubs;
  }

  /** People, and what they do. Each waits until the script has done with it, and rejects when a handler threw. */
  export interface Bot {
    /** Write a message. */
    say(text: string, options?: Saying): Promise<Answer>;
    /** Run a slash command: `slash("remind in", { text: "tea" })`, with its subcommand behind its name. */
    slash(command: string, options?: { readonly [option: string]: OptionValue }, by?: Saying): Promise<Answer>;
    /** Run a command of the menu of users. */
    userCommand(command: string, target?: Person, by?: Saying): Promise<Answer>;
    /** Run a command of the menu of messages. */
    messageCommand(command: string, text: string, by?: Saying): Promise<Answer>;
    /** Type in an option of a slash command; `choices` of the answer has what was suggested. */
    autocomplete(command: string, option: string, typed: string, by?: Saying): Promise<Answer>;
    /** Press a button on the newest message that has it. */
    click(customId: string, by?: Saying): Promise<Answer>;
    /** Choose in a select menu on the newest message that has it. */
    select(customId: string, values: readonly string[], by?: Saying): Promise<Answer>;
    /** Send a modal with these fields. */
    submit(customId: string, fields?: { readonly [customId: string]: string }, by?: Saying): Promise<Answer>;
    /** React to a message, by default to the bot's newest. */
    react(emoji: string, by?: Saying): Promise<Answer>;
    /** Any other event: Discord's name and data, as `GUILD_MEMBER_ADD`. The guild's id is put in. */
    emit(event: string, data?: object): Promise<Answer>;
  }

  /** Who says it, and where. */
  export interface Saying {
    readonly user?: Person;
    readonly channelId?: string;
    /** Fields of Discord's event to replace or to add. */
    readonly raw?: object;
  }

  export interface Person {
    readonly id?: string;
    readonly username?: string;
    readonly globalName?: string;
    readonly nick?: string;
    readonly roles?: readonly string[];
    readonly bot?: boolean;
    /** Bits of the member's permissions, in decimal; by default all. */
    readonly permissions?: string | bigint;
  }

  export type OptionValue = string | number | boolean | Person;

  /** What the script did about one event. */
  export interface Answer {
    /** Messages it sent or changed, in order, answers to interactions among them. */
    readonly messages: readonly Sent[];
    /** The first of them. */
    readonly reply: Sent | undefined;
    /** Content of the first of them; undefined when there was none. */
    readonly text: string | undefined;
    /** The modal that it opened, as Discord gets it. */
    readonly modal: any;
    /** What it suggested. */
    readonly choices: readonly { readonly name: string; readonly value: string | number }[];
    /** Emoji it reacted with. */
    readonly reactions: readonly string[];
    /** Everything it asked of Discord, storage left out. */
    readonly calls: readonly Call[];
    /** What it logged. */
    readonly logs: readonly { readonly level: string; readonly text: string }[];
  }

  /** A message as Discord gets it. */
  export interface Sent {
    readonly kind: "message" | "reply" | "edit" | "update" | "followup";
    readonly id: string;
    readonly content: string;
    readonly embeds: readonly any[];
    readonly components: readonly any[];
    readonly ephemeral: boolean;
    readonly channelId: string | undefined;
    /** All of the body. */
    readonly body: any;
  }

  /** A call of the script: its name as in `t.discord.reply`, and what went with it. */
  export interface Call {
    readonly name: string;
    readonly path: { readonly [name: string]: string };
    readonly query: { readonly [name: string]: string };
    readonly body: any;
    readonly reason: string | undefined;
  }

  /**
   * Time stands still: `Date`, timers and storage see it move only here, and where a script or a test waits for a
   * timer and nothing else can happen. It begins at 2026-01-01T00:00:00Z.
   */
  export interface Clock {
    readonly now: Date;
    /** Let time pass: milliseconds, or `30s`, `10m`, `2h`, `7d`. Timers and jobs that are due run, in order. */
    advance(by: number | string): Promise<Answer>;
    /** Go on at a later time without running jobs in between. */
    set(to: Date | string): Promise<void>;
  }

  export interface Crons {
    /** The script's jobs, and when they run next. */
    list(): Promise<readonly { readonly name: string; readonly expression: string; readonly next: Date }[]>;
    /** Run a job now. */
    run(name: string): Promise<Answer>;
  }

  export interface FetchStubs {
    /** Answer requests to `url`, or to what begins so when it ends with `*`. Without `times`, always. */
    reply(url: string, reply?: FetchReply): Promise<void>;
    /** Requests that the script made in this test. */
    requests(): Promise<readonly FetchRequest[]>;
  }

  export interface FetchReply {
    readonly method?: string;
    readonly status?: number;
    readonly headers?: { readonly [name: string]: string };
    readonly json?: unknown;
    readonly text?: string;
    readonly times?: number;
  }

  export interface FetchRequest {
    readonly url: string;
    readonly method: string;
    readonly headers: { readonly [name: string]: string };
    readonly text: string | undefined;
  }

  export interface DiscordStubs {
    /** What Discord answers to calls of that name (see `Call.name`), from now on. */
    reply(call: string, value: unknown): Promise<void>;
    /** Refuse calls of that name, from now on; storage's too (`kvSet`). */
    refuse(call: string, error?: { code?: string; message?: string; status?: number; retryAfter?: number }): Promise<void>;
  }

  export interface SecretStubs {
    /** What `secrets.get(name)` gives from now on. In a cluster that is a placeholder; here it is what you say. */
    set(name: string, value: string): Promise<void>;
  }

  export interface Expectation<T> {
    readonly not: Expectation<T>;
    /** Of a promise: what it is rejected with. */
    readonly rejects: { toThrow(expected?: string | RegExp): Promise<void> };
    /** The same value (`Object.is`). */
    toBe(expected: T): void;
    /** Equal in depth; properties that are undefined count as missing. */
    toEqual(expected: unknown): void;
    /** Has at least these properties, in depth. */
    toMatchObject(expected: object): void;
    /** A text that has this part, or fits this expression. */
    toMatch(expected: string | RegExp): void;
    /** A text with this part, or a list with an equal element. */
    toContain(expected: unknown): void;
    toHaveLength(expected: number): void;
    toBeGreaterThan(expected: number): void;
    toBeLessThan(expected: number): void;
    toBeDefined(): void;
    toBeUndefined(): void;
    toBeNull(): void;
    toBeTruthy(): void;
    toBeFalsy(): void;
    /** A function that throws, with this in its message. */
    toThrow(expected?: string | RegExp): void;
  }
}
