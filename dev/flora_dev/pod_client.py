"""Asking the runtime pod about its guilds, over the routes that the API will use in a cluster."""

from __future__ import annotations

import io
from typing import Any, Final, TypeVar

import aiohttp
import msgspec

from flora_core.errors import FloraError
from flora_core.ids import GuildId
from flora_core.wire import UNREADABLE
from flora_core.wire.gateway import OpError
from flora_core.wire.guilds import CronJob, CronRan, RunCron

ANSWER_SECONDS: Final = 90.0
"""Longer than a job may run when somebody waits for its end."""

T = TypeVar("T")


class PodRefused(FloraError):
    """The pod said no; ``error`` is what it said."""

    def __init__(self, error: OpError) -> None:
        super().__init__(error.message)
        self.error = error


class PodClient:
    """One pod's routes. Methods raise PodRefused."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        self._session = session
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}

    async def kv(self, guild: GuildId, call: str, **args: Any) -> Any:
        """A KV op; what it answers."""
        return await self._ask("POST", f"/v1/guilds/{guild}/kv/{call}", msgspec.json.encode(args), object)

    async def crons(self, guild: GuildId) -> list[CronJob]:
        """The guild's jobs."""
        return await self._ask("GET", f"/v1/guilds/{guild}/crons", None, list[CronJob])

    async def run_cron(self, guild: GuildId, name: str) -> CronRan:
        """Run a job and wait for its end."""
        body = msgspec.json.encode(RunCron(name))
        return await self._ask("POST", f"/v1/guilds/{guild}/crons/run", body, CronRan)

    async def forward(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Pass somebody's request on; status and body of the answer."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        async with self._session.request(
            method,
            self._url + path,
            data=io.BytesIO(body) if body else None,
            headers=self._headers,
            timeout=timeout,
        ) as response:
            return response.status, await response.read()

    async def _ask(self, method: str, path: str, body: bytes | None, into: type[T]) -> T:
        try:
            status, answer = await self.forward(method, path, body or b"")
            if status != 200:
                raise PodRefused(msgspec.json.decode(answer, type=OpError))
            return msgspec.json.decode(answer, type=into)
        except (aiohttp.ClientError, TimeoutError) as error:
            why = str(error) or type(error).__name__
            raise PodRefused(OpError("POD_UNREACHABLE", f"the runtime pod does not answer: {why}")) from None
        except UNREADABLE as error:
            raise PodRefused(OpError("POD_UNREACHABLE", f"the pod's answer is odd: {error}")) from None
