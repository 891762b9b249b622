// Payloads of events. A field that Discord left out reads as undefined; null appears only where Discord
// sends null. Ids are strings, times are ISO 8601.

declare namespace flora {
  /** Anything that JSON can say. */
  type JsonValue = string | number | boolean | JsonValue[] | { [key: string]: JsonValue | undefined } | null;

  /** A Discord user. */
  interface EventUser {
    id: string;
    /** Not the name that is shown: see `globalName`. */
    username: string;
    /** The name that is shown where a member has no nick. */
    globalName?: string | null;
    /** Only accounts that still have one, which are bots. */
    discriminator?: number;
    /** Hash of the avatar. */
    avatar?: string | null;
    bot: boolean;
    /** Discord's own messages. */
    system?: boolean;
    publicFlags?: number;
    banner?: string | null;
    accentColor?: number | null;
    avatarDecorationData?: { asset: string; skuId: string; expiresAt?: string | null } | null;
    primaryGuild?: JsonValue;
    collectibles?: JsonValue;
  }

  /** A user as a member of the guild. */
  interface EventMember {
    user: EventUser;
    nick?: string | null;
    /** Hash of the avatar in this guild. */
    avatar?: string | null;
    banner?: string | null;
    /** Ids of the member's roles. */
    roles: string[];
    joinedAt?: string | null;
    /** Since when the member boosts the guild. */
    premiumSince?: string | null;
    deaf: boolean;
    mute: boolean;
    flags: number;
    /** Whether the member has not passed the guild's screening yet. */
    pending: boolean;
    /** All permissions in the channel, as a decimal number in a string; only in interactions. */
    permissions?: string;
    /** Until when the member is timed out. */
    communicationDisabledUntil?: string | null;
    avatarDecorationData?: EventUser["avatarDecorationData"];
    collectibles?: JsonValue;
  }

  /** A user that a message mentions. */
  interface MentionedUser extends EventUser {
    member?: EventMember;
  }

  /** An emoji: `id` is null for those of Unicode. */
  interface Emoji {
    id: string | null;
    name: string | null;
    animated?: boolean;
  }

  interface Attachment {
    id: string;
    filename: string;
    /** The filename before Discord changed it. */
    title?: string | null;
    description?: string;
    contentType?: string;
    /** Bytes. */
    size: number;
    url: string;
    proxyUrl: string;
    height?: number | null;
    width?: number | null;
    ephemeral?: boolean;
    /** Of a voice message. */
    durationSecs?: number;
    /** Of a voice message, in base64. */
    waveform?: string;
    flags?: number;
    placeholder?: string;
    placeholderVersion?: number;
  }

  /** Media of an embed as Discord sends it. @internal */
  interface ReceivedMedia {
    url?: string;
    proxyUrl?: string;
    height?: number;
    width?: number;
    contentType?: string;
    placeholder?: string;
    placeholderVersion?: number;
    description?: string | null;
    flags?: number;
  }

  /** An embed as Discord sends it; it may be sent again as it is. */
  interface ReceivedEmbed {
    type?: string;
    title?: string;
    description?: string;
    url?: string;
    color?: number;
    timestamp?: string;
    footer?: { text: string; iconUrl?: string; proxyIconUrl?: string };
    image?: ReceivedMedia;
    thumbnail?: ReceivedMedia;
    video?: ReceivedMedia;
    provider?: { name?: string; url?: string };
    author?: { name: string; url?: string; iconUrl?: string; proxyIconUrl?: string };
    fields?: RawEmbedField[];
    flags?: number;
  }

  interface Sticker {
    id: string;
    name: string;
    formatType: number;
  }

  /** Which message another one replies to, forwards or came from. */
  interface MessageReference {
    /** 0 for a reply, 1 for a forwarded message. */
    type?: number;
    messageId?: string;
    channelId?: string;
    guildId?: string;
  }

  /** @internal */
  interface PollMedia {
    text?: string;
    emoji?: Emoji;
  }

  interface Poll {
    question: PollMedia;
    answers: { answerId: number; pollMedia: PollMedia }[];
    expiry: string | null;
    allowMultiselect: boolean;
    layoutType: number;
    results?: { isFinalized: boolean; answerCounts: { id: number; count: number; meVoted: boolean }[] };
  }

  interface MessageInteractionMetadata {
    id: string;
    type: number;
    user: EventUser;
    authorizingIntegrationOwners: { [type: string]: string };
    originalResponseMessageId?: string;
    interactedMessageId?: string;
    name?: string;
  }

