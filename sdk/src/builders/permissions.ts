// Discord's permission bits by name.

import { BigIntIntrinsic, ObjectFreeze, StringIndexOf, StringSlice } from "../prelude/primordials.ts";

/** One name a bit from bit 0 on; a gap where Discord has none. */
const PERMISSIONS =
  "CreateInstantInvite,KickMembers,BanMembers,Administrator,ManageChannels,ManageGuild,AddReactions,ViewAuditLog," +
  "PrioritySpeaker,Stream,ViewChannel,SendMessages,SendTTSMessages,ManageMessages,EmbedLinks,AttachFiles," +
  "ReadMessageHistory,MentionEveryone,UseExternalEmojis,ViewGuildInsights,Connect,Speak,MuteMembers,DeafenMembers," +
  "MoveMembers,UseVAD,ChangeNickname,ManageNicknames,ManageRoles,ManageWebhooks,ManageGuildExpressions," +
  "UseApplicationCommands,RequestToSpeak,ManageEvents,ManageThreads,CreatePublicThreads,CreatePrivateThreads," +
  "UseExternalStickers,SendMessagesInThreads,UseEmbeddedActivities,ModerateMembers," +
  "ViewCreatorMonetizationAnalytics,UseSoundboard,CreateGuildExpressions,CreateEvents,UseExternalSounds," +
  "SendVoiceMessages,,,SendPolls,UseExternalApps,PinMessages,BypassSlowmode";

export const Permissions: typeof flora.Permissions = ObjectFreeze(bits(PERMISSIONS)) as typeof flora.Permissions;

function bits(names: string): Record<string, bigint> {
  const out: Record<string, bigint> = {};
  let bit = BigIntIntrinsic(1);
  for (let from = 0; from < names.length; bit *= BigIntIntrinsic(2)) {
    const comma = StringIndexOf(names, ",", from);
    const to = comma === -1 ? names.length : comma;
    if (to > from) out[StringSlice(names, from, to)] = bit;
    from = to + 1;
  }
  return out;
}
