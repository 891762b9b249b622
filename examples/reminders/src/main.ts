// Reminds people of things, after restarts too: they are stored, and a job looks every minute which are due.
import { add, cancel, dueBy, of, remove, type Reminder } from "./book";
import { parseDuration, relative } from "./duration";

const LONGEST = 366 * 86_400;
/** Reminders of one minute's run; the rest are given a minute later. */
const A_RUN = 20;

const remind = slash({
  name: "remind",
  description: "Reminds you of something",
  options: [
    { name: "in", description: "When: 10m, 1h30m, 7d", type: "string", required: true },
    { name: "text", description: "Of what", type: "string", required: true, maxLength: 500 },
  ],
  async run(ctx) {
    const seconds = parseDuration(ctx.options.in);
    if (seconds === undefined || seconds > LONGEST) {
      return ctx.reply({ content: "In how long? Write 10m, 1h30m or 7d; a year at most.", ephemeral: true });
    }
    const due = Date.now() + seconds * 1000;
    const channel = ctx.msg.channelId ?? "";
    const reminder = await add({ user: ctx.msg.user.id, channel, text: ctx.options.text, due });
    if (reminder === undefined) return ctx.reply({ content: "You have enough reminders. Cancel one.", ephemeral: true });
    await ctx.reply(`I will remind you ${relative(due)} (\`${reminder.id}\`).`);
  },
});

const reminders = slash({
  name: "reminders",
  description: "Your reminders",
  subcommands: [
    {
      name: "list",
      description: "Shows them",
      async run(ctx) {
        const mine = await of(ctx.msg.user.id);
        const lines = mine.map(({ id, due, text }) => `\`${id}\` ${relative(due)}: ${text}`);
        await ctx.reply({ content: lines.join("\n") || "Nothing to come.", ephemeral: true });
      },
    },
    {
      name: "cancel",
      description: "Forgets one",
      options: [{ name: "id", description: "As the list shows it", type: "string", required: true }],
      async run(ctx) {
        const done = await cancel(ctx.msg.user.id, ctx.options.id);
        await ctx.reply({ content: done ? "Forgotten." : "You have none of that id.", ephemeral: true });
      },
    },
  ],
});

createBot({ slashCommands: [remind, reminders] });

cron(
  "deliver",
  "* * * * *",
  async () => {
    for (const reminder of await dueBy(Date.now(), A_RUN)) await deliver(reminder);
  },
  { skipIfRunning: true },
);

/** Say it, then forget it: should flora stop in between, it is said twice rather than never. */
async function deliver(reminder: Reminder) {
  const { user, channel: channelId, text } = reminder;
  try {
    await rest.sendMessage({ channelId, content: `<@${user}> ${text}`, allowedMentions: { users: [user] } });
  } catch (error) {
    if (!(error instanceof FloraError) || mayPass(error)) throw error; // the next run tries again
    console.warn(`reminder ${reminder.id} cannot be given:`, error.message);
  }
  await remove(reminder);
}

function mayPass({ code, status }: FloraError): boolean {
  return code === "DISCORD_RATE_LIMITED" || (status ?? 0) >= 500;
}
