"""A fake Discord, and HTTP clients to it that are closed when a test is over."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from fake_discord import FakeDiscord, self_signed

from flora_gateway.rest.aiohttp_transport import AiohttpTransport
from flora_gateway.rest.pool import LeanTransport
from flora_gateway.rest.transport import Origin, Transport

MakeLean = Callable[..., LeanTransport]
MakeTransport = Callable[..., Transport]


@pytest.fixture
async def discord() -> AsyncIterator[FakeDiscord]:
    async with FakeDiscord() as fake:
        yield fake


@pytest.fixture
async def to_close() -> AsyncIterator[list[Transport]]:
    """Clients to close; after that nothing of theirs may be left."""
    clients: list[Transport] = []
    yield clients
    for client in clients:
        await client.close()
    await asyncio.sleep(0)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not [task for task in left if "flora_gateway" in repr(task.get_coro())]


@pytest.fixture
def make_lean(discord: FakeDiscord, to_close: list[Transport]) -> MakeLean:
    def make(**options: object) -> LeanTransport:
        defaults = {"sweep_seconds": 0.01, "connect_seconds": 0.5}
        origin = Origin("127.0.0.1", discord.port, tls=False)
        client = LeanTransport(origin, **defaults | options)  # type: ignore[arg-type]
        to_close.append(client)
        return client

    return make


@pytest.fixture(params=["lean", "aiohttp"])
def make_transport(
    request: pytest.FixtureRequest, discord: FakeDiscord, make_lean: MakeLean, to_close: list[Transport]
) -> MakeTransport:
    """Makes one or the other client: what is tested with it holds for both."""

    def make(**options: object) -> Transport:
        if request.param == "lean":
            return make_lean(**options)
        client = AiohttpTransport(Origin("127.0.0.1", discord.port, tls=False), **options)  # type: ignore[arg-type]
        to_close.append(client)
        return client

    return make


@pytest.fixture
async def transport(make_transport: MakeTransport) -> Transport:
    return make_transport()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext, Path]:
    """TLS contexts for server and client, and the certificate's file."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: no certificate can be made to test TLS with")
    folder = tmp_path_factory.mktemp("tls")
    server, client = self_signed(folder)
    return server, client, folder / "certificate.pem"
