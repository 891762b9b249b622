"""A pod's backups, bulk changes and usage, asked from outside: for the API's role alone."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from flora_core.control.handoffs import SHA256_HEADER
from flora_core.identity import Identity, Role, StaticIdentities
from flora_core.ids import GuildId
from flora_core.wire.gateway import OpError
from flora_core.wire.guilds import BODY_LIMIT
from flora_runtime.kv import calls
from flora_runtime.supervisor.backup_routes import BackupRoutes
from flora_runtime.supervisor.guild_routes import GuildRoutes
from tests.integration.loopback import listening
from tests.integration.path.path_under_test import POD, PathUnderTest
from tests.waiting import until

API, RUNTIME = "api-token", "runtime-token"


class Asked:
    """A pod that is asked."""

    def __init__(self, path: PathUnderTest, session: aiohttp.ClientSession, url: str) -> None:
        self.path = path
        self._session = session
        self._url = url

    async def raw(
        self, method: str, path: str, body: bytes = b"", *, token: str = API
    ) -> tuple[int, bytes, Any]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self._session.request(
            method, f"{self._url}/v1/guilds{path}", data=body or None, headers=headers
        ) as response:
            return response.status, await response.read(), response.headers

    async def ok(self, method: str, path: str, body: bytes = b"") -> Any:
        status, answer, _ = await self.raw(method, path, body)
        assert status == 200, answer
        return msgspec.json.decode(answer)

    async def refused(self, method: str, path: str, body: bytes = b"") -> tuple[int, str]:
        status, answer, _ = await self.raw(method, path, body)
        return status, msgspec.json.decode(answer)["code"]

    async def kv(self, call: str, **args: Any) -> Any:
        return await self.ok("POST", f"/1/kv/{call}", msgspec.json.encode(args))


@pytest.fixture
async def asked(tmp_path: Path) -> AsyncIterator[Asked]:
    async with PathUnderTest(tmp_path) as path:
        assert path.pod is not None
        path.pod.backups._every = 0.0001
        app = web.Application(client_max_size=BODY_LIMIT)
        identities = StaticIdentities({API: Identity(Role.API), RUNTIME: Identity(Role.RUNTIME, POD)})
        BackupRoutes(app, path.pod.backups, GuildRoutes(app, path.pod, identities).guild)
        async with listening(app) as url, aiohttp.ClientSession() as session:
            yield Asked(path, session, url)


COUNTING = (
    "on('messageCreate', async ({ reply, msg }) => {"
    " if (msg.content === 'throw') throw new Error('no');"
    " if (msg.content === 'fetch') { try { await fetch('http://nowhere.invalid/'); } catch {} return; }"
    " console.log('saw', msg.content); await kv.store('s').set('k', msg.content);"
    " await reply(msg.content); });"
    "cron('tick', '@yearly', () => console.log('tick'));"
)


async def test_a_backup_is_made_listed_downloaded_deleted_and_put_back(asked: Asked) -> None:
    await asked.path.deploy("1", "")
    await asked.kv("kvSet", store="s", key="k", value="before")
    made = await asked.ok("POST", "/1/backups")
    assert (made["keys"], await asked.ok("GET", "/1/backups")) == (1, [made])
    status, data, headers = await asked.raw("GET", f"/1/backups/{made['id']}")
    assert (status, len(data)) == (200, made["bytes"])
    assert headers[SHA256_HEADER] == hashlib.sha256(data).hexdigest()
    assert headers["Content-Type"] == "application/x-ndjson"
    await asked.kv("kvSet", store="s", key="k", value="after")
    await asked.kv("kvSet", store="s", key="other", value="after")
    assert await asked.ok("POST", "/1/restore?mode=merge", data) == {"keys": 1}
    assert (await asked.kv("kvGet", store="s", key="k"))["value"] == "before"
    assert (await asked.kv("kvGet", store="s", key="other"))["value"] == "after"
    assert await asked.ok("POST", "/1/restore?mode=replace", data) == {"keys": 1}
    assert await asked.kv("kvGet", store="s", key="other") is None
    assert await asked.ok("DELETE", f"/1/backups/{made['id']}") is True
    for method in ("GET", "DELETE"):
        assert await asked.refused(method, f"/1/backups/{made['id']}") == (404, "BACKUP_NOT_FOUND")


async def test_a_backup_goes_with_its_guild(asked: Asked) -> None:
    await asked.path.deploy("1", "")
    await asked.ok("POST", "/1/backups")
    pod, state = asked.path.pod, asked.path.operator.state
    assert pod is not None
    state.release(GuildId("1"))
    state.forget(POD, GuildId("1"))
    await until(lambda: not pod.backups.kept(GuildId("1")))


WRONG: list[tuple[str, bytes, tuple[int, str]]] = [
    ("/1/restore", b"", (400, "INVALID_INPUT")),
    ("/1/restore?mode=mix", b"", (400, "INVALID_INPUT")),
    ("/1/restore?mode=merge", b"", (400, "INVALID_BACKUP")),
    ("/1/restore?mode=merge", b"hello\n", (400, "INVALID_BACKUP")),
    ("/2/restore?mode=merge", b"", (404, "UNKNOWN_GUILD")),
    ("/2/backups", b"", (404, "UNKNOWN_GUILD")),
]


async def test_what_cannot_be_done_is_said(asked: Asked) -> None:
    await asked.path.deploy("1", "")
    for path, body, expected in WRONG:
        assert await asked.refused("POST", path, body) == expected


async def test_bulk_changes_are_for_tools_and_not_for_scripts(asked: Asked) -> None:
    await asked.path.deploy("1", "")
    bulk = {"store": "s", "put": [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]}
    assert await asked.kv("kvBulk", **bulk, delete=["z"]) == {"written": 2, "deleted": 0}
    assert await asked.kv("kvBulk", store="s", delete=["a", "b"]) == {"written": 0, "deleted": 2}
    assert sorted(calls.TOOL_NAMES - calls.NAMES) == ["kvBulk"]


async def test_what_a_guild_uses_is_counted(asked: Asked) -> None:
    await asked.path.deploy("1", COUNTING)
    fresh = await asked.ok("GET", "/1/usage")
    assert (fresh["events"], fresh["outcomes"], fresh["log_lines"]) == ({}, {}, 0)
    assert fresh["kv"] == {"keys": 0, "bytes": 0, "limit_bytes": 500 << 20}
    for text in ("hello", "throw", "fetch"):
        asked.path.message(text)
    await asked.ok("POST", "/1/crons/run", b'{"name":"tick"}')

    async def settled() -> Any:
        row = await asked.ok("GET", "/1/usage")
        return row if sum(row["outcomes"].values()) == 4 else None

    row = await until_true(settled)
    assert row["events"] == {"MESSAGE_CREATE": 3, "cron": 1}
    assert row["outcomes"] == {"ok": 3, "exception": 1}
    assert (row["discord_calls"], row["fetches"], row["kv"]["keys"]) == (1, 1, 1)
    assert row["log_lines"] >= 2
    assert row["cpu_milliseconds"] > 0
    assert (row["awake"], row["quarantined"], row["suspended_until"]) == (True, False, 0)
    assert row["since"] == fresh["since"] > 1_700_000_000


async def until_true(look: Any) -> Any:
    for _ in range(500):
        if found := await look():
            return found
        await asyncio.sleep(0.02)
    raise AssertionError("not in time")


async def test_usage_tells_a_quarantine_and_why_until_the_next_deploy(asked: Asked) -> None:
    await asked.path.deploy("1", "cron('loop', '@yearly', () => { for (;;); });")
    for _ in range(3):
        await asked.ok("POST", "/1/crons/run", b'{"name":"loop"}')
    row = await asked.ok("GET", "/1/usage")
    assert (row["quarantined"], row["awake"]) == (True, False)
    assert "went over its limits 3 times" in row["quarantine_reason"]
    await asked.path.deploy("1", "")
    row = await asked.ok("GET", "/1/usage")
    assert (row["quarantined"], row["quarantine_reason"]) == (False, "")


async def test_usage_tells_when_calls_are_suspended(asked: Asked) -> None:
    await asked.path.deploy("1", "on('messageCreate', async ({ reply }) => { await reply('x'); });")
    asked.path.discord.answering = False
    asked.path.message("?")
    await asked.path.wait(lambda: asked.path.discord.waiting)
    asked.path.discord.refuse_all(OpError("DISCORD_RATE_LIMITED", "no", retry_after=5.0, suspended=600.0))

    async def suspended() -> Any:
        return (await asked.ok("GET", "/1/usage"))["suspended_until"]

    assert await until_true(suspended) > 1_700_000_000


GUARDED = [
    ("GET", "/1/usage"),
    ("POST", "/1/backups"),
    ("GET", "/1/backups"),
    ("GET", "/1/backups/1-a"),
    ("DELETE", "/1/backups/1-a"),
    ("POST", "/1/restore?mode=merge"),
]


async def test_only_the_api_may_ask_for_it(asked: Asked) -> None:
    for method, path in GUARDED:
        for token, status in [("", 401), ("wrong", 401), (RUNTIME, 403)]:
            assert (await asked.raw(method, path, token=token))[0] == status
