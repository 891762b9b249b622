"""The pod's face of ``fetch``: a script's calls in, answers out, and everything of a guild cancelled at once.

One task a fetch; each answers exactly once, also when it is cancelled.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import msgspec
from msgspec import Raw

from flora_core.errors import InvalidInput
from flora_core.ids import GuildId
from flora_core.telemetry import logger
from flora_core.wire.control import Secret
from flora_core.wire.gateway import OpError
from flora_runtime.fetch import attachments, calls, limits, metrics
from flora_runtime.fetch.address import AddressRules
from flora_runtime.fetch.body import BodyBudget
from flora_runtime.fetch.calls import Fetch, Response
from flora_runtime.fetch.client import Client
from flora_runtime.fetch.errors import FetchRefused
from flora_runtime.fetch.placeholders import Exchange, GuildSecrets
from flora_runtime.fetch.resolver import Lookup, Resolver, system_lookup
from flora_runtime.fetch.turns import Turns

Answer = Callable[[bool, bytes], None]
"""Whether it worked, and JSON: the result, or an ``OpError``."""

HOUSEKEEPING_SECONDS: Final = 30.0

_log = logger(__name__)
_encode: Final = msgspec.json.Encoder().encode


class FetchService:
    """One a pod. Belongs to the loop it is made in."""

    def __init__(
        self,
        rules: AddressRules,
        *,
        at_once: int,
        a_minute: int,
        lookup: Lookup = system_lookup,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._resolver = Resolver(rules, lookup=lookup)
        self._client = Client(self._resolver, budget=BodyBudget(), tls=tls)
        self._turns = Turns(at_once=at_once, a_minute=a_minute)
        self._secrets: dict[GuildId, GuildSecrets] = {}
        self._tasks: dict[GuildId, dict[int, asyncio.Task[bytes]]] = {}

    async def run(self) -> None:
        """Keep house until cancelled."""
        while True:
            await asyncio.sleep(HOUSEKEEPING_SECONDS)
            self._turns.forget_idle(time.monotonic())

    def close(self) -> None:
        """Cancel everything."""
        for guild in list(self._tasks):
            self.cancel(guild)
        self._resolver.close()

    # ---------------------------------------------------------------- calls

    def call(self, guild: GuildId, id_: int, name: str, args: Raw | bytes, answer: Answer) -> None:
        """Carry out the op ``name``; ``answer`` is called once, now or later."""
        try:
            if name == calls.ABORT:
                self._abort(guild, calls.parse_abort(args))
                answer(True, b"null")
                return
            call = calls.parse_fetch(args)
        except InvalidInput as error:
            _fail(answer, FetchRefused("INVALID_INPUT", str(error)))
            return
        self._start(guild, id_, self._fetched(guild, call), answer)

    def fill(self, guild: GuildId, id_: int, args: Raw | bytes, answer: Answer) -> None:
        """Fetch the files that a call names by URL; the answer is the call's arguments with their data."""
        self._start(guild, id_, attachments.with_data(args, partial(self._fetch, guild)), answer)

    def cancel(self, guild: GuildId) -> None:
        """End all fetches of ``guild``: nobody is left to want them."""
        for task in list(self._tasks.get(guild, {}).values()):
            task.cancel()

    # ---------------------------------------------------------------- secrets

    def know(self, guild: GuildId, secrets: list[Secret]) -> dict[str, str]:
        """These are the guild's secrets from now on; what its isolate may know of them, by name."""
        try:
            known = GuildSecrets(secrets)
        except InvalidInput as error:
            _log.warning("secrets_not_usable", guild_id=guild, error=str(error))
            known = GuildSecrets(msgspec.structs.replace(secret, allowed_hosts=[]) for secret in secrets)
        if secrets:
            self._secrets[guild] = known
        else:
            self._secrets.pop(guild, None)
        return known.placeholders

    def placeholders(self, guild: GuildId) -> dict[str, str]:
        """What the guild's isolate may know of its secrets, by name."""
        known = self._secrets.get(guild)
        return known.placeholders if known is not None else {}

    def forget(self, guild: GuildId) -> None:
        """The guild is no longer here."""
        self.cancel(guild)
        self._secrets.pop(guild, None)

    # ---------------------------------------------------------------- inside

    async def _fetched(self, guild: GuildId, call: Fetch) -> bytes:
        response = await self._fetch(guild, call)
        large = len(response.text or response.body or b"") > (128 << 10)
        return await asyncio.to_thread(_encode, response) if large else _encode(response)

    async def _fetch(self, guild: GuildId, call: Fetch) -> Response:
        """Raises FetchRefused."""
        self._turns.admit(guild, time.monotonic())
        async with self._turns.turn(guild):
            exchange = Exchange(self._secrets.get(guild) or GuildSecrets())
            begun = time.monotonic()
            try:
                async with asyncio.timeout(limits.TOTAL_SECONDS):
                    response = await self._client.fetch(guild, call, exchange)
            except TimeoutError:
                text = f"the server had not answered in full after {limits.TOTAL_SECONDS:g} s"
                raise FetchRefused("FETCH_TIMEOUT", text) from None
            finally:
                metrics.seconds.observe(time.monotonic() - begun)
            metrics.fetches["ok"].inc()
            metrics.received.inc(len(response.text or response.body or b""))
            return response

    def _start(self, guild: GuildId, id_: int, work: Awaitable[bytes], answer: Answer) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.setdefault(guild, {})[id_] = task
        task.add_done_callback(partial(self._ended, guild, id_, answer))

    def _ended(self, guild: GuildId, id_: int, answer: Answer, task: asyncio.Task[bytes]) -> None:
        mine = self._tasks[guild]
        del mine[id_]
        if not mine:
            del self._tasks[guild]
        if task.cancelled():
            _fail(answer, FetchRefused("FETCH_FAILED", "the fetch was aborted"), outcome="aborted")
            return
        error = task.exception()
        if error is None:
            answer(True, task.result())
        elif isinstance(error, FetchRefused):
            _fail(answer, error)
        elif isinstance(error, InvalidInput):
            _fail(answer, FetchRefused("INVALID_INPUT", f"Invalid input for {error}"))
        else:  # a fault of ours: its own script hears of it, and the log
            _log.error("fetch_broke", guild_id=guild, error=type(error).__name__, exc_info=error)
            _fail(
                answer, FetchRefused("FETCH_FAILED", "flora could not carry the fetch out"), outcome="broke"
            )

    def _abort(self, guild: GuildId, id_: int) -> None:
        task = self._tasks.get(guild, {}).get(id_)
        if task is not None:
            task.cancel()


def _fail(answer: Answer, refused: FetchRefused, *, outcome: str = "") -> None:
    metrics.fetches[outcome or refused.code.removeprefix("FETCH_").lower()].inc()
    answer(False, _encode(OpError(refused.code, str(refused), retry_after=refused.retry_after)))
