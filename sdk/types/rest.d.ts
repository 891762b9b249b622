// Calls to Discord. What goes in is camelCase; what comes back is Discord's own JSON, in snake_case.

declare namespace flora {
  // ---------------------------------------------------------------- what comes back

  /** Discord's JSON has more fields than are named here; see Discord's documentation. @internal */
  interface DiscordJson {
    [more: string]: any;
  }

  interface RestUser extends DiscordJson {
    id: string;
    username: string;
    global_name?: string | null;
    bot?: boolean;
  }

  interface RestMember extends DiscordJson {
    user: RestUser;
    nick?: string | null;
    roles: string[];
    joined_at: string | null;
    communication_disabled_until?: string | null;
  }

  interface RestAttachment extends DiscordJson {
    id: string;
    filename: string;
    size: number;
    url: string;
    description?: string;
  }

  interface RestMessage extends DiscordJson {
    id: string;
    channel_id: string;
    content: string;
    author: RestUser;
    timestamp: string;
    edited_timestamp: string | null;
    attachments: RestAttachment[];
    embeds: DiscordJson[];
    pinned: boolean;
    type: number;
    flags?: number;
  }

  interface RestPins extends DiscordJson {
    items: { pinned_at: string; message: RestMessage }[];
    has_more: boolean;
  }

  /** Channels and threads. */
  interface RestChannel extends DiscordJson {
    id: string;
    type: number;
    guild_id?: string;
    name?: string | null;
    topic?: string | null;
    parent_id?: string | null;
    position?: number;
    rate_limit_per_user?: number;
    permission_overwrites?: { id: string; type: number; allow: string; deny: string }[];
  }

  interface RestThreadMember extends DiscordJson {
    id?: string;
    user_id?: string;
    join_timestamp: string;
  }

  interface RestRole extends DiscordJson {
    id: string;
    name: string;
    color: number;
    hoist: boolean;
    position: number;
    permissions: string;
    mentionable: boolean;
  }

  interface RestGuild extends DiscordJson {
    id: string;
    name: string;
    owner_id: string;
    roles: RestRole[];
  }

  interface RestBan extends DiscordJson {
    user: RestUser;
    reason: string | null;
  }

  interface RestInvite extends DiscordJson {
    code: string;
    expires_at?: string | null;
    uses?: number;
    max_uses?: number;
  }

  interface RestAuditLog extends DiscordJson {
    audit_log_entries: {
      id: string;
      action_type: number;
      user_id: string | null;
      target_id: string | null;
      reason?: string;
      [more: string]: any;
    }[];
    users: RestUser[];
  }

  interface RestWebhook extends DiscordJson {
    id: string;
    type: number;
    channel_id: string | null;
    name: string | null;
    /** Whoever has it can post in the channel: keep it to yourself. */
    token?: string;
  }

  interface RestCommand extends DiscordJson {
    id: string;
    name: string;
    description: string;
    type?: number;
  }

  interface RestCommandPermissions extends DiscordJson {
    id: string;
    permissions: { id: string; type: number; permission: boolean }[];
  }

  // ---------------------------------------------------------------- what goes in

  /** An object for Discord, in camelCase or snake_case, with dates and BigInts where it takes them. */
  type RawPayload = { readonly [field: string]: unknown };

  /** What stands in the guild's audit log, at most 512 characters. @internal */
  interface Audited {
    reason?: string;
  }
  /** The script's own guild, which is the only one it may name, and need not. @internal */
  interface OfGuild {
    guildId?: string;
  }
  /** @internal */
  interface OfMessage {
    channelId: string;
    messageId: string;
  }
  /** @internal */
  interface OfInteraction {
    interactionId: string;
    /** The interaction's. */
    token: string;
  }

  interface RawGuildId extends OfGuild {}

  /** The content of a new message. */
  interface RawMessageBody {
    content?: string;
    embeds?: readonly (RawEmbed | EmbedBuilder)[];
    components?: readonly ComponentLike[];
    /** Files, at most ten. */
    attachments?: readonly RawAttachment[];
    tts?: boolean;
    allowedMentions?: RawAllowedMentions;
    /** Bits of `MessageFlags`. */
    flags?: number | bigint;
  }

