"""What a pod is told on its stream of secrets, over a real socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr

from flora_api.secrets.service import SecretService, open_secrets
from flora_core.database import Database
from flora_core.identity import Identity, Role, StaticIdentities
from flora_core.ids import GuildId, PodName
from flora_core.streams import Token, make_session, read_stream
from flora_core.wire.control import AllSecrets, Release, Secrets, pod_secrets
from tests.integration.api.secrets.conftest import GUILD, KEYS, OTHER, POD, People, PlayedPlacement
from tests.integration.loopback import listening
from tests.integration.postgres_server import PostgresServer
from tests.waiting import until

OTHER_POD = PodName("flora-runtime-1")
IDENTITIES = StaticIdentities(
    {
        "pod": Identity(Role.RUNTIME, POD),
        "other": Identity(Role.RUNTIME, OTHER_POD),
        "gateway": Identity(Role.GATEWAY),
    }
)


class Pod:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, str | None]]] = []
        self.knows: dict[str, dict[str, str | None]] = {}
        self.complete = 0
        self.released: list[str] = []
        self.beats = 0

    async def listen(self, session: aiohttp.ClientSession, url: str) -> None:
        path = f"{url}/v1/pods/{POD}/secrets"
        async for lines in read_stream(session, path, token=Token("pod"), on_error=pytest.fail):
            for line in lines:
                frame = pod_secrets.decode(line)
                if isinstance(frame, AllSecrets):
                    self.complete += 1
                elif isinstance(frame, Secrets):
                    values = {secret.name: secret.value for secret in frame.secrets}
                    if self.knows.get(frame.guild) != values:  # the same may be said again
                        self.told.append((frame.guild, values))
                    self.knows[frame.guild] = values
                elif isinstance(frame, Release):
                    self.released.append(frame.guild)
                    del self.knows[frame.guild]
                else:
                    self.beats += 1


@asynccontextmanager
async def serving(service: SecretService, placement: PlayedPlacement) -> AsyncIterator[str]:
    app = web.Application()
    service.add_routes(app, placement, IDENTITIES)
    async with listening(app) as url:
        yield url


@asynccontextmanager
async def listening_pod(url: str) -> AsyncIterator[Pod]:
    pod = Pod()
    async with make_session() as session:
        task = asyncio.create_task(pod.listen(session, url))
        yield pod
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_pod_hears_of_its_own_guilds_and_of_no_others(
    ann: People, placement: PlayedPlacement
) -> None:
    ann.guard.let("ann", OTHER)
    await ann.put("KEY", "mine")
    await ann.put("KEY", "theirs", guild=OTHER)
    placement.place(POD, GUILD, GuildId("300"))
    placement.place(OTHER_POD, OTHER)
    async with serving(ann.service, placement) as url, listening_pod(url) as pod:
        await until(lambda: pod.complete)
        assert pod.told == [(GUILD, {"KEY": "mine"}), ("300", {})]


async def test_a_change_reaches_the_pod_and_only_the_guild_that_changed_is_told(
    ann: People, placement: PlayedPlacement
) -> None:
    ann.guard.let("ann", OTHER)
    await ann.put("KEY", "one", "a.example.com")
    placement.place(POD, GUILD, OTHER)
    async with serving(ann.service, placement) as url, listening_pod(url) as pod:
        await until(lambda: pod.complete)
        pod.told.clear()
        await ann.put("KEY", "two")
        await until(lambda: pod.told)
        await ann.http.delete(f"/secrets/{GUILD}/KEY")
        await until(lambda: len(pod.told) == 2)
        await ann.put("NEW", "three", guild=OTHER)
        await until(lambda: len(pod.told) == 3)
        assert pod.told == [(GUILD, {"KEY": "two"}), (GUILD, {}), (OTHER, {"NEW": "three"})]


async def test_a_change_made_at_another_replica_is_live_within_seconds(
    ann: People, database: Database, placement: PlayedPlacement
) -> None:
    placement.place(POD, GUILD)
    async with (
        open_secrets(database, KEYS) as elsewhere,
        serving(elsewhere, placement) as url,
        listening_pod(url) as pod,
    ):
        await until(lambda: pod.complete)
        await ann.put("KEY", "value")
        await until(lambda: pod.knows[GUILD] == {"KEY": "value"}, seconds=10)


async def test_a_guild_that_comes_is_told_and_one_that_goes_is_released(
    ann: People, placement: PlayedPlacement
) -> None:
    ann.guard.let("ann", OTHER)
    await ann.bulk(KEY="value")
    placement.place(POD)
    async with serving(ann.service, placement) as url, listening_pod(url) as pod:
        await until(lambda: pod.complete)
        assert pod.told == []
        placement.place(POD, GUILD, OTHER)
        await until(lambda: len(pod.told) == 2)
        placement.place(POD, OTHER)
        await until(lambda: pod.released == [GUILD])
        placement.place(POD, OTHER, GUILD)
        await until(lambda: len(pod.told) == 3)
        assert pod.told == [(GUILD, {"KEY": "value"}), (OTHER, {}), (GUILD, {"KEY": "value"})]


async def test_until_the_route_table_is_known_nothing_is_said_to_be_all(
    ann: People, placement: PlayedPlacement
) -> None:
    await ann.put("KEY", "value")
    async with serving(ann.service, placement) as url, listening_pod(url) as pod:
        await until(lambda: pod.beats)
        assert (pod.told, pod.complete) == ([], 0)
        placement.place(POD, GUILD)
        await until(lambda: pod.complete)
        assert pod.knows == {GUILD: {"KEY": "value"}}


async def test_many_guilds_are_told_in_parts(ann: People, placement: PlayedPlacement) -> None:
    await ann.put("KEY", "value")
    placement.place(POD, *(GuildId(str(number)) for number in range(1, 1001)))
    async with serving(ann.service, placement) as url, listening_pod(url) as pod:
        await until(lambda: pod.complete)
        assert len(pod.told) == len(pod.knows) == 1000
        assert [guild for guild, values in pod.knows.items() if values] == [GUILD]


async def test_while_postgres_is_away_the_stream_stays_and_goes_on_when_it_is_back(
    ann: People, placement: PlayedPlacement, postgres: PostgresServer
) -> None:
    ann.guard.let("ann", OTHER)
    await ann.bulk(KEY="value")
    placement.place(POD, GUILD)
    async with serving(ann.service, placement) as url, listening_pod(url) as pod:
        await until(lambda: pod.complete)
        postgres.kill()
        placement.place(POD, GUILD, OTHER)
        await until(lambda: pod.beats)
        await asyncio.to_thread(postgres.start)
        await until(lambda: OTHER in pod.knows)
        await ann.put("KEY", "changed")
        await until(lambda: pod.knows[GUILD] == {"KEY": "changed"})
        assert pod.complete == 1


async def test_a_value_that_does_not_open_is_told_without_one(
    ann: People, database: Database, placement: PlayedPlacement
) -> None:
    await ann.put("KEY", "value")
    placement.place(POD, GUILD)
    other = SecretStr("k1:" + "A" * 43 + "=")
    async with (
        open_secrets(database, other) as service,
        serving(service, placement) as url,
        listening_pod(url) as pod,
    ):
        await until(lambda: pod.complete)
        assert pod.knows == {GUILD: {"KEY": None}}


@pytest.mark.parametrize(
    ("token", "pod", "status"),
    [
        ("other", POD, 403),
        ("gateway", POD, 403),
        ("nobody", POD, 401),
        ("", POD, 401),
        ("pod", "No_Pod", 400),
    ],
)
@pytest.mark.parametrize("keys", [KEYS, SecretStr("")])
async def test_nobody_else_gets_a_pods_secrets(
    database: Database, placement: PlayedPlacement, keys: SecretStr, token: str, pod: str, status: int
) -> None:
    async with (
        open_secrets(database, keys) as service,
        serving(service, placement) as url,
        aiohttp.ClientSession() as session,
        session.get(f"{url}/v1/pods/{pod}/secrets", headers=Token(token).headers()) as answer,
    ):
        assert answer.status == status


async def test_without_a_key_a_pod_is_told_why(database: Database, placement: PlayedPlacement) -> None:
    async with (
        open_secrets(database, SecretStr("")) as service,
        serving(service, placement) as url,
        aiohttp.ClientSession() as session,
        session.get(f"{url}/v1/pods/{POD}/secrets", headers=Token("pod").headers()) as answer,
    ):
        assert answer.status == 503
        assert "API_SECRET_KEYS is not set" in await answer.text()


async def test_a_stream_that_ended_leaves_nothing_running(ann: People, placement: PlayedPlacement) -> None:
    placement.place(POD, GUILD)
    before = asyncio.all_tasks()
    async with serving(ann.service, placement) as url:
        async with listening_pod(url) as pod:
            await until(lambda: pod.complete)
        placement.place(POD, GUILD, OTHER)
    left: Any = asyncio.all_tasks() - before
    assert not [task for task in left if "wait_beyond" in repr(task)]
