// `ctx.options` follows from the options.

import { expectType } from "./expect.ts";

slash({
  name: "all",
  description: "every type of option",
  options: [
    { name: "text", description: "a string", type: "string", required: true },
    { name: "untyped", description: "a string too" },
    { name: "count", description: "a number", type: "integer", required: true, minValue: 1, maxValue: 10 },
    { name: "ratio", description: "a number", type: "number" },
    { name: "loud", description: "a boolean", type: "boolean", required: false },
    { name: "who", description: "an id", type: "user", required: true },
    { name: "role", description: "an id", type: "role" },
    { name: "where", description: "an id", type: "channel", channelTypes: [ChannelType.GuildText] },
    { name: "any", description: "an id", type: "mentionable" },
    { name: "file", description: "an id", type: "attachment", required: true },
  ],
  run(ctx) {
    expectType<string>()(ctx.options.text);
    expectType<string | undefined>()(ctx.options.untyped);
    expectType<number>()(ctx.options.count);
    expectType<number | undefined>()(ctx.options.ratio);
    expectType<boolean | undefined>()(ctx.options.loud);
    expectType<string>()(ctx.options.who);
    expectType<string | undefined>()(ctx.options.role);
    expectType<string | undefined>()(ctx.options.where);
    expectType<string | undefined>()(ctx.options.any);
    expectType<string>()(ctx.options.file);
    // @ts-expect-error there is no such option
    ctx.options.nope;
    expectType<EventUser | undefined>()(ctx.resolved.users[ctx.options.who]);
    return ctx.reply(`${ctx.options.text} ${ctx.options.count.toFixed(1)}`);
  },
});

slash({
  name: "choices",
  description: "narrow the type",
  options: [
    {
      name: "size",
      description: "one of two",
      type: "string",
      required: true,
      choices: [
        { name: "Small", value: "s" },
        { name: "Large", value: "l" },
      ],
    },
    {
      name: "level",
      description: "one of two",
      type: "integer",
      choices: [
        { name: "One", value: 1 },
        { name: "Two", value: 2 },
      ],
    },
  ],
  run: async ({ options }) => {
    expectType<"s" | "l">()(options.size);
    expectType<1 | 2 | undefined>()(options.level);
  },
});

slash({
  name: "none",
  description: "no options",
  async run(ctx) {
    // @ts-expect-error no options, no names
    ctx.options.anything;
    expectType<EventInteractionCreate>()(ctx.msg);
    expectType<EventMessage>()(await ctx.reply({ content: "x", ephemeral: true }));
    await ctx.showModal(modal("id", "title").addComponents(label("Name").setComponent(inputText("name"))));
  },
});

slash({
  name: "tree",
  description: "subcommands and groups",
  subcommands: [
    {
      name: "add",
      description: "adds",
      options: [{ name: "by", description: "how much", type: "integer", required: true }],
      run(ctx) {
        expectType<number>()(ctx.options.by);
      },
    },
    {
      name: "list",
      description: "lists",
      run(ctx) {
        // @ts-expect-error the other subcommand's
        ctx.options.by;
      },
    },
  ],
  groups: [
    {
      name: "admin",
      description: "for admins",
      subcommands: [
        {
          name: "reset",
          description: "resets",
          options: [{ name: "hard", description: "for good", type: "boolean" }],
          run(ctx) {
            expectType<boolean | undefined>()(ctx.options.hard);
          },
        },
      ],
    },
  ],
});

// Subcommands among the options are handled by the command's own run: all of their options may be missing.
slash({
  name: "old",
  description: "as the original had it",
  options: [
    {
      name: "set",
      description: "sets",
      type: "subcommand",
      options: [{ name: "to", description: "x", type: "number", required: true }],
    },
    {
      name: "more",
      description: "a group",
      type: "subcommand_group",
      options: [
        {
          name: "del",
          description: "x",
          type: "subcommand",
          options: [{ name: "what", description: "x", required: true }],
        },
      ],
    },
  ],
  run(ctx) {
    expectType<number | undefined>()(ctx.options.to);
    expectType<string | undefined>()(ctx.options.what);
    expectType<string | undefined>()(getSubcommand(ctx));
    expectType<string | undefined>()(getSubcommandGroup(ctx));
  },
});

