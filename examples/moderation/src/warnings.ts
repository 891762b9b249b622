// Warnings: kept for thirty days, and every third one is a time-out.
import { silence } from "./members";
import { moderate, reasonOf, record, who, why } from "./moderate";

const KEPT_SECONDS = 30 * 86_400;
const PATIENCE = 3;
const TIMEOUT_MINUTES = 60;

const store = kv.store("warnings");

/** Warn a member; how many warnings that makes. */
export async function addWarning(userId: string, reason: string): Promise<number> {
  // The time makes keys that sort, the random part keys that differ.
  const key = `${userId}/${Date.now()}-${Math.random().toString(36).slice(2, 8)}`;
  await store.set(key, reason, { ttl: KEPT_SECONDS });
  const count = await store.count({ prefix: `${userId}/` });
  await record(`⚠️ <@${userId}> (${count}). ${reason}`);
  if (count % PATIENCE === 0) await silence(userId, TIMEOUT_MINUTES, `${count} warnings`);
  return count;
}

export const warn = slash({
  name: "warn",
  description: "Warn somebody",
  defaultMemberPermissions: Permissions.ModerateMembers,
  options: [who, { ...why, required: true }],
  run: (ctx) =>
    moderate(ctx, Permissions.ModerateMembers, async () => {
      const { who, reason } = ctx.options;
      const count = await addWarning(who, reasonOf(ctx, reason));
      return count % PATIENCE === 0
        ? `<@${who}> has ${count} warnings, and ${TIMEOUT_MINUTES} min to think about them.`
        : `<@${who}> has ${count} of ${PATIENCE} warnings.`;
    }),
});

export const warnings = slash({
  name: "warnings",
  description: "Somebody's warnings",
  defaultMemberPermissions: Permissions.ModerateMembers,
  options: [who],
  run: (ctx) =>
    moderate(ctx, Permissions.ModerateMembers, async () => {
      const { keys } = await store.list({ prefix: `${ctx.options.who}/`, limit: 20 });
      const reasons = await Promise.all(keys.map(({ name }) => store.get(name)));
      return reasons.map((reason, i) => `${i + 1}. ${reason}`).join("\n") || "None.";
    }),
});

export const forgive = slash({
  name: "forgive",
  description: "Forget somebody's warnings",
  defaultMemberPermissions: Permissions.ModerateMembers,
  options: [who],
  run: (ctx) =>
    moderate(ctx, Permissions.ModerateMembers, async () => {
      const count = await store.clear({ prefix: `${ctx.options.who}/` });
      return `${count} forgotten.`;
    }),
});
