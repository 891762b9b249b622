// Embeds as Discord's JSON. What the original host dropped is dropped here: a footer without text, an
// author without a name, media without a URL.

import { invalidInput } from "../prelude/errors.ts";
import { fromBuilder } from "../prelude/json.ts";
import { DateGetTime, DateIntrinsic, DateToISOString, isObject, mapList } from "../prelude/primordials.ts";

interface Media {
  url?: string;
}

interface Named extends Media {
  text?: string;
  name?: string;
  iconUrl?: string;
  icon_url?: string;
}

export function embedJson(input: unknown): unknown {
  const embed = fromBuilder(input);
  if (!isObject(embed)) throw invalidInput("embeds[]", "must be an object");
  const { title, description, url, color, timestamp, footer, image, thumbnail, author, fields } =
    embed as flora.RawEmbed;
  return {
    title,
    description,
    url,
    color,
    timestamp: timestamp && iso(timestamp),
    footer: footer?.text ? { text: footer.text, icon_url: icon(footer) } : undefined,
    image: image?.url ? { url: image.url } : undefined,
    thumbnail: thumbnail?.url ? { url: thumbnail.url } : undefined,
    author: author?.name ? { name: author.name, url: author.url, icon_url: icon(author) } : undefined,
    fields: fields && mapList(fields, field),
  };
}

function icon({ iconUrl, icon_url }: Named): string | undefined {
  return iconUrl ?? icon_url;
}

function field({ name, value, inline }: flora.RawEmbedField): unknown {
  return { name, value, inline: inline === true };
}

function iso(timestamp: string | Date): string {
  const time = DateGetTime(new DateIntrinsic(timestamp));
  if (time !== time) throw invalidInput("embeds[].timestamp", "invalid timestamp");
  return typeof timestamp === "string" ? timestamp : DateToISOString(timestamp);
}
