// The context of a handler follows from the event's name.

import { expectType } from "./expect.ts";

on("ready", (ctx) => {
  expectType<EventReady>()(ctx.msg);
  expectType<string[]>()(ctx.msg.guildIds);
});

on("messageCreate", async (ctx) => {
  expectType<EventMessage>()(ctx.msg);
  expectType<string>()(ctx.msg.content);
  expectType<boolean>()(ctx.msg.author.bot);
  expectType<number | undefined>()(ctx.msg.author.discriminator);
  expectType<EventMember | undefined>()(ctx.msg.member);
  expectType<string | null>()(ctx.msg.editedTimestamp);
  expectType<EventMessage | null | undefined>()(ctx.msg.referencedMessage);
  expectType<Attachment[]>()(ctx.msg.attachments);
  const sent = await ctx.reply({
    content: "x",
    replyTo: null,
    allowedMentions: { parse: ["users"], repliedUser: false },
  });
  expectType<string>()(sent.id);
  // @ts-expect-error messages have no options
  ctx.options;
  // @ts-expect-error there is nothing to defer
  ctx.defer();
  // @ts-expect-error only these three
  ctx.reply({ allowedMentions: { parse: ["nobody"] } });
  // what came may be sent again
  await ctx.reply({ embeds: ctx.msg.embeds, components: ctx.msg.components });
});

on("messageCreate", ({ msg, reply }) => reply(msg.content), { own: true });
on("messageUpdate", (ctx) => {
  expectType<string | undefined>()(ctx.msg.content);
  expectType<EventMessage | undefined>()(ctx.msg.new);
});
on("messageDelete", (ctx) => expectType<EventMessageDelete>()(ctx.msg));
on("messageDeleteBulk", (ctx) => expectType<string[]>()(ctx.msg.ids));
on("interactionCreate", (ctx) => {
  expectType<InteractionContext>()(ctx);
  expectType<string>()(ctx.msg.commandName);
  expectType<string | number | boolean | undefined>()(ctx.msg.data.options?.[0]?.value);
  // @ts-expect-error a slash command has no message to update
  ctx.update("x");
});
on("componentInteraction", async (ctx) => {
  expectType<ComponentInteractionContext>()(ctx);
  expectType<string[]>()(ctx.msg.values);
  expectType<string>()(ctx.msg.data.custom_id);
  await ctx.update({ content: "x", components: [] });
  await ctx.deferUpdate();
  await ctx.defer({ ephemeral: true });
  await ctx.followup("x");
  await ctx.showModal({ customId: "a", title: "b", components: [textDisplay("c")] });
});
on("modalSubmit", async (ctx) => {
  const name: string = ctx.fields.name;
  await ctx.reply(name);
  // @ts-expect-error a modal cannot open a modal
  ctx.showModal(modal());
});
for (const event of ["reactionAdd", "reactionRemove", "reactionRemoveEmoji"] as const) {
  on(event, (ctx) => {
    expectType<Emoji>()(ctx.msg.emoji);
    expectType<string | undefined>()(ctx.msg.userId);
  });
}
once("reactionRemoveAll", (ctx) => expectType<string>()(ctx.msg.messageId));

const handler: FloraEventHandler<"messageCreate"> = () => {};
on("messageCreate", handler);
off("messageCreate", handler);
expectType<typeof flora.on>()(on);

// @ts-expect-error no such event
on("messagecreate", () => {});

try {
  throw new FloraError("INVALID_INPUT", "x", { status: 400 });
} catch (error) {
  if (error instanceof FloraError) {
    expectType<FloraErrorCode>()(error.code);
    const unknown: never = ((code: FloraErrorCode) => {
      switch (code) {
        case "DISCORD_RATE_LIMITED":
        case "DISCORD_HTTP_ERROR":
        case "SCOPE_FORBIDDEN":
        case "INVALID_INPUT":
        case "KV_KEY_NOT_FOUND":
        case "KV_QUOTA_EXCEEDED":
        case "KV_RATE_LIMITED":
        case "KV_UNAVAILABLE":
        case "FETCH_FAILED":
        case "FETCH_FORBIDDEN_ADDRESS":
        case "FETCH_RATE_LIMITED":
        case "FETCH_SECRET_FORBIDDEN":
        case "FETCH_TIMEOUT":
        case "FETCH_TOO_LARGE":
        case "FETCH_TOO_MANY":
          throw code;
        default:
          return code;
      }
    })(error.code);
    void unknown;
    expectType<number | undefined>()(error.retryAfter);
  }
}

// Every name of the original's types that applies is there.
export type Names = [
  EventUser,
  EventMember,
  EventMessage,
  EventMessageUpdate,
  EventMessageDelete,
  EventMessageDeleteBulk,
  EventReady,
  EventInteractionCreate,
  EventComponentInteraction,
  EventModalSubmit,
  EventReaction,
  EventReactionRemoveAll,
  BaseContext<unknown>,
  MessageContext,
  MessageUpdateContext,
  MessageDeleteContext,
  MessageDeleteBulkContext,
  ComponentInteractionContext,
  ModalSubmitContext,
  ReactionContext,
  ReactionRemoveAllContext,
  InteractionContext,
  SlashCommandOptions,
  FloraEventMap,
  FloraEventHandler<"ready">,
  RawEmbedMedia,
  RawEmbedFooter,
  RawEmbedAuthor,
  RawEmbedField,
  RawEmbed,
  RawAllowedMentions,
  Embed,
  EmbedField,
  MessageReplyOptions,
  MessageEditOptions,
  SendMessageOptions,
  JsonValue,
  Command,
  SlashCommand,
  SlashSubcommand,
  SlashCommandOption,
  CreateOptions,
  FlattenedSlashCommand,
  SubcommandMap,
  ComponentJson,
  ComponentLike,
  ComponentBuilder,
];
