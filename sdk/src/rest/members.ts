// Members, their roles, and bans.

import { method, methodOfGuild, optionalId, query, reasonOf, textOf, whole } from "./arguments.ts";
import { act, ask } from "./calls.ts";
import { guildPath } from "./commands.ts";
import { id } from "./ids.ts";
import { payloadOf } from "./payload.ts";

/** Discord: seven days. */
const LONGEST_DELETE_SECONDS = 604_800;

function userPath(input: { guildId?: string; userId: string }): { guild: string; user: string } {
  return { guild: guildPath(input).guild, user: id(input.userId, "user_id") };
}

function rolePath(input: flora.RawMemberRole): { guild: string; user: string; role: string } {
  const { guild, user } = userPath(input);
  return { guild, user, role: id(input.roleId, "role_id") };
}

export const members: Pick<
  flora.Rest,
  | "fetchMember"
  | "listMembers"
  | "searchMembers"
  | "kickMember"
  | "banMember"
  | "unbanMember"
  | "fetchBan"
  | "listBans"
  | "addMemberRole"
  | "removeMemberRole"
  | "editMember"
  | "editCurrentMember"
> = {
  fetchMember: method((input) => ask("fetchMember", { path: userPath(input) })),
  listMembers: methodOfGuild((input: flora.RawListMembers) =>
    ask("listMembers", {
      path: guildPath(input),
      query: {
        limit: query(whole(input.limit, "limit", 1, 1000)),
        after: query(optionalId(input.after, "after")),
      },
    }),
  ),
  searchMembers: method((input) =>
    ask("searchMembers", {
      path: guildPath(input),
      query: { query: textOf(input.query, "query"), limit: query(whole(input.limit, "limit", 1, 1000)) },
    }),
  ),
  kickMember: method((input) => act("kickMember", { path: userPath(input), reason: reasonOf(input) })),
  banMember: method((input) => {
    const seconds = whole(input.deleteMessageSeconds, "delete_message_seconds", 0, LONGEST_DELETE_SECONDS);
    const body = { delete_message_seconds: seconds ?? 0 };
    return act("banMember", { path: userPath(input), body, reason: reasonOf(input) });
  }),
  unbanMember: method((input) => act("unbanMember", { path: userPath(input), reason: reasonOf(input) })),
  fetchBan: method((input) => ask("fetchBan", { path: userPath(input) })),
  listBans: methodOfGuild((input: flora.RawListBans) =>
    ask("listBans", {
      path: guildPath(input),
      query: {
        limit: query(whole(input.limit, "limit", 1, 1000)),
        before: query(optionalId(input.before, "before")),
        after: query(optionalId(input.after, "after")),
      },
    }),
  ),
  addMemberRole: method((input) => act("addMemberRole", { path: rolePath(input), reason: reasonOf(input) })),
  removeMemberRole: method((input) => act("removeMemberRole", { path: rolePath(input), reason: reasonOf(input) })),
  editMember: method((input) =>
    ask("editMember", { path: userPath(input), body: payloadOf(input), reason: reasonOf(input) }),
  ),
  editCurrentMember: method((input) =>
    ask("editCurrentMember", { path: guildPath(input), body: payloadOf(input), reason: reasonOf(input) }),
  ),
};
