// Commands on the channel they are used in.
import { type Asked, moderate, reasonOf, record, why } from "./moderate";

/** Discord deletes no older ones in bulk; a little less, for the time that passes on the way. */
const OLDEST_MS = 14 * 86_400_000 - 60_000;

function channelOf(ctx: Asked): string {
  const { channelId } = ctx.msg;
  if (!channelId) throw new Error("slash commands of a guild always have a channel");
  return channelId;
}

export const purge = slash({
  name: "purge",
  description: "Delete the latest messages here",
  defaultMemberPermissions: Permissions.ManageMessages,
  options: [
    { name: "count", description: "How many to look at", type: "integer", required: true, minValue: 1, maxValue: 100 },
    { name: "who", description: "Only theirs", type: "user" },
  ],
  run: (ctx) =>
    moderate(ctx, Permissions.ManageMessages, async () => {
      const channelId = channelOf(ctx);
      const { count, who } = ctx.options;
      const latest = await rest.fetchMessages({ channelId, limit: count });
      const messageIds = latest
        .filter(({ author, pinned }) => !pinned && (who === undefined || author.id === who))
        .filter(({ timestamp }) => Date.now() - Date.parse(timestamp) < OLDEST_MS)
        .map(({ id }) => id);
      const reason = reasonOf(ctx, "purge");
      const [only] = messageIds;
      if (only === undefined) return "There is nothing to delete.";
      // One alone is no bulk for Discord.
      if (messageIds.length === 1) await rest.deleteMessage({ channelId, messageId: only, reason });
      else await rest.bulkDeleteMessages({ channelId, messageIds, reason });
      await record(`🧹 ${messageIds.length} in <#${channelId}>. ${reason}`);
      return `${messageIds.length} deleted.`;
    }),
});

export const slowmode = slash({
  name: "slowmode",
  description: "Let everybody write only so often here",
  defaultMemberPermissions: Permissions.ManageChannels,
  options: [
    {
      name: "seconds",
      description: "Between two messages; 0 ends it",
      type: "integer",
      required: true,
      minValue: 0,
      maxValue: 21_600,
    },
  ],
  run: (ctx) =>
    moderate(ctx, Permissions.ManageChannels, async () => {
      const { seconds } = ctx.options;
      await rest.editChannel({
        channelId: channelOf(ctx),
        payload: { rateLimitPerUser: seconds },
        reason: reasonOf(ctx, "slow mode"),
      });
      return seconds > 0 ? `One message in ${seconds} s.` : "Slow mode is over.";
    }),
});

/** Take from everybody, or give back, the right to write here; what else was set for the channel stays. */
async function close(ctx: Asked, closed: boolean, reason: string | undefined): Promise<void> {
  const channelId = channelOf(ctx);
  const everyone = ctx.msg.guildId as string;
  const { permission_overwrites = [] } = await rest.fetchChannel({ channelId });
  const set = permission_overwrites.find(({ id }) => id === everyone);
  const deny = BigInt(set?.deny ?? "0") & ~Permissions.SendMessages;
  await rest.editChannelPermissions({
    channelId,
    targetId: everyone,
    type: "role",
    allow: BigInt(set?.allow ?? "0") & ~Permissions.SendMessages,
    deny: closed ? deny | Permissions.SendMessages : deny,
    reason: reasonOf(ctx, reason),
  });
  await record(`${closed ? "🔒" : "🔓"} <#${channelId}>. ${reasonOf(ctx, reason)}`);
}

export const lock = slash({
  name: "lock",
  description: "Let nobody write here",
  defaultMemberPermissions: Permissions.ManageChannels,
  options: [why],
  run: (ctx) =>
    moderate(ctx, Permissions.ManageChannels, async () => {
      await close(ctx, true, ctx.options.reason);
      return "Locked.";
    }),
});

export const unlock = slash({
  name: "unlock",
  description: "Let everybody write here again",
  defaultMemberPermissions: Permissions.ManageChannels,
  run: (ctx) =>
    moderate(ctx, Permissions.ManageChannels, async () => {
      await close(ctx, false, "over");
      return "Unlocked.";
    }),
});