  interface RawSendMessage extends RawMessageBody {
    channelId: string;
    /** The message of the same channel that this one replies to. */
    replyTo?: string | null;
    /** @deprecated the same as `replyTo` */
    messageId?: string;
    /** A second message with the same one, from this guild and within minutes, is not sent. */
    nonce?: string | number;
  }

  interface RawEditMessage extends OfMessage, MessageEditOptions {}
  interface RawDeleteMessage extends OfMessage, Audited {}

  interface RawBulkDeleteMessages extends Audited {
    channelId: string;
    /** 2 to 100, none older than 14 days. */
    messageIds: readonly string[];
  }

  interface RawPinMessage extends OfMessage, Audited {}
  interface RawCrosspostMessage extends OfMessage {}
  interface RawFetchMessage extends OfMessage {}

  interface RawFetchMessages {
    channelId: string;
    /** 1 to 100; 50 unless told. */
    limit?: number | bigint;
    /** Ids of messages; one of the three at most. */
    before?: string;
    after?: string;
    around?: string;
  }

  interface RawListPins {
    channelId: string;
    /** 1 to 50. */
    limit?: number;
    /** `pinned_at` of the last one before. */
    before?: string;
  }

  interface RawReaction extends OfMessage {
    /** `"👍"`, `"name:id"`, or an object with `id` and `name`. */
    emoji: EmojiLike;
    /** Whose reaction to remove: the bot's own unless told. */
    userId?: string;
  }

  interface RawListReactions extends OfMessage {
    emoji: EmojiLike;
    /** 1 to 100; 25 unless told. */
    limit?: number;
    after?: string;
    /** 1 for burst reactions. */
    type?: 0 | 1;
  }

  interface RawClearReactions extends OfMessage {
    /** Only those with this one. */
    emoji?: EmojiLike;
  }

  interface RawInteractionResponse extends OfInteraction, RawMessageBody {
    /** Only the user sees it. */
    ephemeral?: boolean;
  }

  interface RawDeferInteractionResponse extends OfInteraction {
    ephemeral?: boolean;
    /** For components: nothing to see, the message will be changed later. */
    update?: boolean;
  }

  interface RawUpdateInteractionResponse extends OfInteraction, MessageEditOptions {}

  interface RawOpenModal extends OfInteraction {
    modal: ModalBuilder | ModalOptions;
  }

  interface RawEditInteractionResponse extends MessageEditOptions {
    token: string;
  }

  interface RawDeleteInteractionResponse {
    token: string;
  }

  interface RawFollowupMessage extends RawMessageBody {
    token: string;
    ephemeral?: boolean;
  }

  interface RawEditFollowupMessage extends MessageEditOptions {
    token: string;
    messageId: string;
  }

  interface RawDeleteFollowupMessage {
    token: string;
    messageId: string;
  }

  /** A definition for `slash()`, or Discord's JSON. */
  type RawSlashCommand = SlashCommand | FlattenedSlashCommand;
  type RawSlashCommandOption = SlashCommandOption;

  interface RawUpsertGuildCommands extends OfGuild {
    /** All that the guild shall have. */
    commands: readonly RawSlashCommand[];
  }

  interface RawCreateGuildCommand extends OfGuild {
    command: RawSlashCommand;
  }

  interface RawGetGuildCommand extends OfGuild {
    commandId: string;
  }

  interface RawEditGuildCommand extends RawGetGuildCommand {
    command: RawSlashCommand;
  }

  interface RawDeleteGuildCommand extends RawGetGuildCommand {}

  interface RawCommandPermissions extends RawGetGuildCommand {
    /** Who may use the command: ids of roles (type 1), users (2) and channels (3). */
    permissions: readonly { id: string; type: number; permission: boolean }[] | RawPayload;
  }

  interface RawGuildUser extends OfGuild, Audited {
    userId: string;
  }

  interface RawBanMember extends RawGuildUser {
    /** Seconds of the user's latest messages to delete: 0 to 604800, which is a week. */
    deleteMessageSeconds?: number;
  }

