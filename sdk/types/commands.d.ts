// Commands: definitions whose options decide the type of `ctx.options`.

declare namespace flora {
  /** A prefix command like `!ping`. */
  interface Command {
    /** Matched exactly. */
    name: string;
    description?: string;
    run(ctx: MessageContext & { args: string[] }): unknown;
  }

  /** Language -> text, like `{ de: "…", "pt-BR": "…" }`. */
  interface Localizations {
    readonly [locale: string]: string;
  }

  interface Choice<TValue> {
    readonly name: string;
    readonly nameLocalizations?: Localizations;
    readonly value: TValue;
  }

  /** @internal */
  interface OptionBase {
    /** Lower case, no spaces, 1 to 32 characters. */
    readonly name: string;
    readonly nameLocalizations?: Localizations;
    readonly description: string;
    readonly descriptionLocalizations?: Localizations;
    /** Required options come before the others. */
    readonly required?: boolean;
  }

  interface StringOption extends OptionBase {
    /** The type of an option that says none. */
    readonly type?: "string";
    readonly choices?: readonly Choice<string>[];
    readonly minLength?: number;
    readonly maxLength?: number;
    readonly autocomplete?: boolean;
  }

  interface NumericOption extends OptionBase {
    readonly type: "integer" | "number";
    readonly choices?: readonly Choice<number>[];
    readonly minValue?: number;
    readonly maxValue?: number;
    readonly autocomplete?: boolean;
  }

  interface BooleanOption extends OptionBase {
    readonly type: "boolean";
  }

  /** The value is an id; see `ctx.resolved` for what it stands for. */
  interface ReferenceOption extends OptionBase {
    readonly type: "user" | "role" | "mentionable" | "attachment";
  }

  /** The value is an id; see `ctx.resolved.channels`. */
  interface ChannelOption extends OptionBase {
    readonly type: "channel";
    /** Values of `ChannelType`. */
    readonly channelTypes?: readonly number[];
  }

  /** A subcommand among `options`: its command's own `run` handles it. See `subcommands` for the other way. */
  interface SubcommandOption {
    readonly name: string;
    readonly nameLocalizations?: Localizations;
    readonly description: string;
    readonly descriptionLocalizations?: Localizations;
    readonly type: "subcommand";
    readonly required?: boolean;
    readonly options?: readonly ValueOption[];
  }

  interface SubcommandGroupOption {
    readonly name: string;
    readonly nameLocalizations?: Localizations;
    readonly description: string;
    readonly descriptionLocalizations?: Localizations;
    readonly type: "subcommand_group";
    readonly required?: boolean;
    readonly options?: readonly SubcommandOption[];
  }

  /** An option with a value. */
  type ValueOption = StringOption | NumericOption | BooleanOption | ReferenceOption | ChannelOption;
  type SlashCommandOption = ValueOption | SubcommandOption | SubcommandGroupOption;

  /** `ctx.options` where the options are not known to the compiler. */
  interface SlashCommandOptions {
    [name: string]: string | number | boolean | undefined;
  }

  /** The type of one option's value. @internal */
  type OptionValue<TOption> = TOption extends { readonly choices: readonly Choice<infer TValue>[] }
    ? TValue
    : TOption extends { readonly type: "integer" | "number" }
      ? number
      : TOption extends { readonly type: "boolean" }
        ? boolean
        : string;

  /** Names and values of options that have one. @internal */
  type ValuesOf<TOption> = {
    [O in TOption as O extends ValueOption ? O["name"] : never]: O extends { readonly required: true }
      ? OptionValue<O>
      : OptionValue<O> | undefined;
  };

  /** Options of subcommands among the options: any of them may be missing. @internal */
  type NestedOf<TOption> = TOption extends { readonly options: readonly (infer TInner)[] }
    ? Partial<ValuesOf<TInner>> & NestedOf<TInner>
    : unknown;

  /** @internal */
  type UnionToIntersection<T> = (T extends unknown ? (value: T) => void : never) extends (value: infer R) => void
    ? R
    : never;

  /** The type of `ctx.options` for a list of options. */
  type OptionsOf<TOptions> = TOptions extends OptionList
    ? number extends TOptions["length"]
      ? SlashCommandOptions
      : Flat<ValuesOf<TOptions[number]> & UnionToIntersection<NestedOf<TOptions[number]>>>
    : {};

  /** @internal */
  type Flat<T> = { [K in keyof T]: T[K] };

  /** @internal */
  type OptionList = readonly SlashCommandOption[];

  // The parameters below are inferred from the objects a script writes. They have no constraints, those stand
  // beside them (`TOptions & OptionList`): one command without options would end the inference for all others.

  interface SlashSubcommand<TOptions = OptionList> {
    name: string;
    nameLocalizations?: Localizations;
    description: string;
    descriptionLocalizations?: Localizations;
    options?: TOptions & OptionList;
    run(ctx: InteractionContext<OptionsOf<TOptions>>): unknown;
    /** See `SlashCommand`. */
    autocomplete?(ctx: AutocompleteContext): Suggestions;
  }

  /** `/command group subcommand`. */
  interface SlashSubcommandGroup<TSubcommands = readonly OptionList[]> {
    name: string;
    nameLocalizations?: Localizations;
    description: string;
    descriptionLocalizations?: Localizations;
    subcommands: { [K in keyof TSubcommands]: SlashSubcommand<TSubcommands[K]> };
  }

