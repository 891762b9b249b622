// Discord's JSON, as far as it is read field by field.

export interface DiscordUser {
  id: string;
  username: string;
  global_name?: string | null;
  discriminator?: string;
  avatar?: string | null;
  bot?: boolean;
  system?: boolean;
  public_flags?: number;
  banner?: string | null;
  accent_color?: number | null;
  avatar_decoration_data?: unknown;
  primary_guild?: unknown;
  collectibles?: unknown;
  /** Only in the mentions of a message. */
  member?: DiscordMember;
}

export interface DiscordMember {
  /** Missing where the user stands beside the member. */
  user?: DiscordUser;
  nick?: string | null;
  avatar?: string | null;
  banner?: string | null;
  roles: string[];
  joined_at?: string | null;
  premium_since?: string | null;
  deaf?: boolean;
  mute?: boolean;
  flags?: number;
  pending?: boolean;
  permissions?: string;
  communication_disabled_until?: string | null;
  avatar_decoration_data?: unknown;
  collectibles?: unknown;
}

export interface DiscordMessage {
  id: string;
  channel_id: string;
  guild_id?: string;
  type?: number;
  content?: string;
  author?: DiscordUser;
  member?: DiscordMember;
  timestamp?: string;
  edited_timestamp?: string | null;
  tts?: boolean;
  mention_everyone?: boolean;
  mentions?: DiscordUser[];
  mention_roles?: string[];
  attachments?: unknown[];
  embeds?: unknown[];
  components?: unknown[];
  pinned?: boolean;
  flags?: number;
  nonce?: string | number;
  webhook_id?: string;
  application_id?: string;
  message_reference?: unknown;
  referenced_message?: DiscordMessage | null;
  sticker_items?: unknown[];
}

export interface DiscordInteraction {
  id: string;
  token: string;
  type: number;
  application_id: string;
  guild_id?: string;
  channel_id?: string;
  channel?: unknown;
  user?: DiscordUser;
  member?: DiscordMember;
  message?: DiscordMessage;
  data?: DiscordInteractionData;
  locale?: string;
  guild_locale?: string;
  app_permissions?: string;
  context?: number;
  entitlements?: unknown[];
  attachment_size_limit?: number;
  authorizing_integration_owners?: unknown;
}

interface DiscordInteractionData {
  id?: string;
  name?: string;
  type?: number;
  options?: DiscordOption[];
  resolved?: unknown;
  /** Of commands of a menu: the user or message. */
  target_id?: string;
  custom_id?: string;
  component_type?: number;
  values?: string[];
  components?: unknown[];
}

export interface DiscordOption {
  name: string;
  type: number;
  value?: string | number | boolean;
  /** In an autocomplete: the one that is being typed. */
  focused?: boolean;
  options?: DiscordOption[];
}