  interface RawMemberRole extends RawGuildUser {
    roleId: string;
  }

  interface RawEditMember extends RawGuildUser {
    /** `nick`, `roles`, `mute`, `deaf`, `channelId`, `communicationDisabledUntil` (a time-out, at most 28 days). */
    payload: RawPayload;
  }

  interface RawEditCurrentMember extends OfGuild, Audited {
    /** `nick`, `avatar`, `banner`, `bio`. */
    payload: RawPayload;
  }

  interface RawListMembers extends OfGuild {
    /** 1 to 1000; 1 unless told. */
    limit?: number;
    /** The last user id before. */
    after?: string;
  }

  interface RawSearchMembers extends OfGuild {
    /** The beginning of a name or nick. */
    query: string;
    /** 1 to 1000; 1 unless told. */
    limit?: number;
  }

  interface RawListBans extends OfGuild {
    /** 1 to 1000. */
    limit?: number;
    /** User ids. */
    before?: string;
    after?: string;
  }

  interface RawEditGuild extends OfGuild, Audited {
    payload: RawPayload;
  }

  interface RawFetchAuditLog extends OfGuild {
    /** Who did it. */
    userId?: string;
    /** Discord's number for what was done, like 22 for a ban. */
    actionType?: number;
    /** Ids of entries. */
    before?: string;
    after?: string;
    /** 1 to 100; 50 unless told. */
    limit?: number;
  }

  interface RawCreateRole extends OfGuild, Audited {
    /** `name`, `color`, `hoist`, `mentionable`, `permissions` (a BigInt or a list of `Permissions`). */
    payload: RawPayload;
  }

  interface RawRoleId extends OfGuild, Audited {
    roleId: string;
  }

  interface RawEditRole extends RawRoleId {
    payload: RawPayload;
  }

  interface RawEditRolePositions extends OfGuild, Audited {
    positions: readonly { roleId: string; position: number }[];
  }

  interface RawCreateChannel extends OfGuild, Audited {
    /** `name`, `type`, `topic`, `parentId`, `permissionOverwrites` and so on. */
    payload: RawPayload;
  }

  interface RawChannelId {
    channelId: string;
  }

  interface RawEditChannel extends RawChannelId, Audited {
    payload: RawPayload;
  }

  interface RawDeleteChannel extends RawChannelId, Audited {}

  interface RawEditChannelPermissions extends RawChannelId, Audited {
    /** A role's or a member's id. */
    targetId: string;
    type: "role" | "member" | 0 | 1;
    /** Bits of `Permissions`, or a list of them. */
    allow?: bigint | string | readonly bigint[];
    deny?: bigint | string | readonly bigint[];
  }

  interface RawDeleteChannelPermissions extends RawChannelId, Audited {
    targetId: string;
  }

  interface RawCreateInvite extends RawChannelId, Audited {
    /** `maxAge` in seconds, `maxUses`, `temporary`, `unique`. */
    payload?: RawPayload;
  }

  interface RawCreateThread extends RawChannelId, Audited {
    /** `name`, `type`, `autoArchiveDuration` and so on; in a forum `appliedTags`, and the first `message`. */
    payload: RawPayload & { readonly message?: RawMessageBody };
  }

  interface RawCreateThreadFromMessage extends OfMessage, Audited {
    payload: RawPayload;
  }

  interface RawThreadId {
    threadId: string;
  }

  interface RawThreadMember extends RawThreadId {
    userId: string;
  }

  interface RawListThreadMembers extends RawThreadId {
    withMember?: boolean;
    after?: string;
    /** 1 to 100. */
    limit?: number;
  }

  interface RawCreateWebhook extends RawChannelId, Audited {
    /** `name`, `avatar`. */
    payload: RawPayload;
  }

  interface RawExecuteWebhook extends RawMessageBody {
    webhookId: string;
    token: string;
    /** Whether the promise is fulfilled with the message; with null otherwise. */
    wait?: boolean;
    /** A thread of the webhook's channel. */
    threadId?: string;
    /** True unless told, when there are components. */
    withComponents?: boolean;
    /** In place of the webhook's own name. */
    username?: string;
    avatarUrl?: string;
    /** In a forum: begin a thread of this name. */
    threadName?: string;
  }

