// What handlers get, and how events are handled.

declare namespace flora {
  /** What every handler gets. Methods may be taken out: `({ msg, reply }) => …`. */
  interface BaseContext<TPayload> {
    /** What happened. */
    msg: TPayload;
    /** The event as Discord sent it, in snake_case. */
    raw: JsonValue;
    /**
     * Answer in the channel, as a reply to the message that the event is about.
     * @throws FloraError
     */
    reply(content: string | MessageReplyOptions): Promise<EventMessage>;
    /**
     * Change the last reply of this context; without one, the message of the event if the bot wrote it.
     * @throws FloraError
     */
    edit(content: string | MessageEditOptions): Promise<EventMessage>;
  }

  type MessageContext = BaseContext<EventMessage>;
  type MessageUpdateContext = BaseContext<EventMessageUpdate>;
  type MessageDeleteContext = BaseContext<EventMessageDelete>;
  type MessageDeleteBulkContext = BaseContext<EventMessageDeleteBulk>;
  type ReactionContext = BaseContext<EventReaction>;
  type ReactionRemoveAllContext = BaseContext<EventReactionRemoveAll>;

  /** What the contexts of all interactions have. Discord waits three seconds for the first answer. */
  interface InteractionBaseContext<TPayload> {
    msg: TPayload;
    raw: JsonValue;
    /**
     * The first reply answers the interaction; after `defer()` it fills the deferred message, after another
     * reply it follows up.
     * @throws FloraError
     */
    reply(content: string | MessageReplyOptions): Promise<EventMessage>;
    /**
     * Change the reply. For a component that was not answered yet: the message it belongs to.
     * @throws FloraError
     */
    edit(content: string | MessageEditOptions): Promise<EventMessage>;
    /**
     * Show "is thinking" and win 15 minutes for the reply.
     * @param options `ephemeral`: only the user will see the reply.
     */
    defer(options?: { ephemeral?: boolean }): Promise<void>;
    /** One more message after the first answer. */
    followup(content: string | MessageReplyOptions): Promise<EventMessage>;
    /** Change a follow-up, given as what `followup()` resolved with, or by its id. */
    editFollowup(followup: string | { id: string }, content: string | MessageEditOptions): Promise<EventMessage>;
    deleteFollowup(followup: string | { id: string }): Promise<void>;
    /** The reply as it is now; for a component that was updated, the message it belongs to. */
    fetchReply(): Promise<EventMessage>;
    /** Delete the reply; for a component that was updated, the message it belongs to. */
    deleteReply(): Promise<void>;
    /** Users, members, roles, channels and attachments that were chosen, by id. */
    readonly resolved: Resolved;
  }

  /** What options and select menus refer to, by id. */
  interface Resolved {
    users: { [id: string]: EventUser };
    members: { [id: string]: EventMember };
    roles: { [id: string]: ResolvedRole };
    channels: { [id: string]: InteractionChannel };
    attachments: { [id: string]: Attachment };
    messages: { [id: string]: EventMessage };
  }

  interface ResolvedRole {
    id: string;
    name: string;
    color: number;
    hoist: boolean;
    position: number;
    permissions: string;
    managed: boolean;
    mentionable: boolean;
    [more: string]: unknown;
  }

  /** A slash command. `options` has what the user filled in, by name. */
  interface InteractionContext<TOptions = SlashCommandOptions>
    extends InteractionBaseContext<EventInteractionCreate>, CommandTarget {
    /** Ids for options of the types user, role, channel, mentionable and attachment: see `resolved`. */
    options: TOptions;
    /** Answer with a form; what is entered comes back as the event `modalSubmit`. */
    showModal(modal: ModalBuilder | ModalOptions): Promise<void>;
  }

  /** What a command of a menu was used on; missing for slash commands. */
  interface CommandTarget {
    targetId?: string;
    targetUser?: EventUser;
    /** Not for a user who is no member. */
    targetMember?: EventMember;
    targetMessage?: EventMessage;
  }

  /** A command of a user's menu. */
  interface UserCommandContext extends InteractionContext {
    targetId: string;
    targetUser: EventUser;
    /** Not for a user who is no member. */
    targetMember?: EventMember;
  }

