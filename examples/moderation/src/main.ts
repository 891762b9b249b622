// Moderation: warnings that add up, time-outs, kicks, bans, clearing and closing channels, no invites of strangers,
// and a look at who comes, who goes, and which roles become powerful.
import { ban, kick, timeout, unban, untimeout } from "./members";
import { lock, purge, slowmode, unlock } from "./channels";
import { refuseInvites } from "./invites";
import { forgive, warn, warnings } from "./warnings";
import { farewell, watchRole, welcome } from "./watch";

createBot({
  slashCommands: [warn, warnings, forgive, timeout, untimeout, kick, ban, unban, purge, slowmode, lock, unlock],
});

on("messageCreate", refuseInvites);
on("memberAdd", welcome);
on("memberRemove", farewell);
on("roleCreate", watchRole);
on("roleUpdate", watchRole);