  interface RawEditWebhook extends Audited {
    webhookId: string;
    /** The webhook's own; with it the bot needs no permission. */
    token?: string;
    /** `name`, `avatar`; without a token also `channelId`. */
    payload: RawPayload;
  }

  interface RawDeleteWebhook extends Audited {
    webhookId: string;
    token?: string;
  }

  interface RawWebhookMessage {
    webhookId: string;
    token: string;
    messageId: string;
    threadId?: string;
  }

  interface RawEditWebhookMessage extends RawWebhookMessage, MessageEditOptions {
    withComponents?: boolean;
  }

  // ---------------------------------------------------------------- the calls

  /**
   * Calls to Discord, within the script's own guild. All of them reject with a `FloraError`: `INVALID_INPUT` names
   * the argument that is wrong, `SCOPE_FORBIDDEN` says that something is not this guild's, `DISCORD_HTTP_ERROR` is
   * what Discord says (no permission, not found), `DISCORD_RATE_LIMITED` asks to wait.
   */
  interface Rest {
    /** Write into a channel or thread. */
    sendMessage(input: RawSendMessage): Promise<RestMessage>;
    /** Change a message of the bot. */
    editMessage(input: RawEditMessage): Promise<RestMessage>;
    deleteMessage(input: RawDeleteMessage): Promise<void>;
    /** Delete 2 to 100 messages of the last 14 days. */
    bulkDeleteMessages(input: RawBulkDeleteMessages): Promise<void>;
    pinMessage(input: RawPinMessage): Promise<void>;
    unpinMessage(input: RawPinMessage): Promise<void>;
    listPins(input: RawListPins): Promise<RestPins>;
    /** Publish a message of an announcement channel to the channels that follow it. */
    crosspostMessage(input: RawCrosspostMessage): Promise<RestMessage>;
    fetchMessage(input: RawFetchMessage): Promise<RestMessage>;
    fetchMessages(input: RawFetchMessages): Promise<RestMessage[]>;
    addReaction(input: RawReaction): Promise<void>;
    /** Remove the bot's own reaction, or `userId`'s. */
    removeReaction(input: RawReaction): Promise<void>;
    /** Who reacted with an emoji. */
    listReactions(input: RawListReactions): Promise<RestUser[]>;
    /** Remove all reactions, or all with one emoji. */
    clearReactions(input: RawClearReactions): Promise<void>;
    /** Show "is typing" for ten seconds. */
    triggerTyping(input: RawChannelId): Promise<void>;

    /** Answer an interaction with a message. Contexts do this by `reply()`. */
    sendInteractionResponse(input: RawInteractionResponse): Promise<void>;
    /** Win 15 minutes for the answer. */
    deferInteractionResponse(input: RawDeferInteractionResponse): Promise<void>;
    /** Answer by changing the message that the component belongs to. */
    updateInteractionResponse(input: RawUpdateInteractionResponse): Promise<void>;
    /** Answer with a form. */
    openModal(input: RawOpenModal): Promise<void>;
    editOriginalInteractionResponse(input: RawEditInteractionResponse): Promise<RestMessage>;
    deleteOriginalInteractionResponse(input: RawDeleteInteractionResponse): Promise<void>;
    createFollowupMessage(input: RawFollowupMessage): Promise<RestMessage>;
    editFollowupMessage(input: RawEditFollowupMessage): Promise<RestMessage>;
    deleteFollowupMessage(input: RawDeleteFollowupMessage): Promise<void>;

    /** Replace all commands of the guild; nothing is sent when they are the same. */
    upsertGuildCommands(input: RawUpsertGuildCommands): Promise<RestCommand[]>;
    createGuildCommand(input: RawCreateGuildCommand): Promise<RestCommand>;
    editGuildCommand(input: RawEditGuildCommand): Promise<RestCommand>;
    deleteGuildCommand(input: RawDeleteGuildCommand): Promise<void>;
    getGuildCommands(input?: RawGuildId): Promise<RestCommand[]>;
    getGuildCommand(input: RawGetGuildCommand): Promise<RestCommand>;
    /** Discord refuses this to bots of today: an admin does it in the server's settings. */
    editGuildCommandPermissions(input: RawCommandPermissions): Promise<RestCommandPermissions>;
    getGuildCommandsPermissions(input?: RawGuildId): Promise<RestCommandPermissions[]>;
    getGuildCommandPermissions(input: RawGetGuildCommand): Promise<RestCommandPermissions>;

