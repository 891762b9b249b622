// Payloads of the events about the guild itself: members, roles, channels, voice, moderation, planned events.
// They are Discord's objects in camelCase; what is not named here is there all the same.

declare namespace flora {
  /** Somebody joined, or something about a member changed. */
  interface EventGuildMember extends EventMember {
    guildId: string;
  }

  /** Somebody left, was banned or pardoned. */
  interface EventGuildUser {
    guildId: string;
    user: EventUser;
  }

  interface EventRole {
    guildId: string;
    role: ResolvedRole;
  }

  interface EventRoleDelete {
    guildId: string;
    roleId: string;
  }

  /** What a role or member may do in a channel beyond what it may everywhere. */
  interface PermissionOverwrite {
    /** Of the role or the user. */
    id: string;
    /** 0 for a role, 1 for a member. */
    type: number;
    /** Bits of `Permissions`, as a decimal number in a string. */
    allow: string;
    deny: string;
  }

  /** A channel. */
  interface EventChannel {
    id: string;
    guildId: string;
    /** One of `ChannelType`. */
    type: number;
    name: string;
    topic?: string | null;
    position?: number;
    /** The category. */
    parentId?: string | null;
    nsfw?: boolean;
    /** Slow mode: seconds between two messages of one user. */
    rateLimitPerUser?: number;
    permissionOverwrites?: PermissionOverwrite[];
    lastMessageId?: string | null;
    /** Of voice channels: bits a second, and the most users. */
    bitrate?: number;
    userLimit?: number;
    rtcRegion?: string | null;
    flags?: number;
    /** Of forums. */
    availableTags?: { id: string; name: string; moderated: boolean; emojiId: string | null; emojiName: string | null }[];
    [more: string]: unknown;
  }

  interface EventChannelPins {
    guildId: string;
    channelId: string;
    /** When the newest pinned message was pinned; null when none is left. */
    lastPinTimestamp?: string | null;
  }

  /** A thread. */
  interface EventThread {
    id: string;
    guildId: string;
    type: number;
    name: string;
    /** The channel it belongs to. */
    parentId: string;
    ownerId: string;
    /** At most 50. */
    memberCount?: number;
    messageCount?: number;
    rateLimitPerUser?: number;
    /** Ids of the forum's tags. */
    appliedTags?: string[];
    threadMetadata: {
      archived: boolean;
      /** Minutes without a message after which it is archived. */
      autoArchiveDuration: number;
      archiveTimestamp: string;
      locked: boolean;
      invitable?: boolean;
      createTimestamp?: string | null;
    };
    /** Only for `threadCreate`: false when the bot was added to an older thread. */
    newlyCreated?: boolean;
    [more: string]: unknown;
  }

  interface EventThreadDelete {
    id: string;
    guildId: string;
    parentId: string;
    type: number;
  }

  interface EventThreadMembers {
    /** The thread. */
    id: string;
    guildId: string;
    memberCount: number;
    addedMembers?: { id: string; userId: string; joinTimestamp: string; flags: number; member?: EventMember | null; presence?: JsonValue }[];
    removedMemberIds?: string[];
  }

  /** Where somebody is in voice now. */
  interface EventVoiceState {
    guildId: string;
    /** null when they left. */
    channelId: string | null;
    userId: string;
    member?: EventMember;
    sessionId: string;
    /** By the guild. */
    deaf: boolean;
    mute: boolean;
    /** By themselves. */
    selfDeaf: boolean;
    selfMute: boolean;
    selfStream?: boolean;
    selfVideo: boolean;
    /** Muted by the stage. */
    suppress: boolean;
    requestToSpeakTimestamp: string | null;
  }

  interface EventInvite {
    guildId: string;
    channelId: string;
    code: string;
    createdAt: string;
    inviter?: EventUser;
    /** Seconds; 0 for ever. */
    maxAge: number;
    /** 0 for any number. */
    maxUses: number;
    temporary: boolean;
    uses: number;
    targetType?: number;
    targetUser?: EventUser;
    expiresAt?: string | null;
    [more: string]: unknown;
  }

