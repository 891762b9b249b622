// Components of messages and modals. Builders go into `components` as they are.

declare namespace flora {
  /** A component as Discord's JSON. */
  interface ComponentJson {
    type: number;
    [key: string]: JsonValue | undefined;
  }

  interface ComponentBuilder {
    toJSON(): ComponentJson;
  }

  type ComponentLike = ComponentJson | ComponentBuilder;

  /** An emoji: `"🔥"`, `"<:name:id>"` or an object. */
  type EmojiLike = string | { id?: string | null; name?: string | null; animated?: boolean };

  interface SelectDefaultValue {
    id: string;
    type: "user" | "role" | "channel";
  }

  interface SelectOption {
    label: string;
    value: string;
    description?: string;
    emoji?: EmojiLike;
    default?: boolean;
  }

  interface MediaItem {
    media: { url: string };
    description?: string;
    spoiler?: boolean;
  }

  /** A row of up to five buttons, or one select menu. */
  class ActionRowBuilder {
    addComponents(...components: (ComponentLike | readonly ComponentLike[])[]): this;
    setComponents(components: readonly ComponentLike[]): this;
    toJSON(): ComponentJson;
  }

  class ButtonBuilder {
    /** One of `ButtonStyle`; primary by default. */
    setStyle(style: number): this;
    setCustomId(customId: string): this;
    /** Makes it a link. */
    setUrl(url: string): this;
    /** Makes it a premium button. */
    setSkuId(skuId: string): this;
    setLabel(label: string): this;
    setEmoji(emoji: EmojiLike): this;
    setDisabled(disabled?: boolean): this;
    toJSON(): ComponentJson;
  }

  class SelectMenuBuilderBase {
    constructor(type: number, customId: string);
    setCustomId(customId: string): this;
    setPlaceholder(placeholder: string): this;
    setMinValues(min: number): this;
    setMaxValues(max: number): this;
    /** In modals. */
    setRequired(required?: boolean): this;
    setDisabled(disabled?: boolean): this;
    /** Of channel selects: values of `ChannelType`. */
    setChannelTypes(types: readonly number[]): this;
    setDefaultValues(values: readonly SelectDefaultValue[]): this;
    setDefaultUsers(ids: readonly string[]): this;
    setDefaultRoles(ids: readonly string[]): this;
    setDefaultChannels(ids: readonly string[]): this;
    addDefaultUser(id: string): this;
    addDefaultRole(id: string): this;
    addDefaultChannel(id: string): this;
    addDefaultValue(id: string, type: SelectDefaultValue["type"]): this;
    toJSON(): ComponentJson;
  }

  class StringSelectMenuBuilder extends SelectMenuBuilderBase {
    constructor(customId: string);
    setOptions(options: readonly SelectOption[]): this;
    addOptions(...options: (SelectOption | readonly SelectOption[])[]): this;
  }

  class UserSelectMenuBuilder extends SelectMenuBuilderBase {
    constructor(customId: string);
  }

  class RoleSelectMenuBuilder extends SelectMenuBuilderBase {
    constructor(customId: string);
  }

  class MentionableSelectMenuBuilder extends SelectMenuBuilderBase {
    constructor(customId: string);
  }

  class ChannelSelectMenuBuilder extends SelectMenuBuilderBase {
    constructor(customId: string);
  }

  /** A text field of a modal; it goes into a label. */
  class InputTextBuilder {
    constructor(customId: string);
    setCustomId(customId: string): this;
    /** One of `InputTextStyle`; short by default. */
    setStyle(style: number): this;
    setMinLength(min: number): this;
    setMaxLength(max: number): this;
    setRequired(required?: boolean): this;
    setValue(value: string): this;
    setPlaceholder(placeholder: string): this;
    toJSON(): ComponentJson;
  }

  /** Text beside other components, in Markdown. */
  class TextDisplayBuilder {
    constructor(content: string);
    setContent(content: string): this;
    toJSON(): ComponentJson;
  }

