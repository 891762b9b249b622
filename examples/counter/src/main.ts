// Counts clicks for good: a button, leaderboards by person and by channel, a reset for moderators.
import { best, count, reset, total } from "./tally";
import { board, counter } from "./views";

const show = prefix({
  name: "counter",
  description: "Shows the button",
  run: async (ctx) => ctx.reply(counter(await total())),
});

const top = slash({
  name: "top",
  description: "Who clicks most",
  options: [
    {
      name: "by",
      description: "Count people or channels",
      type: "string",
      choices: [
        { name: "people", value: "people" },
        { name: "channels", value: "channels" },
      ],
    },
  ],
  run: async (ctx) => ctx.reply(await leaders(ctx.options.by ?? "people")),
});

const restart = slash({
  name: "reset",
  description: "Sets everything back to nothing",
  defaultMemberPermissions: Permissions.ManageMessages,
  async run(ctx) {
    const clickers = await reset();
    await ctx.reply({ content: `Forgot the clicks of ${clickers} people.`, ephemeral: true });
  },
});

createBot({ prefixCommands: [show], slashCommands: [top, restart] });

on("componentInteraction", async (ctx) => {
  const { customId, user, channelId } = ctx.msg;
  if (customId === "board") return ctx.reply({ ...(await leaders("people")), ephemeral: true });
  if (customId !== "count") return;
  try {
    await ctx.update(counter(await count(user.id, channelId ?? "elsewhere")));
  } catch (error) {
    if (!(error instanceof FloraError) || error.code !== "KV_RATE_LIMITED") throw error;
    await ctx.reply({ content: `Too many clicks. Again in ${Math.ceil(error.retryAfter ?? 1)} s.`, ephemeral: true });
  }
});

async function leaders(by: "people" | "channels") {
  const mention = by === "people" ? (id: string) => `<@${id}>` : (id: string) => `<#${id}>`;
  return board(`Most clicks: ${by}`, await best(by), mention);
}
