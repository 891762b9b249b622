// Calls to Discord: what goes in and what comes out.

import { expectType } from "./expect.ts";

const channelId = "1";

expectType<Promise<RestMessage>>()(rest.sendMessage({ channelId, content: "x" }));
expectType<Rest>()(flora.rest);
await rest.sendMessage({ channelId, embeds: [embed().setTitle("x"), { title: "y" }], components: [button()] });
await rest.sendMessage({
  channelId,
  attachments: [
    { name: "a", data: "text" },
    { name: "b", data: new Uint8Array(1), description: "d" },
    { url: "https://example.com/c.png" },
    { Url: { url: "https://example.com/d.png" } },
    { Base64: { data: "AA==", filename: "e" } },
  ],
});
await rest.editMessage({ channelId, messageId: "2", content: null, attachments: [{ id: "3" }] });

expectType<Promise<void>>()(rest.banMember({ userId: "1", deleteMessageSeconds: 60, reason: "x" }));
expectType<Promise<RestMember>>()(rest.editMember({ userId: "1", payload: { communicationDisabledUntil: new Date() } }));
expectType<Promise<RestRole[]>>()(rest.listRoles());
expectType<Promise<RestMessage | null>>()(rest.executeWebhook({ webhookId: "1", token: "t", content: "x", wait: true }));
expectType<Promise<RestCommand>>()(rest.createGuildCommand({ command: slash({ name: "a", description: "b", run() {} }) }));
expectType<Promise<RestCommand[]>>()(rest.upsertGuildCommands({ commands: [{ name: "a", description: "b" }] }));
await rest.editChannelPermissions({
  channelId,
  targetId: "1",
  type: "role",
  allow: [Permissions.ViewChannel],
  deny: Permissions.SendMessages,
});

const found = await rest.fetchMessages({ channelId, limit: 10n });
expectType<string | undefined>()(found[0]?.author.username);
expectType<string | null | undefined>()(found[0]?.edited_timestamp);

on("messageCreate", async (ctx) => {
  await ctx.reply({ attachments: [{ name: "a", data: "x" }] });
  await ctx.edit({ attachments: [{ id: "1" }, { name: "a", data: "x" }] });
  // @ts-expect-error only an edit keeps attachments
  await ctx.reply({ attachments: [{ id: "1" }] });
});

// @ts-expect-error a channel is needed
await rest.sendMessage({ content: "x" });
// @ts-expect-error ids are text
await rest.deleteMessage({ channelId, messageId: 5 });
// @ts-expect-error a file needs a name or a URL
await rest.sendMessage({ channelId, attachments: [{ data: "x" }] });
// @ts-expect-error there is no such call
await rest.leaveGuild();
