// The guild itself: its settings, roles, channels, invites and audit log.

import { method, methodOfGuild, optionalId, permissionBits, query, reasonOf, whole } from "./arguments.ts";
import { invalidInput } from "../prelude/errors.ts";
import { ArrayIsArray, isObject, mapList } from "../prelude/primordials.ts";
import { act, ask } from "./calls.ts";
import { guildPath } from "./commands.ts";
import { id } from "./ids.ts";
import { payloadOf } from "./payload.ts";

type OfGuild = { guildId?: string };

function rolePath(input: OfGuild & { roleId: string }): { guild: string; role: string } {
  return { guild: guildPath(input).guild, role: id(input.roleId, "role_id") };
}

/** A role's payload; permissions may be a list of `Permissions`. */
function rolePayload(input: { payload?: unknown }): object {
  const body = payloadOf(input);
  if (ArrayIsArray(body.permissions)) body.permissions = permissionBits(body.permissions, "permissions");
  return body;
}

function positions(list: unknown): object[] {
  if (!ArrayIsArray(list)) throw invalidInput("positions", "must be a list of roles and positions");
  return mapList(list, (entry, i) => {
    if (!isObject(entry)) throw invalidInput(`positions[${i}]`, "must be an object");
    const { roleId, id: named, position } = entry as { roleId?: unknown; id?: unknown; position?: unknown };
    return { id: id(roleId ?? named, "role_id"), position: whole(position, "position", 0, 1000) };
  });
}

function listed<T>(name: string): (input?: OfGuild) => Promise<T> {
  return methodOfGuild((input: OfGuild) => ask<T>(name, { path: guildPath(input) }));
}

export const guild: Pick<
  flora.Rest,
  | "fetchGuild"
  | "editGuild"
  | "listChannels"
  | "listActiveThreads"
  | "listRoles"
  | "createRole"
  | "editRole"
  | "editRolePositions"
  | "deleteRole"
  | "listGuildWebhooks"
  | "listInvites"
  | "fetchAuditLog"
> = {
  fetchGuild: methodOfGuild((input: OfGuild & { withCounts?: boolean }) =>
    ask("fetchGuild", { path: guildPath(input), query: { with_counts: query(input.withCounts) } }),
  ),
  editGuild: method((input) =>
    ask("editGuild", { path: guildPath(input), body: payloadOf(input), reason: reasonOf(input) }),
  ),
  listChannels: listed("listChannels"),
  listActiveThreads: listed("listActiveThreads"),
  listRoles: listed("listRoles"),
  createRole: method((input) =>
    ask("createRole", { path: guildPath(input), body: rolePayload(input), reason: reasonOf(input) }),
  ),
  editRole: method((input) =>
    ask("editRole", { path: rolePath(input), body: rolePayload(input), reason: reasonOf(input) }),
  ),
  editRolePositions: method((input) =>
    ask("editRolePositions", {
      path: guildPath(input),
      body: positions(input.positions),
      reason: reasonOf(input),
    }),
  ),
  deleteRole: method((input) => act("deleteRole", { path: rolePath(input), reason: reasonOf(input) })),
  listGuildWebhooks: listed("listGuildWebhooks"),
  listInvites: listed("listInvites"),
  fetchAuditLog: methodOfGuild((input: flora.RawFetchAuditLog) =>
    ask("fetchAuditLog", {
      path: guildPath(input),
      query: {
        user_id: query(optionalId(input.userId, "user_id")),
        action_type: query(whole(input.actionType, "action_type", 1, 1000)),
        before: query(optionalId(input.before, "before")),
        after: query(optionalId(input.after, "after")),
        limit: query(whole(input.limit, "limit", 1, 100)),
      },
    }),
  ),
};
