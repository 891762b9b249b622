// Who comes and goes, and roles that become powerful, for the moderators to read.
import { record } from "./moderate";

const YOUNG_DAYS = 7;
const POWERFUL: [name: string, bit: bigint][] = [
  ["Administrator", Permissions.Administrator],
  ["Manage server", Permissions.ManageGuild],
  ["Manage roles", Permissions.ManageRoles],
  ["Ban members", Permissions.BanMembers],
];

export async function welcome({ msg }: { msg: EventGuildMember }): Promise<void> {
  if (msg.user.bot) return;
  const days = Math.floor((Date.now() - createdAt(msg.user.id)) / 86_400_000);
  const note = days < YOUNG_DAYS ? `, with an account of ${days} days` : "";
  await record(`📥 <@${msg.user.id}> came${note}.`);
}

export async function farewell({ msg }: { msg: EventGuildUser }): Promise<void> {
  if (!msg.user.bot) await record(`📤 <@${msg.user.id}> is no longer here.`);
}

export async function watchRole({ msg }: { msg: EventRole }): Promise<void> {
  const bits = BigInt(msg.role.permissions);
  const powers = POWERFUL.filter(([, bit]) => (bits & bit) !== 0n).map(([name]) => name);
  if (powers.length > 0) await record(`⚠️ The role ${msg.role.name} may: ${powers.join(", ")}.`);
}

/** Ids of Discord's begin with when they were made, in milliseconds since 2015. */
function createdAt(id: string): number {
  return Number(BigInt(id) >> 22n) + 1_420_070_400_000;
}
