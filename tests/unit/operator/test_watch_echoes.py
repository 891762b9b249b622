"""Lines of a watch that are the echo of our own writes, and those that only look like it."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from flora_operator.kube.echoes import IsKnown, News, Version, is_echo, without_echoes
from flora_operator.status import NOTHING, AssignmentStatus, Condition, Status, to_document

STATUS = Status(
    observed_generation=3,
    conditions=(
        Condition("Assigned", "True", "Assigned", "it is", "2026-01-01T00:00:00Z", 3),
        Condition("Ready", "False", "Loading", "soon", "2026-01-01T00:00:00Z", 3),
    ),
    assignment=AssignmentStatus(pod="flora-runtime-1", revision=2, bundle="ab" * 32),
)


def line(kind: str = "MODIFIED", *, version: str = "7", uid: str = "u-1", status: Any = None) -> bytes:
    """As the API server writes it."""
    metadata = {"name": "guild-1", "namespace": "flora", "uid": uid, "resourceVersion": version}
    made = {
        "apiVersion": "flora.uwu.network/v1alpha1",
        "kind": "GuildDeployment",
        "metadata": {**metadata, "generation": 3, "managedFields": [{"manager": "kubectl"}]},
        "spec": {"guildId": "1", "source": {"entrypoint": "a.ts", "files": {"a.ts": '\u2028 "}"' * 50}}},
        "status": to_document(STATUS) if status is None else status,
    }
    return json.dumps({"type": kind, "object": made}).encode() + b"\n"


def knows(key: tuple[str, str], version: Version, status: Status) -> bool:
    """What an operator says that wrote ``STATUS`` and was answered version 7."""
    return (key, version.uid, version.resource_version, status) == (("flora", "guild-1"), "u-1", "7", STATUS)


def test_a_write_of_ours_comes_back_as_an_echo() -> None:
    assert is_echo(line(), knows)


def test_the_order_of_conditions_is_the_servers_business() -> None:
    document = to_document(STATUS)
    assert is_echo(line(status={**document, "conditions": document["conditions"][::-1]}), knows)


@pytest.mark.parametrize(
    "news",
    [
        line("ADDED"),
        line("DELETED"),
        line("BOOKMARK"),
        line("ERROR"),
        line(version="8"),
        line(uid="u-2"),
        line(status={}),
        line(status={**to_document(STATUS), "observedGeneration": 4}),
        line(status="no status"),
        b'{"type": "MODIFIED", "object": {}}\n',
        b'{"type": "ERROR", "object": {"kind": "Status", "code": 410}}\n',
        b'{"type": "MODIFIED"\n',
        b"\xff\xfe\n",
        b"\n",
        b"",
    ],
)
def test_what_is_anything_else_is_news(news: bytes) -> None:
    assert not is_echo(news, knows)


@given(st.binary())
def test_no_line_is_too_strange_to_be_looked_at(strange: bytes) -> None:
    assert not is_echo(strange, knows)


def test_an_object_without_a_status_is_compared_too() -> None:
    bare = json.loads(line())
    del bare["object"]["status"]
    seen: list[Status] = []

    def known(_key: tuple[str, str], _version: Version, status: Status) -> bool:
        seen.append(status)
        return True

    assert is_echo(json.dumps(bare).encode(), known)
    assert seen == [NOTHING]


class _Stream:
    """A body that arrives in pieces."""

    def __init__(self, *lines: bytes) -> None:
        self._lines = lines

    async def __aiter__(self) -> Any:
        for one in self._lines:
            await asyncio.sleep(0)
            yield one

    def exception(self) -> str:
        return "the body's own"


async def read(*lines: bytes, is_known: IsKnown = knows) -> list[bytes]:
    """What is left of a body."""
    news = News(cast("aiohttp.StreamReader", _Stream(*lines)), is_known)
    return [chunk async for chunk in news.iter_chunked(1 << 20)]


async def test_echoes_are_taken_out_and_the_rest_stays_in_order() -> None:
    first, second, third = line("ADDED"), line(version="8"), line("DELETED")
    assert await read(first, line(), second, line(), line(), third) == [first, second, third]


async def test_a_body_of_echoes_alone_ends_as_the_body_does() -> None:
    assert await read(line(), line()) == []


async def test_what_else_is_asked_of_a_body_is_the_bodys() -> None:
    news: Any = News(cast("aiohttp.StreamReader", _Stream()), knows)
    assert news.exception() == "the body's own"


async def test_only_watches_are_read_so() -> None:
    async def serve(request: web.Request) -> web.Response:
        return web.Response(body=line() + line("ADDED"), status=int(request.query.get("status", "200")))

    app = web.Application()
    app.router.add_get("/", serve)
    async with (
        TestServer(app) as server,
        aiohttp.ClientSession(middlewares=[without_echoes(knows)]) as session,
    ):
        async with session.get(server.make_url("/?watch=true")) as response:
            assert [chunk async for chunk in response.content.iter_chunked(1 << 20)] == [line("ADDED")]
        for other in ("/", "/?watch=false", "/?watch=true&status=410"):
            async with session.get(server.make_url(other)) as response:
                assert await response.read() == line() + line("ADDED")
