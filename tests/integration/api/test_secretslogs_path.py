"""From people to a script and back: a secret that is set at the API goes out in a fetch, what the script logs
comes to who follows. A real pod, Postgres and Redis; what the pod should run is said by a real control stream."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web
from pydantic import SecretStr

from flora_api.principal import GuildAccess
from flora_api.secrets.rules import checked
from flora_api.secrets.service import SecretService, open_secrets
from flora_core.database import Database
from flora_core.identity import Identity, Role, StaticIdentities
from flora_core.ids import GuildId, PodName
from flora_core.wire.control import Outcome, Secret
from tests.integration.api.logs.conftest import Replica, redis, replica
from tests.integration.api.played_guard import ANN
from tests.integration.api.secrets.conftest import KEYS
from tests.integration.database.conftest import database, postgres, url
from tests.integration.loopback import listening
from tests.integration.path.path_under_test import POD, TOKEN, Operator, PathUnderTest
from tests.integration.redis_server import RedisServer
from tests.waiting import until

__all__ = ["database", "postgres", "redis", "url"]

GUILD = GuildId("1")
ASKS = """
    const early = secrets.get('KEY');
    on('messageCreate', async (ctx) => {
      const [word, url] = ctx.msg.content.split(' ');
      if (word === 'early') return void (await ctx.reply(String(early !== undefined)));
      const headers = { Authorization: `Bearer ${secrets.get('KEY')}` };
      const answer = await fetch(url, { headers }).then((r) => r.text(), (error) => error.code);
      console.log(`asked: ${answer}`);
      await ctx.reply(answer);
    });
"""


class OperatorsRoutes:
    """The operator's own route table, as the API's would be."""

    def __init__(self, operator: Operator) -> None:
        self._state = operator.state

    @property
    def revision(self) -> int:
        return self._state.revision

    def guilds_of(self, pod: PodName) -> Collection[GuildId]:
        routes = self._state.routes()
        here = {GuildId(guild) for guild, at in routes.pods.items() if at == pod}
        return here | {GuildId(guild) for guild, hold in routes.held.items() if hold.to == pod}

    async def wait_beyond(self, revision: int) -> None:
        while self.revision <= revision:
            await self._state.wait_beyond(revision, seconds=60)


class Stage:
    """One API process, one pod, and a site that says whose token it was given."""

    def __init__(self, path: PathUnderTest, secrets: SecretService, logs: Replica, site: str) -> None:
        self.path, self.secrets, self.logs, self.site = path, secrets, logs, site

    async def put(self, value: str, *hosts: str) -> None:
        await self.secrets.store.put(GuildAccess(GUILD, ANN), [checked("KEY", value, hosts or (self.site,))])

    async def ask(self, text: str) -> str:
        count = len(self.path.discord.contents)
        self.path.message(text)
        return (await self.path.wait_contents(count + 1))[-1]

    async def seen_by_site(self, token: str) -> None:
        """Ask until the site was given ``token``; a change takes a moment to come."""
        async with asyncio.timeout(30):
            while await self.ask(f"ask {self.site}/") != token:
                await asyncio.sleep(0.1)


@pytest.fixture
async def site() -> AsyncIterator[str]:
    async def show(request: web.Request) -> web.Response:
        return web.Response(text=f"got {len(request.headers['Authorization'])}")

    app = web.Application()
    app.router.add_get("/", show)
    async with listening(app) as url:
        yield url


@pytest.fixture
async def stage(database: Database, redis: RedisServer, site: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with contextlib.AsyncExitStack() as stack:
        secrets = await stack.enter_async_context(open_secrets(database, KEYS, ask_seconds=0.2))
        logs = await stack.enter_async_context(replica(redis))
        logs.headers = logs.guard.let("ann", GUILD)
        internal = web.Application()
        path = PathUnderTest(tmp_path, fetch_allow="127.0.0.1")
        identities = StaticIdentities({TOKEN: Identity(Role.RUNTIME, POD)})
        secrets.add_routes(internal, OperatorsRoutes(path.operator), identities)
        logs.service.add_routes(internal, identities)
        path._settings["api_url"] = await stack.enter_async_context(listening(internal))
        await stack.enter_async_context(path)
        yield Stage(path, secrets, logs, site)


def length(value: str) -> str:
    return f"got {len('Bearer ' + value)}"


async def test_a_script_that_is_loaded_for_the_first_time_has_its_secrets_at_once(stage: Stage) -> None:
    """At its top level, too: a load waits for the API's word."""
    await stage.put("value")
    await stage.path.deploy(GUILD, ASKS)
    assert await stage.ask("early") == "true"
    assert await stage.ask(f"ask {stage.site}/") == length("value")


