// Builders of message components. Their JSON is Discord's own, in snake_case.

import { ArrayIsArray, append, mapList } from "../prelude/primordials.ts";
import { fromBuilder } from "../prelude/json.ts";
import { Flat, Parent } from "./base.ts";
import { ComponentType } from "./enums.ts";

type Json = flora.ComponentJson;
type Like = flora.ComponentLike;

export class ActionRowBuilder extends Parent implements flora.ActionRowBuilder {
  constructor() {
    super({ type: ComponentType.ActionRow });
  }
}

export class ButtonBuilder extends Flat implements flora.ButtonBuilder {
  constructor() {
    super({ type: ComponentType.Button });
  }

  setStyle(style: number): this {
    return this.put("style", style);
  }

  setCustomId(customId: string): this {
    return this.put("custom_id", customId);
  }

  setUrl(url: string): this {
    return this.put("style", 5).put("url", url);
  }

  setSkuId(skuId: string): this {
    return this.put("style", 6).put("sku_id", skuId);
  }

  setLabel(label: string): this {
    return this.put("label", label);
  }

  setEmoji(emoji: flora.EmojiLike): this {
    return this.put("emoji", emoji);
  }

  setDisabled(disabled = true): this {
    return this.put("disabled", disabled);
  }
}

export class SelectMenuBuilderBase extends Flat implements flora.SelectMenuBuilderBase {
  constructor(type: number, customId: string) {
    super({ type, custom_id: customId });
  }

  setCustomId(customId: string): this {
    return this.put("custom_id", customId);
  }

  setPlaceholder(placeholder: string): this {
    return this.put("placeholder", placeholder);
  }

  setMinValues(min: number): this {
    return this.put("min_values", min);
  }

  setMaxValues(max: number): this {
    return this.put("max_values", max);
  }

  setRequired(required = true): this {
    return this.put("required", required);
  }

  setDisabled(disabled = true): this {
    return this.put("disabled", disabled);
  }

  setChannelTypes(types: readonly number[]): this {
    return this.put(
      "channel_types",
      mapList(types, (type) => type),
    );
  }

  setDefaultValues(values: readonly flora.SelectDefaultValue[]): this {
    return this.put(
      "default_values",
      mapList(values, ({ id, type }) => ({ id, type })),
    );
  }

  setDefaultUsers(ids: readonly string[]): this {
    return this.#setDefaults(ids, "user");
  }

  setDefaultRoles(ids: readonly string[]): this {
    return this.#setDefaults(ids, "role");
  }

  setDefaultChannels(ids: readonly string[]): this {
    return this.#setDefaults(ids, "channel");
  }

  addDefaultUser(id: string): this {
    return this.addDefaultValue(id, "user");
  }

  addDefaultRole(id: string): this {
    return this.addDefaultValue(id, "role");
  }

  addDefaultChannel(id: string): this {
    return this.addDefaultValue(id, "channel");
  }

  addDefaultValue(id: string, type: flora.SelectDefaultValue["type"]): this {
    const values = this.#without(undefined);
    append(values, { id, type });
    return this.put("default_values", values);
  }

  /** Replace the defaults of one kind. */
  #setDefaults(ids: readonly string[], type: flora.SelectDefaultValue["type"]): this {
    const values = this.#without(type);
    for (let i = 0; i < ids.length; i++) append(values, { id: ids[i] as string, type });
    return this.put("default_values", values);
  }

  #without(type: string | undefined): flora.SelectDefaultValue[] {
    const all = (this.data.default_values ?? []) as unknown as flora.SelectDefaultValue[];
    const kept: flora.SelectDefaultValue[] = [];
    for (let i = 0; i < all.length; i++) {
      const value = all[i] as flora.SelectDefaultValue;
      if (value.type !== type) append(kept, value);
    }
    return kept;
  }
}

