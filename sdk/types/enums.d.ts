// Discord's numbers by name.

declare namespace flora {
  const ButtonStyle: {
    readonly Primary: 1;
    readonly Secondary: 2;
    readonly Success: 3;
    readonly Danger: 4;
    /** Set by `setUrl()`. */
    readonly Link: 5;
    /** Set by `setSkuId()`. */
    readonly Premium: 6;
  };
  /** The same as `ButtonStyle`. */
  const ButtonStyles: typeof ButtonStyle;

  const ComponentType: {
    readonly ActionRow: 1;
    readonly Button: 2;
    readonly StringSelect: 3;
    readonly InputText: 4;
    readonly UserSelect: 5;
    readonly RoleSelect: 6;
    readonly MentionableSelect: 7;
    readonly ChannelSelect: 8;
    readonly Section: 9;
    readonly TextDisplay: 10;
    readonly Thumbnail: 11;
    readonly MediaGallery: 12;
    readonly File: 13;
    readonly Separator: 14;
    readonly Container: 17;
    readonly Label: 18;
    readonly FileUpload: 19;
  };

  const InputTextStyle: { readonly Short: 1; readonly Paragraph: 2 };
  /** The same as `InputTextStyle`. */
  const InputTextStyles: typeof InputTextStyle;

  const MessageFlags: {
    readonly CROSSPOSTED: 1;
    readonly IS_CROSSPOST: 2;
    readonly SUPPRESS_EMBEDS: 4;
    readonly SOURCE_MESSAGE_DELETED: 8;
    readonly URGENT: 16;
    readonly HAS_THREAD: 32;
    /** Only the user sees it; `ephemeral: true` sets it. */
    readonly EPHEMERAL: 64;
    readonly LOADING: 128;
    readonly FAILED_TO_MENTION_SOME_ROLES_IN_THREAD: 256;
    /** No push notification. */
    readonly SUPPRESS_NOTIFICATIONS: 4096;
    readonly IS_VOICE_MESSAGE: 8192;
    /** Set by itself when a component needs it. */
    readonly IS_COMPONENTS_V2: 32768;
  };

  const ChannelType: {
    readonly GuildText: 0;
    readonly DM: 1;
    readonly GuildVoice: 2;
    readonly GroupDM: 3;
    readonly GuildCategory: 4;
    readonly GuildAnnouncement: 5;
    readonly AnnouncementThread: 10;
    readonly PublicThread: 11;
    readonly PrivateThread: 12;
    readonly GuildStageVoice: 13;
    readonly GuildDirectory: 14;
    readonly GuildForum: 15;
    readonly GuildMedia: 16;
  };

  type PermissionName =
    | "CreateInstantInvite"
    | "KickMembers"
    | "BanMembers"
    | "Administrator"
    | "ManageChannels"
    | "ManageGuild"
    | "AddReactions"
    | "ViewAuditLog"
    | "PrioritySpeaker"
    | "Stream"
    | "ViewChannel"
    | "SendMessages"
    | "SendTTSMessages"
    | "ManageMessages"
    | "EmbedLinks"
    | "AttachFiles"
    | "ReadMessageHistory"
    | "MentionEveryone"
    | "UseExternalEmojis"
    | "ViewGuildInsights"
    | "Connect"
    | "Speak"
    | "MuteMembers"
    | "DeafenMembers"
    | "MoveMembers"
    | "UseVAD"
    | "ChangeNickname"
    | "ManageNicknames"
    | "ManageRoles"
    | "ManageWebhooks"
    | "ManageGuildExpressions"
    | "UseApplicationCommands"
    | "RequestToSpeak"
    | "ManageEvents"
    | "ManageThreads"
    | "CreatePublicThreads"
    | "CreatePrivateThreads"
    | "UseExternalStickers"
    | "SendMessagesInThreads"
    | "UseEmbeddedActivities"
    | "ModerateMembers"
    | "ViewCreatorMonetizationAnalytics"
    | "UseSoundboard"
    | "CreateGuildExpressions"
    | "CreateEvents"
    | "UseExternalSounds"
    | "SendVoiceMessages"
    | "SendPolls"
    | "UseExternalApps"
    | "PinMessages"
    | "BypassSlowmode";

  /**
   * Bits of permissions, as BigInts: `Permissions.KickMembers | Permissions.BanMembers`. What a member has
   * is a decimal string: `BigInt(member.permissions) & Permissions.ManageMessages`.
   */
  const Permissions: { readonly [name in PermissionName]: bigint };
}