async def test_a_value_that_changes_is_in_the_next_requests_without_a_deploy(stage: Stage) -> None:
    await stage.put("one")
    await stage.path.deploy(GUILD, ASKS)
    await stage.seen_by_site(length("one"))
    await stage.put("another value")
    await stage.seen_by_site(length("another value"))
    await stage.put("another value", "elsewhere.example.com")
    await stage.seen_by_site("FETCH_SECRET_FORBIDDEN")
    await stage.put("back")
    await stage.seen_by_site(length("back"))


async def test_a_secret_of_kubernetes_counts_before_one_of_the_same_name(stage: Stage) -> None:
    await stage.put("of the api")
    given = Secret("KEY", "__FLORA_SECRET__" + "0" * 32, "of kubernetes, longer", [stage.site])
    stage.path.operator.state.know_secrets(GUILD, [given])
    await stage.path.deploy(GUILD, ASKS)
    assert await stage.ask(f"ask {stage.site}/") == length("of kubernetes, longer")
    stage.path.operator.state.know_secrets(GUILD, [])
    await stage.seen_by_site(length("of the api"))


async def test_a_guild_that_was_released_and_comes_back_has_its_secrets(stage: Stage) -> None:
    await stage.put("value")
    await stage.path.deploy(GUILD, ASKS)
    stage.path.operator.state.release(GUILD)
    pod = stage.path.pod
    assert pod is not None
    await until(lambda: not pod.holds(GUILD))
    await stage.path.deploy(GUILD, ASKS)
    assert await stage.ask("early") == "true"
    assert await stage.ask(f"ask {stage.site}/") == length("value")


async def test_a_pod_that_comes_back_while_the_api_is_away_refuses_requests_until_it_is_back(
    stage: Stage,
) -> None:
    await stage.put("value")
    await stage.path.deploy(GUILD, ASKS)
    await stage.path.stop_pod()
    there = stage.path._settings["api_url"]
    stage.path._settings["api_url"] = "http://127.0.0.1:1"
    await stage.path.start_pod()
    assert await stage.ask("early") == "true", "the placeholder is known"
    assert await stage.ask(f"ask {stage.site}/") == "FETCH_SECRET_FORBIDDEN"
    await stage.path.stop_pod()
    stage.path._settings["api_url"] = there
    await stage.path.start_pod()
    await stage.seen_by_site(length("value"))


async def test_what_a_script_logs_comes_to_who_follows_and_never_the_value(stage: Stage) -> None:
    await stage.put("s3cret-value")
    await stage.path.deploy(GUILD, ASKS)
    follows = await stage.logs.follow(GUILD)
    await stage.logs.followed(guild=GUILD)
    assert await stage.ask(f"ask {stage.site}/") == length("s3cret-value")
    await until(lambda: follows.rows)
    assert follows.texts == [f"asked: {length('s3cret-value')}"]
    assert "s3cret-value" not in msgspec.json.encode(await stage.logs.get(GUILD)).decode()


async def test_what_flora_says_about_a_script_is_in_the_same_log(stage: Stage) -> None:
    await stage.path.deploy(GUILD, "on('messageCreate', () => { throw new Error('no') });")
    stage.path.message("hi")
    _, rows = await stage.logs.get(GUILD)
    async with asyncio.timeout(30):
        while not (rows := (await stage.logs.get(GUILD, level="error"))[1]):
            await asyncio.sleep(0.05)
    [row] = rows
    assert (row["target"], row["outcome"], row["event"]) == ("runtime", Outcome.EXCEPTION, "MESSAGE_CREATE")
    assert "no" in row["message"]


async def test_the_last_lines_of_a_pod_that_stops_arrive(stage: Stage) -> None:
    code = "on('messageCreate', (ctx) => { for (let n = 0; n < 50; n++) console.log(`last ${n}`); });"
    await stage.path.deploy(GUILD, code)
    stage.path.message("hi")
    pod = stage.path.pod
    assert pod is not None
    await until(lambda: pod._logs.written >= 50)
    await pod.drain()
    await stage.path.stop_pod()
    assert [row["message"] for row in (await stage.logs.get(GUILD))[1]][-1] == "last 49"


async def test_the_pod_shows_its_token_to_the_api(stage: Stage) -> None:
    async with aiohttp.ClientSession() as session:
        api = stage.path._settings["api_url"]
        async with session.get(f"{api}/v1/pods/{POD}/secrets") as answer:
            assert answer.status == 401
    assert SecretStr(TOKEN).get_secret_value() not in repr(stage.path.pod)
