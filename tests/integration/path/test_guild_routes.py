"""A pod's guilds, asked from outside over HTTP: their storage and their jobs, for the API's role alone."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from flora_core.identity import Identity, Role, StaticIdentities
from flora_core.wire.guilds import BODY_LIMIT, UNKNOWN_CRON, UNKNOWN_GUILD
from flora_runtime.supervisor.guild_routes import GuildRoutes
from tests.integration.loopback import listening
from tests.integration.path.path_under_test import POD, PathUnderTest

API, RUNTIME = "api-token", "runtime-token"


class Outside:
    """Somebody who asks a pod."""

    def __init__(self, path: PathUnderTest, session: aiohttp.ClientSession, url: str) -> None:
        self.path = path
        self._session = session
        self._url = url

    async def ask(
        self, method: str, path: str, body: Any = None, *, token: str = API, raw: bytes | None = None
    ) -> tuple[int, Any]:
        data = raw if raw is not None else msgspec.json.encode(body) if body is not None else None
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self._session.request(
            method, self._url + path, data=io.BytesIO(data) if data else None, headers=headers
        ) as response:
            text = await response.read()
            is_json = response.content_type == "application/json"
            return response.status, msgspec.json.decode(text) if is_json else text.decode()

    async def kv(self, call: str, guild: str = "1", **args: Any) -> Any:
        status, answer = await self.ask("POST", f"/v1/guilds/{guild}/kv/{call}", args)
        assert status == 200, answer
        return answer

    async def run(self, name: str) -> tuple[int, Any]:
        return await self.ask("POST", "/v1/guilds/1/crons/run", {"name": name})


@pytest.fixture
async def outside(tmp_path: Path) -> AsyncIterator[Outside]:
    async with PathUnderTest(tmp_path, cron_timeout_secs=2) as path:
        assert path.pod is not None
        app = web.Application(client_max_size=BODY_LIMIT)
        identities = StaticIdentities({API: Identity(Role.API), RUNTIME: Identity(Role.RUNTIME, POD)})
        GuildRoutes(app, path.pod, identities)
        async with listening(app) as url, aiohttp.ClientSession() as session:
            yield Outside(path, session, url)


# ---------------------------------------------------------------- storage


@pytest.mark.parity(79)
async def test_what_a_script_stored_is_read_and_changed_from_outside(outside: Outside) -> None:
    await outside.path.deploy(
        "1", "on('messageCreate', async ({ reply }) => reply(String(await kv.store('s').get('k'))));"
    )
    assert (
        await outside.kv("kvSet", store="s", key="k", value="from outside", options={"metadata": [1]}) is True
    )
    outside.path.message("?")
    assert await outside.path.wait_contents(1) == ["from outside"]
    assert await outside.kv("kvGet", store="s", key="k") == {"value": "from outside", "metadata": [1]}
    assert (await outside.kv("kvList", store="s"))["keys"] == [{"name": "k", "metadata": [1]}]
    assert [store["name"] for store in await outside.kv("kvStores")] == ["s"]
    assert await outside.kv("kvDelete", store="s", key="k") is True
    assert await outside.kv("kvGet", store="s", key="k") is None


@pytest.mark.parity(79)
@pytest.mark.parametrize("key", ["a/b", "../x", ".", "%2F", "ä 😀", "a\nb", "?q=1#x"])
async def test_a_key_may_be_any_text(outside: Outside, key: str) -> None:
    await outside.path.deploy("1", "")
    await outside.kv("kvSet", store="s", key=key, value=key)
    assert (await outside.kv("kvGet", store="s", key=key))["value"] == key


async def test_the_largest_value_fits_however_it_is_escaped(outside: Outside) -> None:
    await outside.path.deploy("1", "")
    value = "\x01" * (1 << 20)
    await outside.kv("kvSet", store="s", key="k", value=value)
    assert (await outside.kv("kvGet", store="s", key="k"))["value"] == value


async def test_guilds_do_not_see_each_others_stores(outside: Outside) -> None:
    await outside.path.deploy("1", "")
    await outside.path.deploy("2", "")
    await outside.kv("kvSet", guild="1", store="s", key="k", value="one")
    assert await outside.kv("kvStores", guild="2") == []


REFUSED: dict[str, tuple[str, bytes, int, str]] = {
    "no such call": ("kvWhat", b"{}", 400, "INVALID_INPUT"),
    "a call that is not KV's": ("sendMessage", b"{}", 400, "INVALID_INPUT"),
    "no JSON": ("kvGet", b"{", 400, "INVALID_INPUT"),
    "not even text": ("kvGet", b"\xff\xfe", 400, "INVALID_INPUT"),
    "nothing": ("kvGet", b"", 400, "INVALID_INPUT"),
    "a store that is none": ("kvGet", b'{"store":"a/b","key":"k"}', 400, "INVALID_INPUT"),
    "a key that is not there": ("kvUpdateMetadata", b'{"store":"s","key":"k"}', 404, "KV_KEY_NOT_FOUND"),
}


@pytest.mark.parametrize(("call", "body", "status", "code"), REFUSED.values(), ids=REFUSED)
async def test_a_refusal_has_code_and_status(
    outside: Outside, call: str, body: bytes, status: int, code: str
) -> None:
    await outside.path.deploy("1", "")
    got, answer = await outside.ask("POST", f"/v1/guilds/1/kv/{call}", raw=body)
    assert (got, answer["code"]) == (status, code)
    assert answer["message"]


async def test_writes_from_outside_count_with_the_scripts_own(outside: Outside) -> None:
    await outside.path.deploy("1", "")
    for number in range(120):
        await outside.kv("kvSet", store="s", key="k", value=str(number))
    status, answer = await outside.ask(
        "POST", "/v1/guilds/1/kv/kvSet", {"store": "s", "key": "k", "value": "x"}
    )
    assert (status, answer["code"]) == (429, "KV_RATE_LIMITED")
    assert 0 < answer["retryAfter"] <= 60


# ---------------------------------------------------------------- jobs


async def test_jobs_are_listed_with_their_next_run(outside: Outside) -> None:
    await outside.path.deploy(
        "1", "cron('a', '0 9 * * *', () => {}); cron('b', '@hourly', () => {}, { skipIfRunning: true });"
    )
    status, jobs = await outside.ask("GET", "/v1/guilds/1/crons")
    assert status == 200
    assert [(job["name"], job["expression"], job["skip"], job["last"]) for job in jobs] == [
        ("a", "0 9 * * *", False, 0),
        ("b", "@hourly", True, 0),
    ]
    assert all(job["next"] > 1_700_000_000 for job in jobs)


async def test_a_job_that_is_run_ends_before_it_is_answered(outside: Outside) -> None:
    await outside.path.deploy(
        "1",
        "cron('tick', '0 9 * * *', async ({ scheduledAt }) => {"
        " await kv.store('s').incr('n'); console.log('at', scheduledAt.length); });",
    )
    status, ran = await outside.run("tick")
    assert (status, ran["name"], ran["outcome"]) == (200, "tick", "ok")
    assert (await outside.kv("kvGet", store="s", key="n"))["value"] == "1"
    assert (await outside.path.wait_log("at")).text == "at 20", "a whole second, as a planned run has"
    assert ran["logged"] == 1


async def test_a_run_that_throws_says_so(outside: Outside) -> None:
    await outside.path.deploy("1", "cron('tick', '0 9 * * *', () => { throw new Error('no'); });")
    assert (await outside.run("tick"))[1]["outcome"] == "exception"


async def test_a_run_that_loops_or_never_ends_is_answered_all_the_same(outside: Outside) -> None:
    await outside.path.deploy(
        "1",
        "cron('loop', '0 9 * * *', () => { for (;;); });"
        "cron('never', '0 9 * * *', () => new Promise(() => {}));",
    )
    # On a machine that has no CPU time to give the run's five seconds are over before the turn's CPU time is.
    assert (await outside.run("loop"))[1]["outcome"] in ("exceededCpu", "canceled")
    assert (await outside.run("never"))[1]["outcome"] == "canceled"


async def test_runs_at_once_are_told_apart(outside: Outside) -> None:
    await outside.path.deploy(
        "1",
        "let n = 0; cron('odd', '0 9 * * *', async () => { if (n++ === 0) { await kv.store('s').get('k'); throw 1; } });",
    )
    answers = await asyncio.gather(outside.run("odd"), outside.run("odd"), outside.run("odd"))
    assert sorted(ran["outcome"] for _, ran in answers) == ["exception", "ok", "ok"]


async def test_an_unknown_job_names_those_there_are(outside: Outside) -> None:
    await outside.path.deploy("1", "cron('b', '@hourly', () => {}); cron('a', '@hourly', () => {});")
    status, answer = await outside.run("nope")
    assert (status, answer["code"]) == (404, UNKNOWN_CRON)
    assert answer["message"] == "there is no cron job 'nope'; the script has a, b"


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"name": 5}', b"\xff"])
async def test_a_job_must_be_named(outside: Outside, body: bytes) -> None:
    await outside.path.deploy("1", "")
    status, answer = await outside.ask("POST", "/v1/guilds/1/crons/run", raw=body)
    assert (status, answer["code"]) == (400, "INVALID_INPUT")


async def test_a_script_that_is_quarantined_runs_no_job(outside: Outside) -> None:
    await outside.path.deploy("1", "cron('loop', '0 9 * * *', () => { for (;;); });")
    for _ in range(3):
        await outside.run("loop")
    status, answer = await outside.run("loop")
    assert (status, answer["code"]) == (409, "NOT_RUNNING")
    assert "quarantined" in answer["message"]


# ---------------------------------------------------------------- who may ask

PATHS = [
    ("POST", "/v1/guilds/1/kv/kvStores"),
    ("GET", "/v1/guilds/1/crons"),
    ("POST", "/v1/guilds/1/crons/run"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize(("token", "status"), [("", 401), ("wrong", 401), (RUNTIME, 403)])
async def test_only_the_api_may_ask(
    outside: Outside, method: str, path: str, token: str, status: int
) -> None:
    await outside.path.deploy("1", "")
    assert (await outside.ask(method, path, {}, token=token))[0] == status


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_a_guild_that_is_elsewhere_is_not_known(outside: Outside, method: str, path: str) -> None:
    status, answer = await outside.ask(method, path.replace("/1/", "/4711/"), {})
    assert (status, answer["code"]) == (404, UNKNOWN_GUILD)


@pytest.mark.parametrize("guild", ["x", "0", "-1", "1.5", "%00", "9" * 30])
async def test_a_guild_that_is_none_is_refused(outside: Outside, guild: str) -> None:
    status, answer = await outside.ask("GET", f"/v1/guilds/{guild}/crons")
    assert (status, answer["code"]) == (400, "INVALID_INPUT")