  /** A command of a message's menu. */
  interface MessageCommandContext extends InteractionContext {
    targetId: string;
    targetMessage: EventMessage;
  }

  /** Somebody types in an option of a slash command that has `autocomplete: true`. */
  interface AutocompleteContext {
    msg: EventAutocomplete;
    raw: JsonValue;
    /** The option that is being typed, and the text so far. */
    focused: { name: string; value: string };
    /** What is filled in already, with the text so far. */
    options: SlashCommandOptions;
    /**
     * Suggest at most 25; only once.
     * @throws FloraError
     */
    respond(choices: readonly AutocompleteChoice[]): Promise<void>;
  }

  /** What updates the message that a component belongs to. @internal */
  interface UpdatingContext {
    /** Answer by changing the message of the component. */
    update(content: string | MessageEditOptions): Promise<EventMessage>;
    /** Answer with nothing to see; `update()`, `edit()` or `followup()` may come later. */
    deferUpdate(): Promise<void>;
  }

  /** A button or select menu. */
  interface ComponentInteractionContext extends InteractionBaseContext<EventComponentInteraction>, UpdatingContext {
    /** Answer with a form; what is entered comes back as the event `modalSubmit`. */
    showModal(modal: ModalBuilder | ModalOptions): Promise<void>;
  }

  /** A modal that was filled in. `update()` works when a component had opened it. */
  interface ModalSubmitContext extends InteractionBaseContext<EventModalSubmit>, UpdatingContext {
    /** What was entered, by custom id. */
    fields: ModalFields;
  }

  /** Text of text inputs, what was chosen in select menus, ids of uploaded files. */
  interface ModalFields {
    [customId: string]: any;
  }

  /** Event -> context. */
  interface FloraEventMap {
    /** The bot connected; may come again at any time. */
    ready: BaseContext<EventReady>;
    messageCreate: MessageContext;
    messageUpdate: MessageUpdateContext;
    messageDelete: MessageDeleteContext;
    messageDeleteBulk: MessageDeleteBulkContext;
    /** A slash command, or a command of a menu. */
    interactionCreate: InteractionContext;
    /** A button or select menu. */
    componentInteraction: ComponentInteractionContext;
    /** A modal that was filled in. */
    modalSubmit: ModalSubmitContext;
    reactionAdd: ReactionContext;
    reactionRemove: ReactionContext;
    /** All reactions with one emoji were removed. */
    reactionRemoveEmoji: ReactionContext;
    reactionRemoveAll: ReactionRemoveAllContext;
    /** Somebody types in an option of a slash command. */
    autocomplete: AutocompleteContext;
    pollVoteAdd: BaseContext<EventPollVote>;
    pollVoteRemove: BaseContext<EventPollVote>;
    memberAdd: BaseContext<EventGuildMember>;
    memberRemove: BaseContext<EventGuildUser>;
    memberUpdate: BaseContext<EventGuildMember>;
    banAdd: BaseContext<EventGuildUser>;
    banRemove: BaseContext<EventGuildUser>;
    auditLogEntryCreate: BaseContext<EventAuditLogEntry>;
    guildUpdate: BaseContext<EventGuild>;
    roleCreate: BaseContext<EventRole>;
    roleUpdate: BaseContext<EventRole>;
    roleDelete: BaseContext<EventRoleDelete>;
    channelCreate: BaseContext<EventChannel>;
    channelUpdate: BaseContext<EventChannel>;
    channelDelete: BaseContext<EventChannel>;
    channelPinsUpdate: BaseContext<EventChannelPins>;
    threadCreate: BaseContext<EventThread>;
    threadUpdate: BaseContext<EventThread>;
    threadDelete: BaseContext<EventThreadDelete>;
    threadMembersUpdate: BaseContext<EventThreadMembers>;
    voiceStateUpdate: BaseContext<EventVoiceState>;
    inviteCreate: BaseContext<EventInvite>;
    inviteDelete: BaseContext<EventInviteDelete>;
    automodRuleCreate: BaseContext<EventAutomodRule>;
    automodRuleUpdate: BaseContext<EventAutomodRule>;
    automodRuleDelete: BaseContext<EventAutomodRule>;
    automodAction: BaseContext<EventAutomodAction>;
    scheduledEventCreate: BaseContext<EventScheduledEvent>;
    scheduledEventUpdate: BaseContext<EventScheduledEvent>;
    scheduledEventDelete: BaseContext<EventScheduledEvent>;
    scheduledEventUserAdd: BaseContext<EventScheduledEventUser>;
    scheduledEventUserRemove: BaseContext<EventScheduledEventUser>;
    emojisUpdate: BaseContext<EventEmojis>;
    stickersUpdate: BaseContext<EventStickers>;
    webhooksUpdate: BaseContext<EventWebhooks>;
  }

