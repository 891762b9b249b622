"""Registering application commands: every route that Discord has for it, where SimCord has two.

Commands live in SimCord's table by scope (a guild, or None for global ones); a command keeps its id as
long as its name and type stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flora_simulator import command_rules
from flora_simulator.live_backend import LiveBackend
from flora_simulator.routing import Call, Endpoint
from flora_simulator.simcord_port import AppCommandType, BackendError, errors

Json = dict[str, Any]
Scope = int | None

_FIELDS: Final = (
    "name",
    "name_localizations",
    "description",
    "description_localizations",
    "options",
    "default_member_permissions",
    "dm_permission",
    "contexts",
    "integration_types",
    "nsfw",
    "type",
    "handler",
)
_GLOBAL: Final = "/applications/{application_id}/commands"
_GUILD: Final = "/applications/{application_id}/guilds/{guild_id}/commands"
_UNKNOWN: Final = 10063


def command_endpoints(backend: LiveBackend) -> list[Endpoint]:
    """List, get, upsert, edit, delete and overwrite, for global and guild commands; who may use them."""
    commands = Commands(backend)
    return [
        Endpoint("GET", f"{_GUILD}/permissions", commands.list_permissions),
        Endpoint("PUT", f"{_GUILD}/{{command_id}}/permissions", commands.set_permissions),
        *(
            Endpoint(method, template + suffix, run)
            for template in (_GLOBAL, _GUILD)
            for method, suffix, run in (
                ("GET", "", commands.list),
                ("PUT", "", commands.overwrite),
                ("POST", "", commands.upsert),
                ("GET", "/{command_id}", commands.get),
                ("PATCH", "/{command_id}", commands.edit),
                ("DELETE", "/{command_id}", commands.delete),
            )
        ),
    ]


class Commands:
    """The application's commands."""

    def __init__(self, backend: LiveBackend) -> None:
        self._backend = backend

    def list(self, call: Call) -> list[Json]:
        """Every command of the scope."""
        return [*self._table(call).values()]

    def get(self, call: Call) -> Json:
        """One command."""
        return self._find(call)[1]

    def overwrite(self, call: Call) -> list[Json]:
        """Make the scope's commands exactly those given."""
        payloads = call.json if isinstance(call.json, list) else []
        command_rules.check(payloads)
        before = self._table(call)
        after = [self._stored(call, payload, before) for payload in payloads]
        self._backend.commands[_scope(call)] = {(c["name"], c["type"]): c for c in after}
        return after

    def upsert(self, call: Call) -> Json:
        """Create a command, or replace the one of that name and type."""
        table = self._table(call)
        payload = call.body
        key = payload.get("name"), payload.get("type", 1)
        others = [command for other, command in table.items() if other != key]
        command_rules.check([payload, *others])
        stored = self._stored(call, payload, table)
        self._backend.commands[_scope(call)] = {**table, (stored["name"], stored["type"]): stored}
        return stored

    def edit(self, call: Call) -> Json:
        """Change some fields of a command."""
        key, command = self._find(call)
        table = self._table(call)
        changed = {**command, **{name: call.body[name] for name in _FIELDS if name in call.body}}
        command_rules.check([changed, *(other for name, other in table.items() if name != key)])
        changed["version"] = str(self._backend.snowflake())
        replaced = {(c["name"], c["type"]): c for c in ({**table, key: changed}).values()}
        self._backend.commands[_scope(call)] = replaced
        return changed

    def delete(self, call: Call) -> None:
        """Remove a command."""
        key, _ = self._find(call)
        del self._backend.commands[_scope(call)][key]

    def list_permissions(self, call: Call) -> list[Json]:
        """What was set for the guild's commands."""
        self._table(call)
        guild = int(call.args["guild_id"])
        return [
            _permissions(call, str(command), permissions)
            for (owner, command), permissions in self._backend.command_permissions.items()
            if owner == guild
        ]

    def set_permissions(self, call: Call) -> Json:
        """Overwrite them for one command. Discord does this for people only; here the bot may, too."""
        _, command = self._find(call)
        permissions: Any = call.body.get("permissions")
        if not isinstance(permissions, list):
            raise BackendError(400, 50035, "Invalid Form Body: permissions: This field is required")
        self._backend.set_command_permissions(int(call.args["guild_id"]), int(command["id"]), permissions)
        return _permissions(call, command["id"], permissions)

    def _table(self, call: Call) -> Mapping[tuple[str, int], Json]:
        if call.args["application_id"] != str(self._backend.application_id):
            raise BackendError(
                403, 20012, "You are not authorized to perform this action on this application"
            )
        scope = _scope(call)
        if scope is not None and scope not in self._backend.guilds:
            raise errors.missing_access()
        return self._backend.commands.get(scope, {})

    def _find(self, call: Call) -> tuple[tuple[str, int], Json]:
        for key, command in self._table(call).items():
            if command["id"] == call.args["command_id"]:
                return key, command
        raise BackendError(404, _UNKNOWN, "Unknown application command")

    def _stored(self, call: Call, payload: Json, before: Mapping[tuple[str, int], Json]) -> Json:
        kind = AppCommandType(payload.get("type", 1)).value
        previous = before.get((payload["name"], kind))
        stored = {
            "id": previous["id"] if previous is not None else str(self._backend.snowflake()),
            "application_id": str(self._backend.application_id),
            "version": str(self._backend.snowflake()),
            "default_member_permissions": None,
            "dm_permission": True,
            "nsfw": False,
            "description": "",
            "options": [],
        }
        stored |= {name: payload[name] for name in _FIELDS if payload.get(name) is not None}
        stored["type"] = kind
        if (guild := call.args.get("guild_id")) is not None:
            stored["guild_id"] = guild
        return stored


def _permissions(call: Call, command: str, permissions: list[Json]) -> Json:
    return {
        "id": command,
        "application_id": call.args["application_id"],
        "guild_id": call.args["guild_id"],
        "permissions": permissions,
    }


def _scope(call: Call) -> Scope:
    guild = call.args.get("guild_id")
    return int(guild) if guild is not None else None
