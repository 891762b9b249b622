// The starter bot: two prefix commands, two slash commands, and a button that counts.
import { clicks, counter } from "./counter";

const ping = prefix({
  name: "ping",
  description: "Answers, so that you see it works",
  run: (ctx) => ctx.reply(["pong", ...ctx.args].join(" ")),
});

const count = prefix({
  name: "count",
  description: "Shows a button that counts its clicks",
  run: (ctx) => ctx.reply(counter()),
});

const slashPing = slash({
  name: "ping",
  description: "Answers with pong",
  run: (ctx) => ctx.reply("pong"),
});

const hello = slash({
  name: "hello",
  description: "Says hello, only to you",
  options: [{ name: "name", description: "Whom to greet", type: "string" }],
  run: (ctx) => ctx.reply({ content: `Hello ${ctx.options.name ?? "there"}!`, ephemeral: true }),
});

createBot({ prefix: "!", prefixCommands: [ping, count], slashCommands: [slashPing, hello] });

on("componentInteraction", async (ctx) => {
  if (ctx.msg.data.custom_id !== "count") return;
  clicks.total += 1;
  await ctx.update(counter());
});

on("ready", (ctx) => console.log(`connected as ${ctx.msg.user.username}`));
