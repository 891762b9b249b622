// What your bot does in this server. Everything comes from globals: no imports needed.
const ping = prefix({
  name: "ping",
  description: "Answers, so that you see it works",
  run: (ctx) => ctx.reply(["pong", ...ctx.args].join(" ")),
});

const hello = slash({
  name: "hello",
  description: "Says hello",
  options: [{ name: "name", description: "Whom to greet", type: "string" }],
  run: (ctx) => ctx.reply({ content: `Hello ${ctx.options.name ?? "there"}!`, ephemeral: true }),
});

createBot({ prefix: "!", prefixCommands: [ping], slashCommands: [hello] });
