// Commands on members.
import { moderate, reasonOf, record, who, why } from "./moderate";

const DAY_SECONDS = 86_400;

export const timeout = slash({
  name: "timeout",
  description: "Keep somebody from writing for a while",
  defaultMemberPermissions: Permissions.ModerateMembers,
  options: [
    who,
    { name: "minutes", description: "How long", type: "integer", required: true, minValue: 1, maxValue: 28 * 24 * 60 },
    why,
  ],
  run: (ctx) =>
    moderate(ctx, Permissions.ModerateMembers, async () => {
      const { who, minutes, reason } = ctx.options;
      await silence(who, minutes, reasonOf(ctx, reason));
      return `<@${who}> is quiet for ${minutes} min.`;
    }),
});

/** Keep a member from writing; 0 minutes ends that. */
export async function silence(userId: string, minutes: number, reason: string): Promise<void> {
  const communicationDisabledUntil = minutes > 0 ? new Date(Date.now() + minutes * 60_000) : null;
  await rest.editMember({ userId, payload: { communicationDisabledUntil }, reason });
  await record(minutes > 0 ? `🔇 <@${userId}> for ${minutes} min. ${reason}` : `🔊 <@${userId}>. ${reason}`);
}

export const untimeout = slash({
  name: "untimeout",
  description: "Let somebody write again",
  defaultMemberPermissions: Permissions.ModerateMembers,
  options: [who],
  run: (ctx) =>
    moderate(ctx, Permissions.ModerateMembers, async () => {
      await silence(ctx.options.who, 0, reasonOf(ctx, "over"));
      return `<@${ctx.options.who}> may write again.`;
    }),
});

export const kick = slash({
  name: "kick",
  description: "Send somebody away",
  defaultMemberPermissions: Permissions.KickMembers,
  options: [who, why],
  run: (ctx) =>
    moderate(ctx, Permissions.KickMembers, async () => {
      const { who, reason } = ctx.options;
      await rest.kickMember({ userId: who, reason: reasonOf(ctx, reason) });
      await record(`👢 <@${who}>. ${reasonOf(ctx, reason)}`);
      return `<@${who}> is gone.`;
    }),
});

export const ban = slash({
  name: "ban",
  description: "Send somebody away for good",
  defaultMemberPermissions: Permissions.BanMembers,
  options: [
    who,
    why,
    { name: "days", description: "Days of their messages to delete", type: "integer", minValue: 0, maxValue: 7 },
  ],
  run: (ctx) =>
    moderate(ctx, Permissions.BanMembers, async () => {
      const { who, reason, days = 0 } = ctx.options;
      await rest.banMember({
        userId: who,
        deleteMessageSeconds: days * DAY_SECONDS,
        reason: reasonOf(ctx, reason),
      });
      await record(`🔨 <@${who}>. ${reasonOf(ctx, reason)}`);
      return `<@${who}> is banned.`;
    }),
});

export const unban = slash({
  name: "unban",
  description: "Let somebody come back",
  defaultMemberPermissions: Permissions.BanMembers,
  options: [{ name: "id", description: "Their user id", type: "string", required: true }],
  run: (ctx) =>
    moderate(ctx, Permissions.BanMembers, async () => {
      await rest.unbanMember({ userId: ctx.options.id, reason: reasonOf(ctx, "pardoned") });
      return `<@${ctx.options.id}> may come back.`;
    }),
});
