"""A pod and the secrets that people set at the API: what it is told, what it keeps, how long a load waits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from flora_core.serving import start_stream
from flora_core.streams import Token, make_session
from flora_core.wire.control import AllSecrets, Beat, Release, Secret, Secrets, pod_secrets
from flora_runtime.supervisor import secret_link
from flora_runtime.supervisor.secret_link import SecretLayers, SecretLink
from tests.integration.loopback import listening
from tests.waiting import until


def secret(name: str, value: str | None = "value", *hosts: str) -> Secret:
    return Secret(name, f"__{name}__", value, list(hosts))


class Api:
    """Says on each dial what the test put into ``says``, and what it ``tell``s while it is connected."""

    def __init__(self) -> None:
        self.says: list[list[Any]] = []
        self.dials = 0
        self.hang_up = asyncio.Event()
        self.url = ""
        self._response: web.StreamResponse | None = None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        assert request.headers["Authorization"] == "Bearer t"
        self.dials += 1
        self._response = response = await start_stream(request)
        if self.says:
            await self.tell(*self.says.pop(0))
        await self.hang_up.wait()
        self.hang_up.clear()
        return response

    async def tell(self, *frames: Any) -> None:
        assert self._response is not None
        await self._response.write(b"".join(map(pod_secrets.encode, frames)))


class Sink:
    """What the pod was told; ``here`` are its guilds."""

    def __init__(self) -> None:
        self.knows: dict[str, list[tuple[str, str | None]]] = {}
        self.here = {"1", "2"}

    def know_api_secrets(self, guild: str, secrets: list[Secret]) -> None:
        self.knows[guild] = [(secret.name, secret.value) for secret in secrets]

    def has_guild(self, guild: str) -> bool:
        return guild in self.here


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    made = Api()
    app = web.Application()
    app.router.add_get("/v1/pods/pod-0/secrets", made.serve)
    async with listening(app) as made.url:
        yield made
        made.hang_up.set()


@pytest.fixture
def sink() -> Sink:
    return Sink()


@asynccontextmanager
async def linked(url: str, folder: Path, sink: Sink) -> AsyncIterator[SecretLink]:
    link = SecretLink(url, "pod-0", folder, token=Token("t"), sink=sink)
    async with make_session() as session:
        task = asyncio.create_task(link.run(session))
        yield link
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_secrets_and_their_changes_reach_the_pod(api: Api, sink: Sink, tmp_path: Path) -> None:
    api.says.append([Secrets(0, "1", [secret("A")]), Secrets(0, "2", []), AllSecrets(0)])
    async with linked(api.url, tmp_path, sink):
        await until(lambda: len(sink.knows) == 2)
        await api.tell(Secrets(0, "1", [secret("A", "new"), secret("B")]), Beat(0))
        await until(lambda: sink.knows["1"] == [("A", "new"), ("B", "value")])


async def test_when_the_stream_breaks_what_is_known_stays_and_it_is_dialled_again(
    api: Api, sink: Sink, tmp_path: Path
) -> None:
    api.says += [[Secrets(0, "1", [secret("A")]), AllSecrets(0)], []]
    async with linked(api.url, tmp_path, sink):
        await until(lambda: "1" in sink.knows)
        api.hang_up.set()
        await until(lambda: api.dials == 2)
        assert sink.knows == {"1": [("A", "value")]}


async def test_guilds_that_are_neither_here_nor_named_are_forgotten(
    api: Api, sink: Sink, tmp_path: Path
) -> None:
    sink.here.add("3")
    api.says += [
        [Secrets(0, guild, [secret("A")]) for guild in ("1", "3", "9")],
        [Secrets(0, "1", [secret("A")]), AllSecrets(0)],
    ]
    async with linked(api.url, tmp_path, sink):
        await until(lambda: len(sink.knows) == 3)
        api.hang_up.set()
        await until(lambda: not sink.knows["9"])
        assert sink.knows["1"]
        assert sink.knows["3"], "the API may not have heard yet that it is here"


async def test_placeholders_are_written_down_and_values_are_not(api: Api, sink: Sink, tmp_path: Path) -> None:
    api.says.append([Secrets(0, "1", [secret("A", "s3cret", "a.example.com")]), AllSecrets(0)])
    async with linked(api.url, tmp_path, sink):
        await until((tmp_path / "api-placeholders.json").exists)
    assert "s3cret" not in (tmp_path / "api-placeholders.json").read_text()
    alone = Sink()
    async with linked("http://127.0.0.1:1", tmp_path, alone) as link:
        async with asyncio.timeout(20):
            await link.heard_of("1")
        assert alone.knows == {"1": [("A", None)]}


async def test_a_file_that_cannot_be_read_is_no_reason_not_to_start(
    api: Api, sink: Sink, tmp_path: Path
) -> None:
    (tmp_path / "api-placeholders.json").write_text("{not JSON")
    api.says.append([Secrets(0, "1", [secret("A")])])
    async with linked(api.url, tmp_path, sink):
        await until(lambda: sink.knows)


async def test_frames_that_are_none_are_skipped(api: Api, sink: Sink, tmp_path: Path) -> None:
    async with linked(api.url, tmp_path, sink):
        await until(lambda: api.dials)
        assert api._response is not None
        await api._response.write(b'nonsense\n{"k":"later"}\n{"k":"secrets","guild":5}\n')
        await api.tell(Secrets(0, "1", [secret("A")]))
        await until(lambda: sink.knows)


# ---------------------------------------------------------------- how long a load waits


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def waits(link: SecretLink, guild: str) -> asyncio.Task[None]:
    task = asyncio.create_task(link.heard_of(guild))
    for _ in range(5):
        await asyncio.sleep(0)
    return task


async def test_without_an_api_nothing_is_waited_for(sink: Sink, tmp_path: Path) -> None:
    async with linked("", tmp_path, sink) as link:
        async with asyncio.timeout(10):
            await link.heard_of("1")


async def test_a_load_waits_until_its_guild_was_named(api: Api, sink: Sink, tmp_path: Path) -> None:
    async with linked(api.url, tmp_path, sink) as link:
        link._clock = Clock()
        link._turned_at = 100.0
        await until(lambda: api.dials)
        waiting = await waits(link, "1")
        await api.tell(Secrets(0, "2", []))
        await until(lambda: "2" in sink.knows)
        assert not waiting.done()
        await api.tell(Secrets(0, "1", []))
        async with asyncio.timeout(20):
            await waiting


async def test_an_api_that_is_away_is_waited_for_once_and_not_once_a_guild(
    sink: Sink, tmp_path: Path
) -> None:
    clock = Clock()
    link = SecretLink("http://api", "pod-0", tmp_path, token=Token("t"), sink=sink, clock=clock)
    assert not (await waits(link, "1")).done()
    clock.now += secret_link.PATIENCE_SECONDS
    for guild in ("2", "3", "4"):
        assert (await waits(link, guild)).done()


async def test_a_guild_that_the_api_has_not_heard_of_yet_is_waited_for_by_itself(
    sink: Sink, tmp_path: Path
) -> None:
    clock = Clock()
    link = SecretLink("http://api", "pod-0", tmp_path, token=Token("t"), sink=sink, clock=clock)
    await link._take_batch([pod_secrets.encode(AllSecrets(0))])
    clock.now += 1000
    assert not (await waits(link, "1")).done()
    clock.now += secret_link.PATIENCE_SECONDS / 2
    late = await waits(link, "2")
    clock.now += secret_link.PATIENCE_SECONDS / 2
    assert (await waits(link, "1")).done(), "its time is over, and does not begin anew"
    assert not late.done()
    late.cancel()


async def test_a_guild_that_comes_back_is_waited_for_again(sink: Sink, tmp_path: Path) -> None:
    link = SecretLink("http://api", "pod-0", tmp_path, token=Token("t"), sink=sink, clock=Clock())
    await link._take_batch([pod_secrets.encode(Secrets(0, "1", [])), pod_secrets.encode(AllSecrets(0))])
    assert (await waits(link, "1")).done()
    link.release("1")
    waiting = await waits(link, "1")
    assert not waiting.done()
    await link._take_batch([pod_secrets.encode(Secrets(0, "1", []))])
    async with asyncio.timeout(20):
        await waiting


async def test_a_guild_that_the_api_lets_go_is_forgotten_and_waited_for_if_it_is_here_all_the_same(
    sink: Sink, tmp_path: Path
) -> None:
    link = SecretLink("http://api", "pod-0", tmp_path, token=Token("t"), sink=sink, clock=Clock())
    await link._take_batch([pod_secrets.encode(Secrets(0, "1", [secret("A")]))])
    await link._take_batch([pod_secrets.encode(AllSecrets(0)), pod_secrets.encode(Release(0, "1"))])
    assert sink.knows["1"] == []
    waiting = await waits(link, "1")
    assert not waiting.done()
    waiting.cancel()


# ---------------------------------------------------------------- who wins

names = st.lists(st.sampled_from("ABCDE"), unique=True)


@given(operator=names, api=names)
def test_kubernetes_wins_by_name_and_nothing_else_is_left_out(operator: list[str], api: list[str]) -> None:
    layers = SecretLayers()
    layers.from_api("1", [secret(name, "api") for name in api])
    layers.from_operator("1", [secret(name, "kubernetes") for name in operator])
    found = {each.name: each.value for each in layers.of("1")}
    assert found == {**dict.fromkeys(api, "api"), **dict.fromkeys(operator, "kubernetes")}
    layers.release("1")
    assert {each.name for each in layers.of("1")} == set(api)
    layers.from_api("1", [])
    assert layers.of("1") == []


def test_one_of_kubernetes_without_a_value_is_not_replaced_by_another() -> None:
    """It is missing there, which its status says; another value in its place would hide that."""
    layers = SecretLayers()
    layers.from_api("1", [secret("A", "api")])
    layers.from_operator("1", [secret("A", None)])
    assert [each.value for each in layers.of("1")] == [None]