  /** A slash command. With subcommands or groups its own `run` is not used. */
  interface SlashCommand<
    TOptions = OptionList,
    TSubcommands = readonly OptionList[],
    TGroups = readonly (readonly OptionList[])[],
  > {
    /** Lower case, no spaces, 1 to 32 characters. */
    name: string;
    nameLocalizations?: Localizations;
    description: string;
    descriptionLocalizations?: Localizations;
    /** Who sees the command: bits of `Permissions`, "0" or null. Admins of the guild may change it. */
    defaultMemberPermissions?: string | number | bigint | null;
    nsfw?: boolean;
    options?: TOptions & OptionList;
    subcommands?: { [K in keyof TSubcommands]: SlashSubcommand<TSubcommands[K]> };
    groups?: { [K in keyof TGroups]: SlashSubcommandGroup<TGroups[K]> };
    run?(ctx: InteractionContext<OptionsOf<TOptions>>): unknown;
    /** What to suggest for options that have `autocomplete: true`, while somebody types: `ctx.focused`. */
    autocomplete?(ctx: AutocompleteContext): Suggestions;
  }

  /** A suggestion: what is shown, 1 to 100 characters, and what the command gets. One value may be both. */
  type AutocompleteChoice = string | number | Choice<string | number>;

  /** At most 25; undefined when `ctx.respond()` was called. */
  type Suggestions =
    | readonly AutocompleteChoice[]
    | undefined
    | void
    | Promise<readonly AutocompleteChoice[] | undefined | void>;

  /** What both kinds of menu commands have. @internal */
  interface ContextCommandBase {
    /** As it is shown, 1 to 32 characters; spaces and capitals are fine. */
    name: string;
    nameLocalizations?: Localizations;
    defaultMemberPermissions?: string | number | bigint | null;
    nsfw?: boolean;
  }

  /** A command in the menu that a right click on a user opens. */
  interface UserCommand extends ContextCommandBase {
    run(ctx: UserCommandContext): unknown;
  }

  /** A command in the menu that a right click on a message opens. */
  interface MessageCommand extends ContextCommandBase {
    run(ctx: MessageCommandContext): unknown;
  }

  /** What `userCommand()` and `messageCommand()` make. */
  type ContextCommand = (UserCommand & { type: 2 }) | (MessageCommand & { type: 3 });

  /** Commands as `registerSlashCommands` takes them: subcommands are options. */
  interface FlattenedSlashCommand {
    name: string;
    nameLocalizations?: Localizations;
    description: string;
    descriptionLocalizations?: Localizations;
    defaultMemberPermissions?: string | number | bigint | null;
    nsfw?: boolean;
    options?: OptionList;
  }

  /** Command -> subcommand -> what runs it. */
  type SubcommandMap = { [command: string]: { [subcommand: string]: SlashSubcommand["run"] } };

  interface CreateOptions<TSlash = readonly OptionList[]> {
    /** What prefix commands start with; "!" by default. */
    prefix?: string;
    /** Prefix commands. */
    commands?: readonly Command[];
    /** The same as `commands`. */
    prefixCommands?: readonly Command[];
    slashCommands?: { [K in keyof TSlash]: SlashCommand<TSlash[K]> };
    /** Commands of the menus of users and messages. */
    contextCommands?: readonly ContextCommand[];
    /**
     * Interactions that no handler has answered after 2 s are deferred, so that an answer may take 15 minutes:
     * `reply()` then fills the "is thinking" message, which everybody sees unless `ephemeral` is set. What
     * comes from a button or menu is deferred without anything to see. Default: true.
     */
    autoDefer?: boolean | { ephemeral?: boolean };
    /**
     * What a user is told, and nobody else sees, when a handler throws before it answered; false for nothing.
     * Default: that something went wrong.
     */
    errorReply?: string | boolean;
  }

  /** A prefix command, as it is; for its types. */
  function prefix(command: Command): Command;

  /** A slash command, as it is; for its types: `ctx.options` gets them from `options`. */
  function slash<const TOptions = [], const TSubcommands = [], const TGroups = []>(
    command: SlashCommand<TOptions, TSubcommands, TGroups>,
  ): SlashCommand;

  /** A command in the menu of a user, for `contextCommands`. */
  function userCommand(command: UserCommand): UserCommand & { type: 2 };

  /** A command in the menu of a message, for `contextCommands`. */
  function messageCommand(command: MessageCommand): MessageCommand & { type: 3 };

  /**
   * Handle commands. Prefix commands: the message's first word after the prefix is the name, the other
   * words are `ctx.args`; messages of bots are ignored. Slash commands are registered for the guild when
   * the script has loaded. A second call is ignored, with a line in the log.
   */
  function createBot<const TSlash>(options: CreateOptions<TSlash>): void;

  /**
   * Replace all of the guild's slash commands of this bot. While the script loads the promise is fulfilled
   * at once and the commands are set after the load succeeded.
   */
  function registerSlashCommands(
    commands: readonly (FlattenedSlashCommand | { name: string; [key: string]: unknown })[],
  ): Promise<void>;

  /** Subcommands and groups as options, for `registerSlashCommands`. */
  function flattenCommands(commands: readonly SlashCommand[]): FlattenedSlashCommand[];

  /** Run the subcommand that was used; nothing happens when `command` does not have it. */
  function handleSubcommand(ctx: InteractionContext, command: SlashCommand): Promise<void>;

  /** Discord's options as `{name: value}`; those of subcommands are merged in. */
  function flattenInteractionOptions(options: unknown): SlashCommandOptions;

  /** Whether the user has the role. */
  function hasRole(ctx: { msg: { member?: EventMember } }, roleId: string): boolean;

  /** The subcommand that was used, undefined when the command has none. */
  function getSubcommand(ctx: { msg: { data: unknown } }): string | undefined;

  /** The group of the subcommand that was used. */
  function getSubcommandGroup(ctx: { msg: { data: unknown } }): string | undefined;
}
