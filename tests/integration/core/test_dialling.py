"""How streams dial in a cluster: names that move to another address, peers that are gone without a word."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast

import pytest
from aiohttp import web

from flora_core import streams
from flora_core.streams import make_session

NAME = "flora-operator.test"


async def served(address: str, text: str, port: int = 0) -> web.AppRunner:
    """A server at one address of this machine that says who it is and hangs up."""
    app = web.Application()

    async def answer(_request: web.Request) -> web.Response:
        response = web.Response(text=text)
        response.force_close()
        return response

    app.router.add_get("/", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, address, port).start()
    return runner


async def test_a_name_is_resolved_anew_for_every_dial(monkeypatch: pytest.MonkeyPatch) -> None:
    old = await served("127.0.0.1", "old")
    port = old.addresses[0][1]
    new = await served("127.0.0.2", "new", port)
    where: list[str] = []
    ask = socket.getaddrinfo

    def resolve(host: Any, *rest: Any, **options: Any) -> Any:
        return ask(where[-1] if host == NAME else host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    async with make_session() as session:
        said: list[str] = []
        for address in ("127.0.0.1", "127.0.0.2", "127.0.0.1"):
            where.append(address)
            async with session.get(f"http://{NAME}:{port}/") as response:
                said.append(await response.text())
    assert said == ["old", "new", "old"]
    await old.cleanup()
    await new.cleanup()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the kernel has no such timeout")
async def test_the_kernel_ends_a_connection_whose_peer_acknowledges_nothing() -> None:
    """Without it an upward stream to a machine that died is believed in for a quarter of an hour."""
    server = await served("127.0.0.1", "x" * (8 << 20))
    url = f"http://127.0.0.1:{server.addresses[0][1]}/"
    async with make_session() as session, session.get(url) as response:
        connection = response.connection
        assert connection is not None
        transport = cast("asyncio.Transport", connection.transport)
        opened = transport.get_extra_info("socket")
        limit = opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert limit == streams.UNACKNOWLEDGED_SECONDS * 1000
    assert limit > streams.SILENCE_SECONDS * 1000, "a peer that is only slow is left to the silence guard"
    await server.cleanup()
