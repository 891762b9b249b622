// Moderation: warnings that add up, time-outs, kicks, bans, clearing and closing channels, no invites of strangers.
import { ban, kick, timeout, unban, untimeout } from "./members";
import { lock, purge, slowmode, unlock } from "./channels";
import { refuseInvites } from "./invites";
import { forgive, warn, warnings } from "./warnings";

createBot({
  slashCommands: [warn, warnings, forgive, timeout, untimeout, kick, ban, unban, purge, slowmode, lock, unlock],
});

on("messageCreate", refuseInvites);
