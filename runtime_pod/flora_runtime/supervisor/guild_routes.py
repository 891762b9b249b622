"""What a pod tells of its guilds, and does for them, when a tool asks: over HTTP, for the API's role alone.

    POST /v1/guilds/{guild}/kv/{call}      a KV op as a script would make it: kvGet, kvSet, kvList …
    GET  /v1/guilds/{guild}/crons          its jobs, with when they run
    POST /v1/guilds/{guild}/crons/run      {"name": …}: run one now; answers when the run has ended
    GET  /v1/guilds/{guild}/usage          what it used since it is here
    …    /v1/guilds/{guild}/backups…       ``backup_routes``

A key may be any text, and so may a job's name: they travel in bodies, where no proxy tidies them up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

import msgspec
from aiohttp import web
from msgspec import Struct

from flora_core.errors import InvalidInput
from flora_core.identity import Identities, Role, require
from flora_core.ids import GuildId, parse_guild_id
from flora_core.wire import UNREADABLE
from flora_core.wire.gateway import OpError
from flora_core.wire.guilds import (
    GUILD_MOVING,
    UNKNOWN_CRON,
    UNKNOWN_GUILD,
    CronJob,
    CronRan,
    KvUsage,
    RunCron,
    UsageRow,
    status_of,
)
from flora_runtime.kv import calls
from flora_runtime.kv.limits import GUILD_TOTAL_BYTES
from flora_runtime.supervisor.crons import Plan

MOVING_SECONDS: Final = 1.0
"""What whoever asks for a guild that moves is told to wait."""

ANSWER_SECONDS: Final = 30.0
"""A KV call that the database has not answered by then: the disk hangs."""


class Refused(Exception):
    """Carries what to answer."""

    def __init__(self, code: str, message: str, *, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.error = OpError(code, message, retry_after=retry_after)


class Pod(Protocol):
    """What the routes need of ``RuntimePod``."""

    def holds(self, guild: GuildId) -> bool: ...

    def moving(self, guild: GuildId) -> bool:
        """Whether it is on its way to another pod, or from one."""
        ...

    def kv_call(
        self, guild: GuildId, name: str, args: bytes, answer: Callable[[bool, bytes], None]
    ) -> None: ...

    def cron_plans(self, guild: GuildId) -> Mapping[str, Plan]: ...

    def usage(self, guild: GuildId, kv: KvUsage | None) -> UsageRow:
        """What a guild that is here used."""
        ...

    async def run_cron(self, guild: GuildId, name: str) -> CronRan:
        """Run a job and wait for its end; raises Refused."""
        ...


class GuildRoutes:
    """Adds its routes to ``app``."""

    def __init__(self, app: web.Application, pod: Pod, identities: Identities) -> None:
        self._pod = pod
        self._identities = identities
        app.router.add_post("/v1/guilds/{guild}/kv/{call}", answering(self._kv))
        app.router.add_get("/v1/guilds/{guild}/crons", answering(self._crons))
        app.router.add_post("/v1/guilds/{guild}/crons/run", answering(self._run_cron))
        app.router.add_get("/v1/guilds/{guild}/usage", answering(self._usage))

    async def _kv(self, request: web.Request) -> bytes:
        guild, name = await self.guild(request), request.match_info["call"]
        if name not in calls.TOOL_NAMES:
            raise Refused("INVALID_INPUT", f"{name[:40]!r} is none of {', '.join(sorted(calls.TOOL_NAMES))}")
        ok, body = await self._ask_kv(guild, name, await request.read() or b"{}")
        if not ok:
            error = msgspec.json.decode(body, type=OpError)
            raise Refused(error.code, error.message, retry_after=error.retry_after)
        return body

    async def _ask_kv(self, guild: GuildId, name: str, args: bytes) -> tuple[bool, bytes]:
        answered: asyncio.Future[tuple[bool, bytes]] = asyncio.get_running_loop().create_future()

        def answer(ok: bool, value: bytes) -> None:
            if not answered.done():
                answered.set_result((ok, value))

        self._pod.kv_call(guild, name, args, answer)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await answered
        except TimeoutError:
            raise Refused("KV_UNAVAILABLE", f"kv did not answer within {ANSWER_SECONDS:g} s") from None

    async def _crons(self, request: web.Request) -> bytes:
        plans = self._pod.cron_plans(await self.guild(request))
        jobs = [
            CronJob(name, plan.expression, plan.next, plan.last, plan.skip) for name, plan in plans.items()
        ]
        return msgspec.json.encode(jobs)

    async def _run_cron(self, request: web.Request) -> bytes:
        guild = await self.guild(request)
        name = _named(await request.read())
        known = sorted(self._pod.cron_plans(guild))
        if name not in known:
            raise Refused(UNKNOWN_CRON, no_such_job(name, known))
        return msgspec.json.encode(await self._pod.run_cron(guild, name))

    async def _usage(self, request: web.Request) -> bytes:
        guild = await self.guild(request)
        kv: KvUsage | None = None
        ok, body = await self._ask_kv(guild, "kvStores", b"{}")
        if ok:
            stores = msgspec.json.decode(body, type=list[_Store])
            size = sum(store.bytes for store in stores)
            kv = KvUsage(sum(store.keys for store in stores), size, GUILD_TOTAL_BYTES)
        if not self._pod.holds(guild):
            raise Refused(UNKNOWN_GUILD, f"guild {guild} is not on this pod")
        return msgspec.json.encode(self._pod.usage(guild, kv))

    async def guild(self, request: web.Request) -> GuildId:
        """The guild of the path, for those who may ask; raises Refused when it is not here."""
        await require(request, self._identities, role=Role.API)
        try:
            guild = parse_guild_id(request.match_info["guild"], field="guild")
        except InvalidInput as error:
            raise Refused("INVALID_INPUT", str(error)) from None
        if self._pod.moving(guild):
            text = f"guild {guild} is moving to another pod; try again in a moment"
            raise Refused(GUILD_MOVING, text, retry_after=MOVING_SECONDS)
        if not self._pod.holds(guild):
            raise Refused(UNKNOWN_GUILD, f"guild {guild} is not on this pod")
        return guild


class _Store(Struct):
    """One of ``kvStores``."""

    keys: int
    bytes: int


def no_such_job(name: str, known: list[str]) -> str:
    """Which jobs there are instead."""
    has = f"the script has {', '.join(known)}" if known else "the script has none"
    return f"there is no cron job {name[:80]!r}; {has}"


def _named(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=RunCron).name
    except UNREADABLE as error:
        raise Refused("INVALID_INPUT", f'write {{"name": …}}: {error}') from None


def answering(
    answer: Callable[[web.Request], Awaitable[bytes]],
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A handler that answers with JSON, be it a refusal."""

    async def handler(request: web.Request) -> web.Response:
        try:
            body, status = await answer(request), 200
        except Refused as refused:
            body, status = msgspec.json.encode(refused.error), status_of(refused.error)
        return web.Response(body=body, status=status, content_type="application/json")

    return handler