    fetchMember(input: RawGuildUser): Promise<RestMember>;
    listMembers(input?: RawListMembers): Promise<RestMember[]>;
    searchMembers(input: RawSearchMembers): Promise<RestMember[]>;
    kickMember(input: RawGuildUser): Promise<void>;
    banMember(input: RawBanMember): Promise<void>;
    unbanMember(input: RawGuildUser): Promise<void>;
    fetchBan(input: RawGuildUser): Promise<RestBan>;
    listBans(input?: RawListBans): Promise<RestBan[]>;
    addMemberRole(input: RawMemberRole): Promise<void>;
    removeMemberRole(input: RawMemberRole): Promise<void>;
    /** Nick, roles, time-out, voice. */
    editMember(input: RawEditMember): Promise<RestMember>;
    /** The bot itself, in this guild. */
    editCurrentMember(input: RawEditCurrentMember): Promise<RestMember>;

    fetchGuild(input?: RawGuildId & { withCounts?: boolean }): Promise<RestGuild>;
    editGuild(input: RawEditGuild): Promise<RestGuild>;
    listChannels(input?: RawGuildId): Promise<RestChannel[]>;
    listActiveThreads(input?: RawGuildId): Promise<{ threads: RestChannel[]; members: RestThreadMember[] }>;
    listRoles(input?: RawGuildId): Promise<RestRole[]>;
    createRole(input: RawCreateRole): Promise<RestRole>;
    editRole(input: RawEditRole): Promise<RestRole>;
    editRolePositions(input: RawEditRolePositions): Promise<RestRole[]>;
    deleteRole(input: RawRoleId): Promise<void>;
    listGuildWebhooks(input?: RawGuildId): Promise<RestWebhook[]>;
    listInvites(input?: RawGuildId): Promise<RestInvite[]>;
    fetchAuditLog(input?: RawFetchAuditLog): Promise<RestAuditLog>;

    createChannel(input: RawCreateChannel): Promise<RestChannel>;
    fetchChannel(input: RawChannelId): Promise<RestChannel>;
    editChannel(input: RawEditChannel): Promise<RestChannel>;
    deleteChannel(input: RawDeleteChannel): Promise<RestChannel>;
    /** What a role or a member may do in one channel. */
    editChannelPermissions(input: RawEditChannelPermissions): Promise<void>;
    deleteChannelPermissions(input: RawDeleteChannelPermissions): Promise<void>;
    createInvite(input: RawCreateInvite): Promise<RestInvite>;
    listChannelInvites(input: RawChannelId): Promise<RestInvite[]>;
    createThread(input: RawCreateThread): Promise<RestChannel>;
    createThreadFromMessage(input: RawCreateThreadFromMessage): Promise<RestChannel>;
    joinThread(input: RawThreadId): Promise<void>;
    leaveThread(input: RawThreadId): Promise<void>;
    addThreadMember(input: RawThreadMember): Promise<void>;
    removeThreadMember(input: RawThreadMember): Promise<void>;
    listThreadMembers(input: RawListThreadMembers): Promise<RestThreadMember[]>;

    createWebhook(input: RawCreateWebhook): Promise<RestWebhook>;
    listChannelWebhooks(input: RawChannelId): Promise<RestWebhook[]>;
    /** Write by a webhook, under a name of its own. */
    executeWebhook(input: RawExecuteWebhook): Promise<RestMessage | null>;
    editWebhook(input: RawEditWebhook): Promise<RestWebhook>;
    deleteWebhook(input: RawDeleteWebhook): Promise<void>;
    editWebhookMessage(input: RawEditWebhookMessage): Promise<RestMessage>;
    deleteWebhookMessage(input: RawWebhookMessage): Promise<void>;
  }

  const rest: Rest;
}
