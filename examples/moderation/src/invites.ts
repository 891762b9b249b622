// Messages with invites to other servers are deleted, unless a moderator writes them.
import { addWarning } from "./warnings";

const INVITE = /discord(?:\.gg|(?:app)?\.com\/invite)\/[\w-]+/i;
const MODERATORS = "Moderators";

export async function refuseInvites({ msg }: MessageContext): Promise<void> {
  if (msg.author.bot || !INVITE.test(msg.content)) return;
  if (await isModerator(msg.member?.roles ?? [])) return;
  await rest.deleteMessage({ channelId: msg.channelId, messageId: msg.id, reason: "an invite" });
  await rest.sendMessage({ channelId: msg.channelId, content: `<@${msg.author.id}>, no invites here, please.` });
  await addWarning(msg.author.id, "an invite");
}

/** Messages say which roles their author has, not what those may do: for that the guild is asked. */
async function isModerator(roles: readonly string[]): Promise<boolean> {
  const named = (await rest.listRoles()).filter(({ id }) => roles.includes(id));
  return named.some(
    ({ name, permissions }) => name === MODERATORS || (BigInt(permissions) & Permissions.ManageMessages) !== 0n,
  );
}
