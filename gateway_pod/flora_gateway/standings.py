"""How people stand in guilds, for the API, which lets nobody do anything in a guild without asking here.

Discord is asked over REST, with lanes of their own in the limiter: a script that uses up its guild's calls
does not keep the guild's admins out. A guild is remembered for minutes, because events tell when it changes,
a member for seconds, because not every bot hears of members. Who asks for the same at the same time waits for
the same answer.

All state belongs to the loop; an answer that was asked for before a change is not remembered after it.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, TypeVar

import msgspec
from msgspec import Raw, Struct

from flora_core.errors import FloraError
from flora_core.telemetry import logger
from flora_core.wire import UNREADABLE
from flora_core.wire.standing import ADMINISTRATOR, GuildName, Standing
from flora_gateway.rest.calls import Verdict
from flora_gateway.rest.transport import Response

GUILD_SECONDS: Final = 300.0
MEMBER_SECONDS: Final = 15.0
NOTHING_SECONDS: Final = 10.0
"""How long nothing stays nothing: bots are invited, and people join."""
GUILDS_KEPT: Final = 20_000
MEMBERS_KEPT: Final = 50_000
ASK_SECONDS: Final = 5.0
"""For an answer of Discord's, waiting included."""

EVERYTHING: Final = (1 << 64) - 1

_GUILD_CHANGED: Final = frozenset(
    ("GUILD_UPDATE", "GUILD_DELETE", "GUILD_ROLE_CREATE", "GUILD_ROLE_UPDATE", "GUILD_ROLE_DELETE")
)
_MEMBER_CHANGED: Final = frozenset(("GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE", "GUILD_BAN_ADD"))
TYPES: Final = _GUILD_CHANGED | _MEMBER_CHANGED | {"READY"}
"""Events to ``observe``."""

_log = logger(__name__)
T = TypeVar("T")

LookUp = Callable[[str, str], Awaitable[Verdict]]
"""Asks Discord for a guild, or with a user for a member of it."""


class CannotTell(FloraError):
    """Discord does not say now."""


class _Role(Struct):
    id: str
    permissions: str = "0"


class _Guild(Struct):
    id: str
    name: str = ""
    icon: str | None = None
    owner_id: str = ""
    roles: list[_Role] = []


class _Member(Struct):
    roles: list[str] = []


class _Changed(Struct):
    id: str = ""
    guild_id: str = ""
    user: Any = None


def permissions(guild: _Guild, user: str, member: _Member) -> int:
    """What ``member`` may do in the guild as a whole (Discord: topics/permissions, "base permissions")."""
    if guild.owner_id == user:
        return EVERYTHING
    theirs = {guild.id, *member.roles}  # @everyone's role has the guild's id
    bits = 0
    for role in guild.roles:
        if role.id in theirs:
            bits |= int(role.permissions)
    return EVERYTHING if bits & ADMINISTRATOR else bits


class _Kept(Generic[T]):
    """Answers by key, for a while, and the questions that are under way. None is an answer too."""

    def __init__(self, *, seconds: float, most: int, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._answers: OrderedDict[tuple[str, str], tuple[float, T | None]] = OrderedDict()
        self._asking: dict[tuple[str, str], asyncio.Task[T | None]] = {}

    async def get(self, guild: str, user: str, ask: Callable[[], Awaitable[T | None]]) -> T | None:
        key = guild, user
        kept = self._answers.get(key)
        if kept is not None and self._clock() < kept[0]:
            return kept[1]
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._ask(key, ask))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(task)  # others wait for it too

    async def _ask(self, key: tuple[str, str], ask: Callable[[], Awaitable[T | None]]) -> T | None:
        me = asyncio.current_task()
        try:
            answer = await ask()
            if self._asking.get(key) is me:
                seconds = NOTHING_SECONDS if answer is None else self._seconds
                self._answers[key] = self._clock() + seconds, answer
                self._answers.move_to_end(key)
                while len(self._answers) > self._most:
                    self._answers.popitem(last=False)
            return answer
        finally:
            if self._asking.get(key) is me:
                del self._asking[key]

    def forget(self, guild: str, user: str) -> None:
        """What is being asked for is not remembered either."""
        self._answers.pop((guild, user), None)
        self._asking.pop((guild, user), None)

    def forget_all(self) -> None:
        self._answers.clear()
        self._asking.clear()


class Standings:
    """Answers from memory or from Discord."""

    def __init__(
        self,
        look_up: LookUp,
        *,
        has: Callable[[str], bool | None] = lambda _guild: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``has``: whether the bot is in a guild; None when that is not known yet."""
        self._look_up = look_up
        self._has = has
        self._guilds = _Kept[_Guild](seconds=GUILD_SECONDS, most=GUILDS_KEPT, clock=clock)
        self._members = _Kept[_Member](seconds=MEMBER_SECONDS, most=MEMBERS_KEPT, clock=clock)

    async def of(self, guild: str, user: str) -> Standing | None:
        """How ``user`` stands there; None when the bot is not in that guild. Raises CannotTell."""
        if self._has(guild) is False:
            return None
        known = await self._guilds.get(guild, "", lambda: self._ask(guild, "", _Guild))
        if known is None:
            return None
        member = await self._members.get(guild, user, lambda: self._ask(guild, user, _Member))
        standing = Standing(guild, known.name, known.icon)
        if member is None:
            return standing
        return Standing(
            guild,
            known.name,
            known.icon,
            member=True,
            owner=known.owner_id == user,
            permissions=str(permissions(known, user, member)),
        )

    async def names(self, guilds: list[str]) -> list[GuildName]:
        """Those of ``guilds`` that the bot is in. Raises CannotTell."""
        asked = [guild for guild in guilds if self._has(guild) is not False]
        turns = asyncio.Semaphore(8)

        async def one(guild: str) -> _Guild | None:
            async with turns:
                return await self._guilds.get(guild, "", lambda: self._ask(guild, "", _Guild))

        try:
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(one(guild)) for guild in asked]
        except* CannotTell as group:
            raise group.exceptions[0] from None
        found = [task.result() for task in running]
        return [GuildName(known.id, known.name, known.icon) for known in found if known is not None]

    def observe(self, type_: str, data: Raw) -> None:
        """An event of one of ``TYPES``: what it changes is asked for anew."""
        if type_ == "READY":  # what was missed before it is not told again
            self._guilds.forget_all()
            self._members.forget_all()
            return
        try:
            changed = msgspec.json.decode(data, type=_Changed)
        except UNREADABLE as error:
            _log.warning("event_not_understood", type=type_, error=str(error))
            return
        guild = changed.guild_id or changed.id
        if type_ in _GUILD_CHANGED:
            self._guilds.forget(guild, "")
        elif isinstance(changed.user, dict):
            self._members.forget(guild, str(changed.user.get("id")))

    async def _ask(self, guild: str, user: str, kind: type[T]) -> T | None:
        """What Discord says; None for nothing of the kind. Raises CannotTell."""
        try:
            async with asyncio.timeout(ASK_SECONDS):
                verdict = await self._look_up(guild, user)
        except TimeoutError:
            raise CannotTell("Discord did not answer in time") from None
        if not isinstance(verdict, Response):
            raise CannotTell("Discord cannot be asked now")
        if verdict.status in {403, 404}:
            return None
        if verdict.status != 200:
            raise CannotTell(f"Discord answered {verdict.status}")
        try:
            return msgspec.json.decode(verdict.body, type=kind)
        except UNREADABLE:
            raise CannotTell("Discord's answer cannot be read") from None
