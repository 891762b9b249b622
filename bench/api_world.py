"""``flora-api`` as a process, and all that it needs: a Postgres with revisions, a Redis, a cluster's objects.

Postgres and Redis are real, on the core that feeds. The gateway says that everybody manages his guild, the
API server lists the objects and never tells of a change, the operator is alive and has no routes: those three
are this process.
"""

from __future__ import annotations

import asyncio
import base64
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
import msgspec
from aiohttp import web

from bench.flora import LOCALHOST, POD, Control, until_ready
from bench.machine import cores, pinned
from bench.processes import Child, python, running, start
from cluster.kubeconfig import Access, write
from flora_api.auth.discord import User
from flora_api.auth.people import remember
from flora_api.auth.tokens import TokenParts, make_token
from flora_api.deployments.revisions import pack, source_digest, source_of
from flora_api.principal import Right
from flora_core.control.server import ControlServer
from flora_core.control.state import DesiredState
from flora_core.database import Database
from flora_core.identity import Identity, Role, StaticIdentities
from flora_core.ids import GuildId
from flora_core.manifest import API_VERSION, KIND
from flora_core.wire.control import Assignment
from flora_core.wire.standing import Standing
from tests.integration.postgres_server import PostgresServer
from tests.integration.redis_server import RedisServer

NAMESPACE: Final = "bench"
ENTRY: Final = "src/main.ts"
REVISIONS_A_GUILD: Final = 10
READY_SECONDS: Final = 60.0
FILL_SECONDS: Final = 180.0

FILES: Final = {
    ENTRY: 'import { greet } from "./greet";\n\n'
    'on("messageCreate", async (ctx) => {\n  await ctx.reply(greet(ctx));\n});\n',
    "src/greet.ts": "export const greet = (ctx: MessageContext) => `hello, ${ctx.msg.author.username}`;\n"
    * 8,
}
"""What each of the guilds runs: a small script of two files."""


def guild_of(number: int) -> GuildId:
    return GuildId(str(10**17 + number * 7919))


def user_of(number: int) -> str:
    return str(2 * 10**17 + number * 7919)


class Callers:
    """So many people with a token each for a guild each, spread evenly over ``guilds``."""

    def __init__(self, count: int, guilds: int) -> None:
        self._apart = guilds // count
        self.tokens: Final = [make_token() for _ in range(count)]

    def guild(self, number: int) -> GuildId:
        return guild_of(number * self._apart)

    def address(self, number: int) -> str:
        return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"

    def headers(self, number: int) -> str:
        """Of one's requests, as a proxy of ours passes them on."""
        return f"Authorization: Bearer {self.tokens[number]}\r\nX-Forwarded-For: {self.address(number)}\r\n"


# ---------------------------------------------------------------- stores


@asynccontextmanager
async def postgres() -> AsyncGenerator[str]:
    """A migrated Postgres' URL, on the feeding core."""
    folder = _open_folder()
    with pinned(cores().feeding):
        server = await asyncio.to_thread(PostgresServer, folder / "server")
        try:
            server.start()  # from this thread, whose core it gets
            async with await Database.open(server.url()) as database:
                await database.migrate()
            yield server.url()
        finally:
            server.kill()
            shutil.rmtree(folder, ignore_errors=True)


def _open_folder() -> Path:
    """That Postgres' own user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="flora-bench-postgres-"))
    folder.chmod(0o755)
    return folder


@asynccontextmanager
async def redis(folder: Path) -> AsyncGenerator[str]:
    """A Redis' URL, on the feeding core."""
    with pinned(cores().feeding):
        server = RedisServer(folder)
        try:
            server.start()
            yield server.url
        finally:
            server.kill()


async def fill(url: str, guilds: int, callers: Callers) -> None:
    """Ten revisions of each guild, all but one good; ``callers`` with their tokens."""
    connection = await asyncpg.connect(url)
    try:
        await _fill_revisions(connection, guilds)
        for number, token in enumerate(callers.tokens):
            await _admit(connection, user_of(number), token, [callers.guild(number)])
    finally:
        await connection.close()


async def admit(url: str) -> str:
    """The token of somebody new, for all of his guilds."""
    token = make_token()
    connection = await asyncpg.connect(url)
    try:
        await _admit(connection, user_of(10**6), token, None)
    finally:
        await connection.close()
    return str(token)


async def _admit(
    connection: asyncpg.Connection, user: str, token: TokenParts, guilds: list[GuildId] | None
) -> None:
    await remember(connection, User(user, "ada", None, None), [])
    await connection.execute(
        """
        INSERT INTO api_tokens (token_id, user_id, secret_sha256, guilds, scopes, expires_at)
        VALUES ($1, $2, $3, $4, $5, now() + interval '1 day')
        """,
        token.id,
        user,
        token.sha256,
        guilds,
        [right.value for right in Right],
    )


async def _fill_revisions(connection: asyncpg.Connection, guilds: int) -> None:
    changes = msgspec.json.encode({"added_files": [], "removed_files": [], "modified_files": [ENTRY]})
    await connection.execute(
        """
        INSERT INTO revisions (guild, status, entry, source, message, actor_type, actor_id, actor_name,
            digest, files, inline, change_summary, error_code, error, object_uid, generation, pod, created_at,
            finished_at)
        SELECT (100000000000000000 + guild::bigint * 7919)::text,
            CASE WHEN number = $4 / 2 THEN 'failed' ELSE 'success' END, $1, 'cli', 'change ' || number,
            'token', '200000000000000000', 'ada', $2, $3, true, $5::jsonb,
            CASE WHEN number = $4 / 2 THEN 'LOAD_FAILED' ELSE '' END,
            CASE WHEN number = $4 / 2 THEN 'TypeError: greet is not a function' ELSE '' END,
            'uid-' || guild, number, 'flora-runtime-0', now() - (20 - number) * interval '1 hour',
            now() - (20 - number) * interval '1 hour' + interval '1 second'
        FROM generate_series(1, $4) AS number, generate_series(0, $6 - 1) AS guild
        ORDER BY number, guild
        """,
        ENTRY,
        source_digest(source_of(ENTRY, files=FILES, bundle=None)),
        pack(FILES),
        REVISIONS_A_GUILD,
        changes.decode(),
        guilds,
        timeout=FILL_SECONDS,
    )
    await connection.execute("ANALYZE")


