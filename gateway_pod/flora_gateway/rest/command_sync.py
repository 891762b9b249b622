"""Overwrites a guild's slash commands only when they differ from what the guild has.

Scripts register their commands each time they load, and Discord allows 200 command creations a guild a
day: a crash-looping script would spend them in an hour. So the guild's commands are fetched once, and
kept for the life of the process together with what was last put there. One guild's registrations are
handled one after the other; another guild's do not wait for them.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple, cast

import msgspec

from flora_core.errors import InvalidInput
from flora_core.wire import UNREADABLE
from flora_gateway.rest.calls import Refused, Verdict, Why
from flora_gateway.rest.transport import Response

KEPT_BYTES: Final = 64 << 20
"""Memory for command lists; those of guilds beyond it, the least recently used, are fetched again."""
WAITING: Final = 4
"""Registrations of one guild that may wait for one under way."""
MOST_NESTED: Final = 20
"""Commands, groups, subcommands, options and choices make ten levels of JSON."""

_SERVER_FILLED: Final = frozenset(
    ("id", "application_id", "version", "guild_id", "name_localized", "description_localized")
)
_COMMAND_DEFAULTS: Final[dict[str, Any]] = {
    "type": 1,
    "default_permission": True,
    "description": "",
    "dm_permission": True,
    "integration_types": [0],
}
"""What Discord fills in at the top level, beside null, false and empty lists."""

_UNORDERED: Final = frozenset(("channel_types", "contexts", "integration_types"))

Command = dict[str, Any]
OnVerdict = Callable[[Verdict], None]
Get = Callable[[str, float, OnVerdict], None]
"""Fetches a guild's commands, by a deadline on the loop's clock."""
Put = Callable[[str, bytes, float, OnVerdict], None]
"""Overwrites them."""

_decode_commands: Final = msgspec.json.Decoder(list[Command]).decode


def commands_differ(wanted: list[Command], existing: list[Command]) -> bool:
    """Whether putting ``wanted`` would change ``existing``.

    Fields that Discord fills in and defaults that it spells out do not count; nor does the order of the
    commands. The order of options and choices does: it is what people see. Raises InvalidInput when either
    is nested more deeply than commands can be.
    """
    return len(wanted) != len(existing) or _by_name(wanted) != _by_name(existing)


def _by_name(commands: list[Command]) -> dict[tuple[str, str], Command]:
    shorter = [_without_defaults(command) for command in commands]
    return {(repr(command.get("type")), repr(command.get("name"))): command for command in shorter}


def _without_defaults(command: Command) -> Command:
    fields = {
        name: value
        for name, value in command.items()
        if name not in _COMMAND_DEFAULTS or value != _COMMAND_DEFAULTS[name]
    }
    permissions = fields.get("default_member_permissions")
    if isinstance(permissions, int) and not isinstance(permissions, bool):
        fields["default_member_permissions"] = str(permissions)
    return _significant("", fields)


def _significant(name: str, value: Any, depth: int = 0) -> Any:
    """``value`` of the field ``name`` without what Discord fills in."""
    if depth > MOST_NESTED:
        raise InvalidInput(f"body: commands are nested more than {MOST_NESTED} deep")
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        items = (
            (key, _significant(key, item, depth + 1))
            for key, item in fields.items()
            if key not in _SERVER_FILLED or name.endswith("_localizations")
        )
        return {key: item for key, item in items if not _empty(item)}
    if isinstance(value, list):
        parts = [_significant("", item, depth + 1) for item in cast("list[Any]", value)]
        return sorted(parts, key=repr) if name in _UNORDERED else parts
    return value


def _empty(value: Any) -> bool:
    return value is None or value is False or value in ([], {})


def parse_commands(body: bytes) -> list[Command]:
    """A list of commands that can be compared; raises InvalidInput."""
    try:
        commands = _decode_commands(body)
    except UNREADABLE as error:
        raise InvalidInput(f"body: should be a list of commands: {error}") from None
    _by_name(commands)
    return commands


class _Known(NamedTuple):
    commands: bytes
    """What was fetched, or what was put: comparing with the latter sees through what Discord made of it."""
    result: bytes
    """Discord's list, for whoever puts the same again."""

    @property
    def size(self) -> int:
        return len(self.commands) + len(self.result)


class _Registration(NamedTuple):
    commands: list[Command]
    body: bytes
    give_up_at: float
    on_verdict: OnVerdict


class CommandSync:
    """Puts commands where they differ. A callback machine; ``get`` and ``put`` make the calls."""

    def __init__(self, get: Get, put: Put, *, kept_bytes: int = KEPT_BYTES) -> None:
        self._get = get
        self._put = put
        self._kept_bytes = kept_bytes
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._bytes = 0
        self._queues: dict[str, deque[_Registration]] = {}

    def upsert(self, guild: str, body: bytes, give_up_at: float, on_verdict: OnVerdict) -> None:
        """See to it that ``guild`` has exactly the commands in ``body``; the verdict's body is the list
        that it then has. Raises InvalidInput when ``body`` is no list of commands."""
        registration = _Registration(parse_commands(body), body, give_up_at, on_verdict)
        queue = self._queues.get(guild)
        if queue is None:
            self._queues[guild] = deque((registration,))
            self._begin(guild)
        elif len(queue) > WAITING:
            on_verdict(Refused(Why.QUEUE_FULL))
        else:
            queue.append(registration)

    def forget(self, guild: str) -> None:
        """The bot left: its commands there are gone."""
        known = self._known.pop(guild, None)
        if known is not None:
            self._bytes -= known.size

    def _begin(self, guild: str) -> None:
        if guild in self._known:
            self._compare(guild)
        else:
            registration = self._queues[guild][0]
            self._get(guild, registration.give_up_at, lambda verdict: self._fetched(guild, verdict))

    def _fetched(self, guild: str, verdict: Verdict) -> None:
        if isinstance(verdict, Response) and verdict.status == 200:
            try:
                parse_commands(verdict.body)
            except InvalidInput:
                self._settle(guild, verdict)
                return
            self._remember(guild, _Known(verdict.body, verdict.body))
            self._compare(guild)
        else:
            self._settle(guild, verdict)

    def _compare(self, guild: str) -> None:
        known = self._known[guild]
        self._known.move_to_end(guild)
        registration = self._queues[guild][0]
        if commands_differ(registration.commands, _decode_commands(known.commands)):
            body, give_up_at = registration.body, registration.give_up_at
            self._put(guild, body, give_up_at, lambda verdict: self._written(guild, verdict))
        else:
            self._settle(guild, Response(200, {}, known.result))

    def _written(self, guild: str, verdict: Verdict) -> None:
        self.forget(guild)  # whether or not it was carried out, what was known is not known any more
        if isinstance(verdict, Response) and verdict.status == 200:
            self._remember(guild, _Known(self._queues[guild][0].body, verdict.body))
        self._settle(guild, verdict)

    def _settle(self, guild: str, verdict: Verdict) -> None:
        queue = self._queues[guild]
        registration = queue.popleft()
        if queue:
            self._begin(guild)
        else:
            del self._queues[guild]
        registration.on_verdict(verdict)

    def _remember(self, guild: str, known: _Known) -> None:
        self.forget(guild)
        self._known[guild] = known
        self._bytes += known.size
        while self._bytes > self._kept_bytes and len(self._known) > 1:
            _, oldest = self._known.popitem(last=False)
            self._bytes -= oldest.size