  interface EventInviteDelete {
    guildId: string;
    channelId: string;
    code: string;
  }

  /** A vote in a poll, or one taken back. */
  interface EventPollVote {
    userId: string;
    channelId: string;
    messageId: string;
    guildId: string;
    answerId: number;
  }

  /** @internal */
  interface AutomodActionJson {
    /** 1 blocks the message, 2 alerts a channel, 3 times the member out, 4 keeps the member from speaking. */
    type: number;
    metadata?: { channelId?: string; durationSeconds?: number; customMessage?: string };
  }

  interface EventAutomodRule {
    id: string;
    guildId: string;
    name: string;
    creatorId: string;
    /** 1 for messages, 2 for profiles. */
    eventType: number;
    /** 1 keywords, 3 spam, 4 Discord's lists of words, 5 mentions, 6 profiles. */
    triggerType: number;
    triggerMetadata: { [key: string]: JsonValue | undefined };
    actions: AutomodActionJson[];
    enabled: boolean;
    exemptRoles: string[];
    exemptChannels: string[];
  }

  interface EventAutomodAction {
    guildId: string;
    action: AutomodActionJson;
    ruleId: string;
    ruleTriggerType: number;
    userId: string;
    channelId?: string;
    /** Missing when the message was blocked. */
    messageId?: string;
    /** The alert that the rule posted. */
    alertSystemMessageId?: string;
    /** Empty without the message content intent. */
    content: string;
    matchedKeyword: string | null;
    matchedContent?: string | null;
  }

  interface EventScheduledEvent {
    id: string;
    guildId: string;
    channelId: string | null;
    creatorId?: string | null;
    creator?: EventUser;
    name: string;
    description?: string | null;
    scheduledStartTime: string;
    scheduledEndTime: string | null;
    privacyLevel: number;
    /** 1 planned, 2 running, 3 over, 4 called off. */
    status: number;
    /** 1 on a stage, 2 in a voice channel, 3 elsewhere. */
    entityType: number;
    entityId: string | null;
    entityMetadata: { location?: string } | null;
    userCount?: number;
    image?: string | null;
    [more: string]: unknown;
  }

  interface EventScheduledEventUser {
    guildScheduledEventId: string;
    userId: string;
    guildId: string;
  }

  /** Who did what, as in the guild's audit log. */
  interface EventAuditLogEntry {
    id: string;
    guildId: string;
    /** Discord's number, like 22 for a ban. */
    actionType: number;
    /** Who did it. */
    userId: string | null;
    targetId: string | null;
    reason?: string;
    changes?: { key: string; oldValue?: JsonValue; newValue?: JsonValue }[];
    options?: { [key: string]: JsonValue | undefined };
  }

  /** The guild's settings. */
  interface EventGuild {
    id: string;
    name: string;
    icon: string | null;
    banner?: string | null;
    description?: string | null;
    ownerId: string;
    afkChannelId: string | null;
    afkTimeout: number;
    systemChannelId: string | null;
    rulesChannelId: string | null;
    verificationLevel: number;
    explicitContentFilter: number;
    defaultMessageNotifications: number;
    mfaLevel: number;
    features: string[];
    roles: ResolvedRole[];
    preferredLocale: string;
    premiumTier: number;
    premiumSubscriptionCount?: number;
    vanityUrlCode?: string | null;
    nsfwLevel: number;
    [more: string]: unknown;
  }

  interface EventEmojis {
    guildId: string;
    emojis: (Emoji & { roles?: string[]; user?: EventUser; available?: boolean; managed?: boolean })[];
  }

  interface EventStickers {
    guildId: string;
    stickers: (Sticker & {
      description: string | null;
      tags: string;
      type: number;
      available?: boolean;
      user?: EventUser;
    })[];
  }

  interface EventWebhooks {
    guildId: string;
    channelId: string;
  }
}