# ---------------------------------------------------------------- neighbours


class Neighbours:
    """Gateway, operator and API server, as far as the API asks them."""

    def __init__(self, guilds: int) -> None:
        self.state: Final = DesiredState()
        self.token: Final = make_token().secret
        self._guilds = guilds
        self.app: Final = web.Application()
        self.app.router.add_get("/healthz", _alive)
        self.app.router.add_get("/v1/guilds/{guild}/members/{user}", _stands)
        self.app.router.add_get(
            f"/apis/{API_VERSION}/namespaces/{NAMESPACE}/guilddeployments", self._deployments
        )
        identities = StaticIdentities({self.token: Identity(Role.API)})
        control = Control()
        ControlServer(self.app, self.state, control, identities)
        for number in range(guilds):
            self.state.assign(POD, Assignment(guild_of(number), REVISIONS_A_GUILD, "0" * 64))

    async def _deployments(self, request: web.Request) -> web.StreamResponse:
        if "watch" in request.query:
            response = web.StreamResponse()
            await response.prepare(request)
            await asyncio.Event().wait()  # nothing ever happens
        first = int(request.query.get("continue", "0"))
        beyond = min(self._guilds, first + int(request.query.get("limit", "500")))
        more = {"continue": str(beyond)} if beyond < self._guilds else {}
        items = [_object(number) for number in range(first, beyond)]
        page = {"items": items, "metadata": {"resourceVersion": "1", **more}}
        return web.Response(body=msgspec.json.encode(page), content_type="application/json")


async def _alive(_request: web.Request) -> web.Response:
    return web.Response(text="ok")


async def _stands(request: web.Request) -> web.Response:
    standing = Standing(request.match_info["guild"], "a guild", member=True, permissions="32")
    return web.Response(body=msgspec.json.encode(standing), content_type="application/json")


def _object(number: int) -> dict[str, Any]:
    """A GuildDeployment that is live, as the API server shows it."""
    at = "2026-01-02T03:04:05Z"
    conditions = [
        {
            "type": kind,
            "status": "True",
            "reason": reason,
            "message": f"it is {reason}",
            "observedGeneration": REVISIONS_A_GUILD,
            "lastTransitionTime": at,
        }
        for kind, reason in (("Bundled", "Bundled"), ("Assigned", "Assigned"), ("Ready", "Loaded"))
    ]
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": f"guild-{guild_of(number)}",
            "namespace": NAMESPACE,
            "uid": f"uid-{number}",
            "generation": REVISIONS_A_GUILD,
            "resourceVersion": "1",
            "creationTimestamp": at,
            "managedFields": [{"manager": "flora-api", "fieldsV1": {"f:spec": {"f:source": {}}}}],
        },
        "spec": {"guildId": guild_of(number), "source": source_of(ENTRY, files=FILES, bundle=None)},
        "status": {
            "observedGeneration": REVISIONS_A_GUILD,
            "conditions": conditions,
            "assignment": {"pod": POD, "worker": 1},
            "bundle": {"sha256": "ab" * 32, "bytes": 1800},
            "loadedAt": at,
            "subscribedEvents": ["messageCreate"],
            "cronJobs": 0,
        },
    }


@asynccontextmanager
async def neighbours(guilds: int) -> AsyncGenerator[tuple[Neighbours, str]]:
    """Them, and the one URL that all of them are at."""
    played = Neighbours(guilds)
    runner = web.AppRunner(played.app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOCALHOST, 0).start()
        yield played, f"http://{LOCALHOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


# ---------------------------------------------------------------- the process


@dataclass(slots=True)
class Api:
    """A running ``flora-api``."""

    child: Child
    seconds: float
    """From its start until it was ready."""


@asynccontextmanager
async def api(
    folder: Path,
    *,
    database: str,
    redis: str,
    around: tuple[Neighbours, str],
    core: int | None,
    **settings: str,
) -> AsyncGenerator[Api]:
    """As it is shipped, behind one proxy; ``settings`` beside those it needs. Raises ProcessFailed."""
    played, url = around
    began = time.monotonic()
    child = await start(
        "api",
        python("flora_api.main"),
        core=core,
        logs=folder,
        environment={
            "KUBECONFIG": str(write(folder / "kubeconfig", Access(server=url, token="t"))),
            "API_HOST": LOCALHOST,
            "API_PORT": "0",
            "API_INTERNAL_PORT": "0",
            "API_NAMESPACE": NAMESPACE,
            "API_DATABASE_URL": database,
            "API_REDIS_URL": redis,
            "API_CONTROL_URL": url,
            "API_GATEWAY_URL": url,
            "API_TOKEN": played.token,
            "API_SECRET_KEYS": f"k1:{base64.b64encode(bytes(32)).decode()}",
            "API_TRUSTED_PROXIES": "1",
            "API_DRAIN_SECONDS": "0",
            "API_STOP_SECONDS": "2",
            "API_LOG_FORMAT": "json",
            **settings,
        },
    )
    async with running(child):
        await until_ready(child, child.internal, seconds=READY_SECONDS, pause=0.02)
        yield Api(child, time.monotonic() - began)
