// What is sent: messages and embeds.

declare namespace flora {
  interface RawEmbedMedia {
    url?: string;
  }

  interface RawEmbedFooter {
    /** Without text the footer is left out. */
    text?: string;
    iconUrl?: string;
  }

  interface RawEmbedAuthor {
    /** Without a name the author is left out. */
    name?: string;
    url?: string;
    iconUrl?: string;
  }

  interface RawEmbedField {
    name: string;
    value: string;
    /** Beside other fields. */
    inline?: boolean;
  }

  /** An embed, as objects; see also `embed()`. */
  interface RawEmbed {
    title?: string;
    description?: string;
    /** Where the title leads. */
    url?: string;
    /** `0xRRGGBB`. */
    color?: number;
    /** ISO 8601, or a Date. */
    timestamp?: string | Date;
    footer?: RawEmbedFooter;
    image?: RawEmbedMedia;
    thumbnail?: RawEmbedMedia;
    author?: RawEmbedAuthor;
    fields?: readonly RawEmbedField[];
  }

  type Embed = RawEmbed;
  type EmbedField = RawEmbedField;

  /** Builds an embed; pass it in `embeds` as it is. */
  class EmbedBuilder {
    constructor(initial?: RawEmbed);
    setTitle(title: string): this;
    setDescription(description: string): this;
    /** Where the title leads. */
    setUrl(url: string): this;
    /** `0xRRGGBB`. */
    setColor(color: number): this;
    /** ISO 8601, or a Date. */
    setTimestamp(timestamp: string | Date): this;
    setFooter(text: string, iconUrl?: string): this;
    setImage(url: string): this;
    setThumbnail(url: string): this;
    setAuthor(name?: string, options?: { url?: string; iconUrl?: string }): this;
    addField(name: string, value: string, inline?: boolean): this;
    addFields(fields: readonly RawEmbedField[]): this;
    setFields(fields: readonly RawEmbedField[]): this;
    toJSON(): RawEmbed;
  }

  function embed(initial?: RawEmbed): EmbedBuilder;

  /** Who may be notified by a message. */
  interface RawAllowedMentions {
    /** Kinds of mentions that notify. */
    parse?: readonly ("everyone" | "users" | "roles")[];
    /** Ids of users that may be notified. */
    users?: readonly string[];
    /** Ids of roles that may be notified. */
    roles?: readonly string[];
    /** Whether the author of the message that is replied to is notified. */
    repliedUser?: boolean;
  }

  /**
   * A file that goes with a message. By value all files of one turn have 700 KiB together; of a larger one give
   * the URL, which flora fetches.
   */
  type RawAttachment =
    | {
        name: string;
        /** Text, or bytes. */
        data: string | ArrayBuffer | ArrayBufferView;
        /** What a screen reader says. */
        description?: string;
      }
    | {
        url: string;
        /** The URL's last part unless told. */
        name?: string;
        description?: string;
      }
    | { Url: { url: string; filename?: string; description?: string } }
    | { url: { url: string; filename?: string; description?: string } }
    | { Base64: { data: string; filename: string; description?: string } }
    | { base64: { data: string; filename: string; description?: string } };

  /** An attachment that a message has, and that an edit keeps. */
  interface KeptAttachment {
    id: string;
    description?: string;
  }

  interface MessageReplyOptions {
    content?: string;
    embeds?: readonly (RawEmbed | EmbedBuilder)[];
    /** Builders or Discord's JSON. Buttons and select menus may stand without a row. */
    components?: readonly ComponentLike[];
    /** Files, at most ten. */
    attachments?: readonly RawAttachment[];
    tts?: boolean;
    allowedMentions?: RawAllowedMentions;
    /** Another message to reply to; null for a message that is no reply. Not for interactions. */
    replyTo?: string | null;
    /** Only the user sees it. Only for interactions. */
    ephemeral?: boolean;
    /** Bits of `MessageFlags`. */
    flags?: number | bigint;
    /**
     * A second message with the same one, from this guild and within minutes, is not sent; flora sets one
     * otherwise. What Discord shows is made of it, and is another text.
     */
    nonce?: string | number;
  }

  /** Only what is given changes. */
  interface MessageEditOptions {
    /** null takes the text away. */
    content?: string | null;
    embeds?: readonly (RawEmbed | EmbedBuilder)[];
    components?: readonly ComponentLike[];
    /** All files that the message has then: new ones, and those it keeps. */
    attachments?: readonly (RawAttachment | KeptAttachment)[];
    allowedMentions?: RawAllowedMentions;
    flags?: number | bigint;
  }

  type SendMessageOptions = MessageReplyOptions;
}