  /** A small picture beside a section. */
  class ThumbnailBuilder {
    constructor(url: string);
    setUrl(url: string): this;
    setDescription(description: string): this;
    setSpoiler(spoiler?: boolean): this;
    toJSON(): ComponentJson;
  }

  /** Texts with a button or thumbnail beside them. */
  class SectionBuilder {
    addComponents(...components: (ComponentLike | readonly ComponentLike[])[]): this;
    setComponents(components: readonly ComponentLike[]): this;
    /** A button or a thumbnail; a section needs one. */
    setAccessory(accessory: ComponentLike): this;
    toJSON(): ComponentJson;
  }

  class MediaGalleryBuilder {
    addItem(url: string, options?: { description?: string; spoiler?: boolean }): this;
    setItems(items: readonly MediaItem[]): this;
    toJSON(): ComponentJson;
  }

  class FileBuilder {
    constructor(url: string);
    setUrl(url: string): this;
    setSpoiler(spoiler?: boolean): this;
    toJSON(): ComponentJson;
  }

  class SeparatorBuilder {
    constructor(divider?: boolean);
    /** Whether there is a line. */
    setDivider(divider?: boolean): this;
    setSpacing(spacing: number | "small" | "large"): this;
    toJSON(): ComponentJson;
  }

  /** A box around other components. */
  class ContainerBuilder {
    addComponents(...components: (ComponentLike | readonly ComponentLike[])[]): this;
    setComponents(components: readonly ComponentLike[]): this;
    /** `0xRRGGBB`. */
    setAccentColor(color: number): this;
    setSpoiler(spoiler?: boolean): this;
    toJSON(): ComponentJson;
  }

  /** Names a field of a modal. */
  class LabelBuilder {
    constructor(label: string);
    setLabel(label: string): this;
    setDescription(description: string): this;
    /** A text input, select menu or file upload. */
    setComponent(component: ComponentLike): this;
    toJSON(): ComponentJson;
  }

  /** Lets the user upload files in a modal. */
  class FileUploadBuilder {
    constructor(customId: string);
    setCustomId(customId: string): this;
    setMinValues(min: number): this;
    setMaxValues(max: number): this;
    setRequired(required?: boolean): this;
    toJSON(): ComponentJson;
  }

  interface ModalOptions {
    customId: string;
    title: string;
    components: readonly ComponentLike[];
  }

  interface ModalJson {
    custom_id: string;
    title: string;
    components: ComponentJson[];
  }

  /** A form; answer an interaction with it by `ctx.showModal()`. */
  class ModalBuilder {
    constructor(customId?: string, title?: string);
    setCustomId(customId: string): this;
    setTitle(title: string): this;
    /** Labels and texts. */
    addComponents(...components: (ComponentLike | readonly ComponentLike[])[]): this;
    setComponents(components: readonly ComponentLike[]): this;
    toJSON(): ModalJson;
  }

  function actionRow(): ActionRowBuilder;
  function button(): ButtonBuilder;
  function stringSelect(customId: string): StringSelectMenuBuilder;
  function userSelect(customId: string): UserSelectMenuBuilder;
  function roleSelect(customId: string): RoleSelectMenuBuilder;
  function mentionableSelect(customId: string): MentionableSelectMenuBuilder;
  function channelSelect(customId: string): ChannelSelectMenuBuilder;
  function inputText(customId: string): InputTextBuilder;
  function textDisplay(content: string): TextDisplayBuilder;
  function thumbnail(url: string): ThumbnailBuilder;
  function section(): SectionBuilder;
  function mediaGallery(): MediaGalleryBuilder;
  function file(url: string): FileBuilder;
  function separator(divider?: boolean): SeparatorBuilder;
  function container(): ContainerBuilder;
  function label(label: string): LabelBuilder;
  function fileUpload(customId: string): FileUploadBuilder;
  function modal(customId?: string, title?: string): ModalBuilder;
}
