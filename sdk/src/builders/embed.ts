// Embeds, in the camelCase form that scripts write.

import { invalidInput } from "../prelude/errors.ts";
import { append, isObject, mapList } from "../prelude/primordials.ts";

export class EmbedBuilder implements flora.EmbedBuilder {
  #data: flora.RawEmbed;

  constructor(initial: flora.RawEmbed = {}) {
    this.#data = { ...initial };
  }

  setTitle(title: string): this {
    this.#data.title = title;
    return this;
  }

  setDescription(description: string): this {
    this.#data.description = description;
    return this;
  }

  setUrl(url: string): this {
    this.#data.url = url;
    return this;
  }

  setColor(color: number): this {
    this.#data.color = color;
    return this;
  }

  setTimestamp(timestamp: string | Date): this {
    this.#data.timestamp = timestamp;
    return this;
  }

  setFooter(text: string, iconUrl?: string): this {
    this.#data.footer = { text, iconUrl };
    return this;
  }

  setImage(url: string): this {
    this.#data.image = { url };
    return this;
  }

  setThumbnail(url: string): this {
    this.#data.thumbnail = { url };
    return this;
  }

  setAuthor(name?: string, options?: { url?: string; iconUrl?: string }): this {
    this.#data.author = { name, url: options?.url, iconUrl: options?.iconUrl };
    return this;
  }

  addField(name: string, value: string, inline = false): this {
    return this.addFields([{ name, value, inline }]);
  }

  addFields(fields: readonly flora.RawEmbedField[]): this {
    const all = this.#data.fields ? mapList(this.#data.fields, copy) : [];
    for (let i = 0; i < fields.length; i++) append(all, copy(fields[i] as flora.RawEmbedField));
    this.#data.fields = all;
    return this;
  }

  setFields(fields: readonly flora.RawEmbedField[]): this {
    this.#data.fields = mapList(fields, copy);
    return this;
  }

  toJSON(): flora.RawEmbed {
    return { ...this.#data };
  }
}

function copy(field: flora.RawEmbedField): flora.RawEmbedField {
  if (!isObject(field)) throw invalidInput("embeds[].fields[]", "must be an object with name and value");
  return { ...field };
}

export const embed: typeof flora.embed = (initial) => new EmbedBuilder(initial);