  type EventName = keyof FloraEventMap;

  /** The next handler of the same event starts when the promise of this one is fulfilled. */
  type FloraEventHandler<E extends EventName> = (ctx: FloraEventMap[E]) => unknown;

  interface HandlerOptions {
    /** For `messageCreate`: the bot's own messages too. Mind that a reply is one. */
    own?: boolean;
  }

  /**
   * Handle an event. Handlers of one event run one after another in the order they were added; one that
   * throws stops the rest.
   * @throws TypeError when there is no such event
   */
  function on<E extends EventName>(event: E, handler: FloraEventHandler<E>, options?: HandlerOptions): void;

  /** Handle an event one single time. */
  function once<E extends EventName>(event: E, handler: FloraEventHandler<E>, options?: HandlerOptions): void;

  /** Take a handler away again. */
  function off<E extends EventName>(event: E, handler: FloraEventHandler<E>): void;

  type FloraErrorCode =
    | "DISCORD_RATE_LIMITED"
    | "DISCORD_HTTP_ERROR"
    | "SCOPE_FORBIDDEN"
    | "INVALID_INPUT"
    | "KV_KEY_NOT_FOUND"
    | "KV_QUOTA_EXCEEDED"
    | "KV_RATE_LIMITED"
    | "KV_UNAVAILABLE"
    | "FETCH_FAILED"
    | "FETCH_FORBIDDEN_ADDRESS"
    | "FETCH_RATE_LIMITED"
    | "FETCH_SECRET_FORBIDDEN"
    | "FETCH_TIMEOUT"
    | "FETCH_TOO_LARGE"
    | "FETCH_TOO_MANY";

  /** A call that failed. */
  class FloraError extends Error {
    constructor(
      code: FloraErrorCode,
      message: string,
      details?: { status?: number; discordCode?: number; retryAfter?: number },
    );
    /**
     * `DISCORD_RATE_LIMITED`: try again after `retryAfter` seconds.
     * `DISCORD_HTTP_ERROR`: Discord said no, see `status` and `discordCode`.
     * `SCOPE_FORBIDDEN`: the channel, message or role is not this guild's.
     * `INVALID_INPUT`: an argument is wrong; nothing was sent.
     * `KV_KEY_NOT_FOUND`, `KV_QUOTA_EXCEEDED`: as they say.
     * `KV_RATE_LIMITED`: too many writes; try again after `retryAfter` seconds.
     * `KV_UNAVAILABLE`: storage cannot be read or written now.
     * `FETCH_FAILED`: no connection, no such host, a bad certificate, a broken answer, or aborted with the script.
     * `FETCH_FORBIDDEN_ADDRESS`: the host is not on the public internet, or the port is a closed one.
     * `FETCH_RATE_LIMITED`: too many fetches in a minute; try again after `retryAfter` seconds.
     * `FETCH_SECRET_FORBIDDEN`: a secret in the request may not go to that host.
     * `FETCH_TIMEOUT`, `FETCH_TOO_LARGE`: over 10 seconds, over 10 MiB.
     * `FETCH_TOO_MANY`: too many fetches at once; await them.
     */
    readonly code: FloraErrorCode;
    /** Discord's HTTP status. */
    readonly status?: number;
    /** Discord's own error code, like 10008 for an unknown message. */
    readonly discordCode?: number;
    /** Seconds. */
    readonly retryAfter?: number;
  }
}
