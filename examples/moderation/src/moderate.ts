// What all commands of moderators share: who may, on whom, what is said, and what is written down.

/** A command's context, as far as it matters here. */
export type Asked = Pick<InteractionContext, "msg" | "reply" | "defer" | "resolved">;

/** Whether the member who asked has a permission in this channel. Discord sends them along with each command. */
export function has(member: EventMember | undefined, permission: bigint): boolean {
  const bits = BigInt(member?.permissions ?? "0");
  return (bits & (permission | Permissions.Administrator)) !== 0n;
}

/**
 * Do `act` if the member may, and answer with what it returns. `defaultMemberPermissions` only hides a command,
 * and an admin may show it to anybody: so the right itself is looked at, too.
 */
export async function moderate(ctx: Asked, permission: bigint, act: () => Promise<string>): Promise<void> {
  if (!has(ctx.msg.member, permission)) {
    await ctx.reply({ content: "You may not do that here.", ephemeral: true });
    return;
  }
  await ctx.defer({ ephemeral: true });
  try {
    await ctx.reply(await act());
  } catch (error) {
    await ctx.reply(explain(error));
  }
}

/** Why it did not work, for a person. What is nobody's fault goes on to the log. */
function explain(error: unknown): string {
  if (!(error instanceof FloraError)) throw error;
  if (error.status === 403) return "I may not do that: my role must be higher than theirs, and have the permission.";
  if (error.status === 404) return "I cannot find that.";
  if (error.code === "DISCORD_RATE_LIMITED") return `Too much at once; try again in ${error.retryAfter ?? 10} s.`;
  return error.message;
}

/** What the guild's audit log says: Discord would name the bot alone. */
export function reasonOf(ctx: Asked, reason: string | undefined): string {
  return `${ctx.msg.user.username}: ${reason ?? "no reason given"}`.slice(0, 512);
}

/** Write into the channel called "mod-log", if there is one. */
export async function record(text: string): Promise<void> {
  const channel = (await rest.listChannels()).find(({ name }) => name === "mod-log");
  if (channel) await rest.sendMessage({ channelId: channel.id, content: text, allowedMentions: { parse: [] } });
}

export const who = { name: "who", description: "Whom", type: "user", required: true } as const;
export const why = { name: "reason", description: "Why", type: "string", maxLength: 300 } as const;
