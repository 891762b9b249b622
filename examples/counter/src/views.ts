import type { Score } from "./tally";

/** The message with the button. */
export function counter(clicks: number) {
  return {
    content: clicks === 0 ? "Nobody has clicked yet." : `**${clicks}** ${clicks === 1 ? "click" : "clicks"} so far.`,
    components: [
      actionRow().addComponents(
        button().setCustomId("count").setLabel("Click me").setStyle(ButtonStyle.Primary),
        button().setCustomId("board").setLabel("Who clicks?").setStyle(ButtonStyle.Secondary),
      ),
    ],
  };
}

/** A leaderboard. */
export function board(title: string, scores: readonly Score[], mention: (id: string) => string) {
  const lines = scores.map(({ id, clicks }, place) => `${place + 1}. ${mention(id)}: ${clicks}`);
  return { embeds: [embed().setTitle(title).setDescription(lines.join("\n") || "Nobody yet.").setColor(0x5865f2)] };
}
