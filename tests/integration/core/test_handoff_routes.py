"""Exports on their way through the operator: only from the pod that hands over, only to the one that takes."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from flora_core import serving
from flora_core.control.handoffs import SHA256_HEADER, HandoffServer, Spool
from flora_core.control.state import DesiredState, Handoff, Stage
from flora_core.identity import Identity, Role, StaticIdentities
from flora_core.ids import GuildId, PodName
from flora_core.wire.control import Assignment
from tests.integration.loopback import listening

A, B, C = PodName("pod-a"), PodName("pod-b"), PodName("pod-c")
TOKENS = {"a": Identity(Role.RUNTIME, A), "b": Identity(Role.RUNTIME, B), "c": Identity(Role.RUNTIME, C)}
OTHERS = {"gateway": Identity(Role.GATEWAY), "api": Identity(Role.API)}
LIMIT = 300_000
DATA = b'{"k":"export"}\n' * 10_000


class Exchange:
    """One handoff, from A to B, and its routes."""

    def __init__(self, folder: Path) -> None:
        self.state = DesiredState()
        self.state.assign(A, Assignment("1", 1, "ab" * 32))
        self.state.hand_off(GuildId("1"), Handoff("h1", B, Stage.LEAVING))
        self.spool = Spool(folder, limit=LIMIT)
        self.spooled: list[str] = []
        self.url = ""
        self.session = aiohttp.ClientSession()

    async def put(
        self, data: bytes = DATA, *, who: str = "a", handoff: str = "h1", sha256: str | None = None
    ) -> int:
        headers = {
            "Authorization": f"Bearer {who}",
            SHA256_HEADER: sha256 if sha256 is not None else hashlib.sha256(data).hexdigest(),
        }
        url = f"{self.url}/v1/handoffs/{handoff}"
        async with self.session.put(url, data=data, headers=headers) as response:
            return response.status

    async def get(self, *, who: str = "b", handoff: str = "h1") -> tuple[int, bytes, str]:
        headers = {"Authorization": f"Bearer {who}"}
        async with self.session.get(f"{self.url}/v1/handoffs/{handoff}", headers=headers) as response:
            return response.status, await response.read(), response.headers.get(SHA256_HEADER, "")


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    exchange = Exchange(tmp_path / "spool")
    app = web.Application()
    identities = StaticIdentities(TOKENS | OTHERS)
    HandoffServer(app, exchange.state, exchange.spool, identities, on_spooled=exchange.spooled.append)
    async with listening(app) as exchange.url:
        yield exchange
    await exchange.session.close()


def files(exchange: Exchange) -> list[str]:
    return sorted(path.name for path in exchange.spool._folder.iterdir())


async def test_what_one_pod_puts_the_other_gets(exchange: Exchange) -> None:
    assert (await exchange.get())[0] == 404, "not yet"
    assert await exchange.put() == 201
    assert exchange.spooled == ["h1"]
    assert await exchange.get() == (200, DATA, hashlib.sha256(DATA).hexdigest())


@pytest.mark.parametrize("who", ["b", "c", "gateway", "api"])
async def test_nobody_else_may_put(exchange: Exchange, who: str) -> None:
    assert await exchange.put(who=who) == 403
    assert files(exchange) == []


@pytest.mark.parametrize("who", ["a", "c", "gateway", "api"])
async def test_nobody_else_may_get(exchange: Exchange, who: str) -> None:
    await exchange.put()
    status, body, _ = await exchange.get(who=who)
    assert status == 403
    assert b"export" not in body


async def test_without_a_token_nobody_gets_anywhere(exchange: Exchange) -> None:
    assert await exchange.put(who="nobody") == 401
    assert (await exchange.get(who="nobody"))[0] == 401


@pytest.mark.parametrize("handoff", ["h2", "..%2Fh1", "%2e%2e"])
async def test_a_handoff_that_is_none_is_not_found(exchange: Exchange, handoff: str) -> None:
    assert await exchange.put(handoff=handoff) in (403, 404)
    assert files(exchange) == []


async def test_bytes_of_another_hash_are_not_kept(exchange: Exchange) -> None:
    assert await exchange.put(sha256="0" * 64) == 422
    assert await exchange.put(sha256="none") == 400
    assert (await exchange.get())[0] == 404
    assert (files(exchange), exchange.spooled) == ([], [])


async def test_an_export_that_is_too_large_is_not_taken(exchange: Exchange) -> None:
    assert await exchange.put(b"x" * LIMIT) == 201
    assert await exchange.put(b"x" * (LIMIT + 1)) == 413
    assert files(exchange) == ["h1.export"]


async def test_an_upload_that_breaks_off_leaves_nothing(exchange: Exchange) -> None:
    async def half() -> AsyncIterator[bytes]:
        yield DATA[:1000]
        raise ConnectionResetError

    headers = {"Authorization": "Bearer a", SHA256_HEADER: hashlib.sha256(DATA).hexdigest()}
    with pytest.raises((aiohttp.ClientError, ConnectionResetError)):
        async with exchange.session.put(f"{exchange.url}/v1/handoffs/h1", data=half(), headers=headers):
            pass
    async with asyncio.timeout(5):
        while files(exchange):
            await asyncio.sleep(0.01)
    assert exchange.spooled == []


async def test_an_upload_that_does_not_go_on_is_given_up(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "UPLOAD_SILENCE_SECONDS", 0.05)

    async def slow() -> AsyncIterator[bytes]:
        yield DATA[:1000]
        await asyncio.sleep(1)

    headers = {"Authorization": "Bearer a", SHA256_HEADER: hashlib.sha256(DATA).hexdigest()}
    async with exchange.session.put(
        f"{exchange.url}/v1/handoffs/h1", data=slow(), headers=headers
    ) as response:
        assert response.status == 408
    assert files(exchange) == []


async def test_put_again_is_the_same(exchange: Exchange) -> None:
    await exchange.put()
    assert await exchange.put() == 201
    assert (await exchange.get())[1] == DATA


async def test_once_the_handoff_is_over_nothing_is_left(exchange: Exchange) -> None:
    await exchange.put()
    exchange.state.hand_off(GuildId("1"), None)
    exchange.spool.drop("h1")
    assert files(exchange) == []
    assert (await exchange.get())[0] == 404
    assert await exchange.put() == 404


async def test_what_an_earlier_process_left_is_deleted(exchange: Exchange) -> None:
    await exchange.put()
    spool = Spool(exchange.spool._folder)
    assert (files(exchange), spool.has("h1")) == ([], False)
