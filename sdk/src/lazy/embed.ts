// The builder of embeds.
export { EmbedBuilder, embed } from "../builders/embed.ts";