// @ts-expect-error a description is needed
slash({ name: "x", run() {} });
// @ts-expect-error no such type
slash({ name: "x", description: "x", options: [{ name: "a", description: "a", type: "strin" }] });
slash({
  name: "x",
  description: "x",
  // @ts-expect-error choices of an integer are numbers
  options: [{ name: "a", description: "a", type: "integer", choices: [{ name: "A", value: "a" }] }],
});

const ping = prefix({
  name: "ping",
  run: async (ctx) => {
    expectType<string[]>()(ctx.args);
    expectType<EventMessage>()(ctx.msg);
    expectType<EventMessage>()(await ctx.reply("pong"));
    expectType<EventMessage>()(await ctx.edit({ content: null, embeds: [embed().setTitle("x")] }));
  },
});

const hello = slash({
  name: "hello",
  description: "Say hello",
  defaultMemberPermissions: Permissions.ManageGuild | Permissions.KickMembers,
  nameLocalizations: { de: "hallo" },
  nsfw: false,
  options: [{ name: "name", description: "Who to greet", type: "string", required: false }],
  run: async (ctx) => {
    const name = (ctx.options.name as string) || "world"; // as scripts of the original have it
    await ctx.reply({ content: `Hello, ${name}!`, ephemeral: true });
  },
});
expectType<SlashCommand>()(hello);
expectType<Command>()(ping);

// A handler that takes any options fits everywhere.
const anyOptions = async (ctx: InteractionContext): Promise<void> => {
  expectType<string | number | boolean | undefined>()(ctx.options.whatever);
};
slash({ name: "x", description: "x", options: [{ name: "a", description: "a", type: "integer" }], run: anyOptions });

createBot({
  prefix: "?",
  commands: [ping, { name: "inline", run: (ctx) => ctx.reply(ctx.args.join()) }],
  slashCommands: [
    hello,
    {
      name: "inline",
      description: "options of commands written here are known too",
      options: [{ name: "n", description: "d", type: "integer", required: true }],
      run(ctx) {
        expectType<number>()(ctx.options.n);
      },
    },
  ],
});
const listed: SlashCommand[] = [hello];
createBot({ slashCommands: listed, prefixCommands: [ping] });
createBot({});

expectType<Promise<void>>()(registerSlashCommands(flattenCommands([hello])));
registerSlashCommands([{ name: "x", description: "x", options: [{ name: "a", description: "b", type: "user" }] }]);
registerSlashCommands([{ name: "User info", type: 2 }]);

on("interactionCreate", async (ctx) => {
  expectType<boolean>()(hasRole(ctx, "1"));
  expectType<SlashCommandOptions>()(flattenInteractionOptions([]));
  await handleSubcommand(ctx, hello);
});

createBot({
  autoDefer: { ephemeral: true },
  errorReply: false,
  contextCommands: [
    userCommand({
      name: "Look up",
      run(ctx) {
        expectType<EventUser>()(ctx.targetUser);
        expectType<EventMember | undefined>()(ctx.targetMember);
      },
    }),
    messageCommand({
      name: "Look up",
      async run(ctx) {
        expectType<EventMessage>()(ctx.targetMessage);
        const followup = await ctx.followup("x");
        expectType<EventMessage>()(await ctx.editFollowup(followup, { content: null }));
        expectType<EventMessage>()(await ctx.fetchReply());
        expectType<void>()(await ctx.deleteReply());
        // @ts-expect-error what was it again?
        await ctx.deleteFollowup();
      },
    }),
  ],
  slashCommands: [
    {
      name: "find",
      description: "finds",
      options: [{ name: "what", description: "what", autocomplete: true }],
      autocomplete(ctx) {
        expectType<string>()(ctx.focused.value);
        return [{ name: "One", value: 1 }, "two", 3];
      },
      run: (ctx) => expectType<string | undefined>()(ctx.options.what),
    },
    {
      name: "wrong",
      description: "suggests something else",
      // @ts-expect-error neither text nor number
      autocomplete: () => [true],
    },
  ],
});
// @ts-expect-error a slash command is no command of a menu
createBot({ contextCommands: [{ name: "x", type: 1, run() {} }] });
// @ts-expect-error a number is no text
createBot({ errorReply: 5 });

on("autocomplete", async (ctx) => {
  expectType<void>()(await ctx.respond(["a"]));
  // @ts-expect-error there is nobody to reply to yet
  ctx.reply("x");
});
on("memberAdd", (ctx) => expectType<string[]>()(ctx.msg.roles));
on("voiceStateUpdate", (ctx) => expectType<string | null>()(ctx.msg.channelId));