export class StringSelectMenuBuilder extends SelectMenuBuilderBase implements flora.StringSelectMenuBuilder {
  constructor(customId: string) {
    super(ComponentType.StringSelect, customId);
  }

  setOptions(options: readonly flora.SelectOption[]): this {
    return this.put(
      "options",
      mapList(options, (option) => ({ ...option })),
    );
  }

  addOptions(...options: (flora.SelectOption | readonly flora.SelectOption[])[]): this {
    const all = mapList((this.data.options ?? []) as unknown[], (option) => option);
    for (let i = 0; i < options.length; i++) {
      const option = options[i];
      if (!ArrayIsArray(option)) append(all, { ...option });
      else for (let j = 0; j < option.length; j++) append(all, { ...option[j] });
    }
    return this.put("options", all);
  }
}

export class UserSelectMenuBuilder extends SelectMenuBuilderBase {
  constructor(customId: string) {
    super(ComponentType.UserSelect, customId);
  }
}

export class RoleSelectMenuBuilder extends SelectMenuBuilderBase {
  constructor(customId: string) {
    super(ComponentType.RoleSelect, customId);
  }
}

export class MentionableSelectMenuBuilder extends SelectMenuBuilderBase {
  constructor(customId: string) {
    super(ComponentType.MentionableSelect, customId);
  }
}

export class ChannelSelectMenuBuilder extends SelectMenuBuilderBase {
  constructor(customId: string) {
    super(ComponentType.ChannelSelect, customId);
  }
}

export class InputTextBuilder extends Flat implements flora.InputTextBuilder {
  constructor(customId: string) {
    super({ type: ComponentType.InputText, custom_id: customId });
  }

  setCustomId(customId: string): this {
    return this.put("custom_id", customId);
  }

  setStyle(style: number): this {
    return this.put("style", style);
  }

  setMinLength(min: number): this {
    return this.put("min_length", min);
  }

  setMaxLength(max: number): this {
    return this.put("max_length", max);
  }

  setRequired(required = true): this {
    return this.put("required", required);
  }

  setValue(value: string): this {
    return this.put("value", value);
  }

  setPlaceholder(placeholder: string): this {
    return this.put("placeholder", placeholder);
  }
}

export class TextDisplayBuilder extends Flat implements flora.TextDisplayBuilder {
  constructor(content: string) {
    super({ type: ComponentType.TextDisplay, content });
  }

  setContent(content: string): this {
    return this.put("content", content);
  }
}

export class ThumbnailBuilder extends Flat implements flora.ThumbnailBuilder {
  constructor(url: string) {
    super({ type: ComponentType.Thumbnail, media: { url } });
  }

  setUrl(url: string): this {
    return this.put("media", { url });
  }

  setDescription(description: string): this {
    return this.put("description", description);
  }

  setSpoiler(spoiler = true): this {
    return this.put("spoiler", spoiler);
  }
}

export class SectionBuilder extends Parent implements flora.SectionBuilder {
  #accessory: Like | undefined;

  constructor() {
    super({ type: ComponentType.Section });
  }

  setAccessory(accessory: Like): this {
    this.#accessory = accessory;
    return this;
  }

  override toJSON(): Json {
    return {
      ...super.toJSON(),
      accessory: this.#accessory === undefined ? null : (fromBuilder(this.#accessory) as Json),
    };
  }
}

export class MediaGalleryBuilder extends Flat implements flora.MediaGalleryBuilder {
  constructor() {
    super({ type: ComponentType.MediaGallery, items: [] });
  }

  addItem(url: string, options?: { description?: string; spoiler?: boolean }): this {
    const item: flora.MediaItem = { media: { url } };
    if (options?.description !== undefined) item.description = options.description;
    if (options?.spoiler !== undefined) item.spoiler = options.spoiler;
    append(this.data.items as unknown[], item);
    return this;
  }

  setItems(items: readonly flora.MediaItem[]): this {
    return this.put("items", mapList(items, copyItem));
  }