  /** A message. */
  interface EventMessage {
    id: string;
    channelId: string;
    guildId?: string;
    /** 0 for ordinary messages, 19 for replies, 20 for answers to slash commands. */
    type: number;
    /** Empty without the message content intent, and when there is only something attached. */
    content: string;
    author: EventUser;
    /** The author as a member; not for webhooks. */
    member?: EventMember;
    timestamp: string;
    editedTimestamp: string | null;
    tts: boolean;
    pinned: boolean;
    /** Bits of `MessageFlags`. */
    flags: number;
    mentionEveryone: boolean;
    mentions: MentionedUser[];
    /** Ids of the roles it mentions. */
    mentionRoles: string[];
    mentionChannels?: { id: string; guildId: string; type: number; name: string }[];
    attachments: Attachment[];
    embeds: ReceivedEmbed[];
    /** Discord's own JSON; it may be sent again as it is. */
    components: ComponentJson[];
    stickers?: Sticker[];
    poll?: Poll;
    reactions?: JsonValue;
    /** What it replies to or forwards. */
    reference?: MessageReference;
    /** The message it replies to; null when that is deleted. */
    referencedMessage?: EventMessage | null;
    /** What a forwarded message said. */
    messageSnapshots?: JsonValue;
    /** The webhook that wrote it. */
    webhookId?: string;
    /** The application that wrote it. */
    applicationId?: string;
    application?: JsonValue;
    activity?: JsonValue;
    call?: JsonValue;
    channelType?: number;
    /** The interaction it answers. */
    interactionMetadata?: MessageInteractionMetadata;
    nonce?: string | number;
    position?: number;
    purchaseNotification?: JsonValue;
    resolved?: JsonValue;
    roleSubscriptionData?: JsonValue;
    thread?: JsonValue;
  }

  /** A message was edited, or Discord added an embed for a link in it. */
  interface EventMessageUpdate extends Partial<Omit<EventMessage, "id" | "channelId">> {
    id: string;
    channelId: string;
    /** Never there: nothing is kept of messages. */
    old?: EventMessage;
    /** The message as it is now. */
    new?: EventMessage;
  }

  interface EventMessageDelete {
    id: string;
    channelId: string;
    guildId?: string;
  }

  interface EventMessageDeleteBulk {
    ids: string[];
    channelId: string;
    guildId?: string;
  }

  /** The bot connected to Discord. */
  interface EventReady {
    /** The bot itself. */
    user: EventUser;
    /** Always empty: a guild is not told about the others. */
    guildIds: string[];
  }

  interface InteractionChannel {
    id: string;
    type: number;
    name?: string | null;
    parentId?: string | null;
    permissions?: string;
    [more: string]: unknown;
  }

  /** What all interactions have. */
  interface EventInteraction {
    interactionId: string;
    /** Good for answers during 15 minutes. */
    interactionToken: string;
    applicationId: string;
    guildId?: string;
    channelId?: string;
    channel?: InteractionChannel;
    user: EventUser;
    member?: EventMember;
    /** The user's language. */
    locale?: string;
    guildLocale?: string;
    /** What the bot may do in the channel, as a decimal number in a string. */
    appPermissions?: string;
    context?: number;
    entitlements?: JsonValue[];
    attachmentSizeLimit?: number;
    authorizingIntegrationOwners?: JsonValue;
  }

  /** One option as Discord sends it; subcommands (type 1) and groups (type 2) have options of their own. */
  interface CommandDataOption {
    name: string;
    type: number;
    value?: string | number | boolean;
    /** Of an autocomplete: the one that is being typed. */
    focused?: boolean;
    options?: CommandDataOption[];
  }

  /** A slash command was used, or a command of a user's or message's menu. */
  interface EventInteractionCreate extends EventInteraction {
    commandName: string;
    /** Discord's own JSON. */
    data: {
      id: string;
      name: string;
      /** 1 for slash commands, 2 for those of users, 3 for those of messages. */
      type: number;
      /** What a command of a menu was used on. */
      target_id?: string;
      options?: CommandDataOption[];
      resolved?: JsonValue;
      [more: string]: unknown;
    };
  }

  /** Somebody types in an option of a slash command. */
  interface EventAutocomplete extends EventInteractionCreate {}

  /** A button was pressed or something was chosen in a select menu. */
  interface EventComponentInteraction extends EventInteraction {
    /** Discord's own JSON. */
    data: {
      custom_id: string;
      component_type: number;
      values?: string[];
      resolved?: JsonValue;
      [more: string]: unknown;
    };
    customId: string;
    componentType: number;
    /** What was chosen; empty for buttons. */
    values: string[];
    messageId?: string;
    /** The message that the component belongs to. */
    message?: EventMessage;
  }

  /** A modal was filled in. */
  interface EventModalSubmit extends EventInteraction {
    /** Discord's own JSON. */
    data: { custom_id: string; components: JsonValue[]; resolved?: JsonValue; [more: string]: unknown };
    customId: string;
    /** Only of modals that a component opened. */
    messageId?: string;
    message?: EventMessage;
  }

  /** A reaction came or went. */
  interface EventReaction {
    /** Not for `reactionRemoveEmoji`. */
    userId?: string;
    /** Only for `reactionAdd`. */
    member?: EventMember;
    channelId: string;
    messageId: string;
    /** Only for `reactionAdd`. */
    messageAuthorId?: string;
    guildId?: string;
    emoji: Emoji;
    /** Whether it is a super reaction. */
    burst: boolean;
    burstColors?: string[];
    type: number;
  }

  interface EventReactionRemoveAll {
    messageId: string;
    channelId: string;
    guildId?: string;
  }
}
