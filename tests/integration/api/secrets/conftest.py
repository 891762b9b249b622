"""The API's secrets on a real Postgres, asked over HTTP by people and over a socket by pods."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from flora_api.app import make_app
from flora_api.secrets.routes import router
from flora_api.secrets.service import SecretService, open_secrets
from flora_core.database import Database
from flora_core.ids import GuildId, PodName
from tests.integration.api.played_guard import PlayedGuard
from tests.integration.database.conftest import database, postgres, url
from tests.waiting import until

__all__ = ["database", "postgres", "url"]

GUILD, OTHER = GuildId("100"), GuildId("200")
POD = PodName("flora-runtime-0")
KEYS = SecretStr(f"k1:{base64.b64encode(b'a' * 32).decode()}")
NEW_KEYS = SecretStr(f"k2:{base64.b64encode(b'b' * 32).decode()},{KEYS.get_secret_value()}")


class PlayedPlacement:
    """A route table that the test writes."""

    def __init__(self) -> None:
        self.revision = 0
        self._guilds: dict[PodName, set[GuildId]] | None = None
        self._changed = asyncio.Event()

    def place(self, pod: PodName, *guilds: GuildId) -> None:
        """``pod`` has these and no others."""
        self._guilds = {**(self._guilds or {}), pod: set(guilds)}
        self.revision += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def guilds_of(self, pod: PodName) -> set[GuildId] | None:
        return self._guilds.get(pod, set()) if self._guilds is not None else None

    async def wait_beyond(self, revision: int) -> None:
        while self.revision <= revision:
            await self._changed.wait()


class People:
    """Somebody with a token, at the API's door."""

    def __init__(self, service: SecretService, **options: Any) -> None:
        self.service = service
        self.guard = PlayedGuard()
        self.headers = self.guard.let("ann", GUILD)
        app = make_app(self.guard, [router(service, **options)])
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False),
            base_url="http://api/api",
            headers=self.headers,
        )

    async def put(self, name: str, value: str, *hosts: str, guild: str = GUILD) -> httpx.Response:
        body = {"value": value, "allowed_hosts": list(hosts)}
        return await self.http.put(f"/secrets/{guild}/{name}", json=body)

    async def bulk(self, **secrets: str) -> httpx.Response:
        body = {"secrets": [{"name": name, "value": value} for name, value in secrets.items()]}
        return await self.http.post(f"/secrets/{GUILD}/bulk", json=body)

    async def names(self) -> list[str]:
        return [row["name"] for row in (await self.http.get(f"/secrets/{GUILD}")).json()]


@pytest.fixture
def placement() -> PlayedPlacement:
    return PlayedPlacement()


@pytest.fixture
async def service(database: Database) -> AsyncIterator[SecretService]:
    async with open_secrets(database, KEYS, ask_seconds=0.1) as service:
        changes = service._changes
        assert changes is not None
        await until(lambda: changes.position)  # else its first answer has everything told again
        yield service


@pytest.fixture
async def ann(service: SecretService) -> AsyncIterator[People]:
    people = People(service)
    async with people.http:
        yield people