  override toJSON(): Json {
    const items = mapList(this.data.items as unknown as flora.MediaItem[], copyItem);
    return { ...this.data, items: items as unknown as flora.JsonValue };
  }
}

function copyItem(item: flora.MediaItem): flora.MediaItem {
  return { ...item, media: { ...item.media } };
}

export class FileBuilder extends Flat implements flora.FileBuilder {
  constructor(url: string) {
    super({ type: ComponentType.File, file: { url } });
  }

  setUrl(url: string): this {
    return this.put("file", { url });
  }

  setSpoiler(spoiler = true): this {
    return this.put("spoiler", spoiler);
  }
}

export class SeparatorBuilder extends Flat implements flora.SeparatorBuilder {
  constructor(divider = true) {
    super({ type: ComponentType.Separator, divider });
  }

  setDivider(divider = true): this {
    return this.put("divider", divider);
  }

  setSpacing(spacing: number | "small" | "large"): this {
    return this.put("spacing", spacing);
  }
}

export class ContainerBuilder extends Parent implements flora.ContainerBuilder {
  constructor() {
    super({ type: ComponentType.Container });
  }

  setAccentColor(color: number): this {
    return this.put("accent_color", color);
  }

  setSpoiler(spoiler = true): this {
    return this.put("spoiler", spoiler);
  }
}

export class LabelBuilder extends Flat implements flora.LabelBuilder {
  #component: Like | undefined;

  constructor(label: string) {
    super({ type: ComponentType.Label, label });
  }

  setLabel(label: string): this {
    return this.put("label", label);
  }

  setDescription(description: string): this {
    return this.put("description", description);
  }

  setComponent(component: Like): this {
    this.#component = component;
    return this;
  }

  override toJSON(): Json {
    return { ...this.data, component: this.#component === undefined ? null : (fromBuilder(this.#component) as Json) };
  }
}

export class FileUploadBuilder extends Flat implements flora.FileUploadBuilder {
  constructor(customId: string) {
    super({ type: ComponentType.FileUpload, custom_id: customId });
  }

  setCustomId(customId: string): this {
    return this.put("custom_id", customId);
  }

  setMinValues(min: number): this {
    return this.put("min_values", min);
  }

  setMaxValues(max: number): this {
    return this.put("max_values", max);
  }

  setRequired(required = true): this {
    return this.put("required", required);
  }
}

export const actionRow: typeof flora.actionRow = () => new ActionRowBuilder();
export const button: typeof flora.button = () => new ButtonBuilder();
export const stringSelect: typeof flora.stringSelect = (customId) => new StringSelectMenuBuilder(customId);
export const userSelect: typeof flora.userSelect = (customId) => new UserSelectMenuBuilder(customId);
export const roleSelect: typeof flora.roleSelect = (customId) => new RoleSelectMenuBuilder(customId);
export const mentionableSelect: typeof flora.mentionableSelect = (customId) =>
  new MentionableSelectMenuBuilder(customId);
export const channelSelect: typeof flora.channelSelect = (customId) => new ChannelSelectMenuBuilder(customId);
export const inputText: typeof flora.inputText = (customId) => new InputTextBuilder(customId);
export const textDisplay: typeof flora.textDisplay = (content) => new TextDisplayBuilder(content);
export const thumbnail: typeof flora.thumbnail = (url) => new ThumbnailBuilder(url);
export const section: typeof flora.section = () => new SectionBuilder();
export const mediaGallery: typeof flora.mediaGallery = () => new MediaGalleryBuilder();
export const file: typeof flora.file = (url) => new FileBuilder(url);
export const separator: typeof flora.separator = (divider) => new SeparatorBuilder(divider);
export const container: typeof flora.container = () => new ContainerBuilder();
export const label: typeof flora.label = (text) => new LabelBuilder(text);
export const fileUpload: typeof flora.fileUpload = (customId) => new FileUploadBuilder(customId);
