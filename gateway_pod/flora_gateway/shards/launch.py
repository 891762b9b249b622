"""All shards of the bot: log in, ask Discord how many there should be, keep them running."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Final

import aiohttp
import discord

from flora_core.errors import InvalidSettings
from flora_core.events import INTENTS, PRIVILEGED
from flora_core.streams import Backoff
from flora_core.telemetry import logger
from flora_gateway.settings import DiscordSettings
from flora_gateway.shards.identify import IdentifyGate
from flora_gateway.shards.sessions import SessionStore
from flora_gateway.shards.shard import OnDispatch, Shard, ShardRefused
from flora_gateway.shards.socket import point_at, self_test

LEAVE_SECONDS: Final = 3.0
GUILDS_A_PAGE: Final = 200
"""Discord's limit (resources/user, "Get Current User Guilds")."""

_log = logger(__name__)


@dataclass(slots=True, frozen=True)
class Bot:
    """Who we are, as Discord says."""

    user_id: str
    application_id: str


class Shards:
    """``run`` keeps all of them connected until cancelled."""

    def __init__(self, settings: DiscordSettings, *, api_url: str, on_dispatch: OnDispatch) -> None:
        self_test()
        point_at(api_url)
        self._settings = settings
        self._on_dispatch = on_dispatch
        self._client = discord.Client(
            intents=_intents(privileged=settings.privileged_intents),
            max_messages=None,
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
        )
        self._shards: list[Shard] = []

    async def log_in(self) -> Bot:
        """Check the token; raises InvalidSettings when Discord does not know it."""
        backoff = Backoff(first=0.25, longest=30.0)
        while True:
            try:
                await self._client.login(self._settings.token.get_secret_value())
            except discord.LoginFailure:
                raise InvalidSettings("DISCORD_TOKEN: Discord does not know this token") from None
            except (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError) as error:
                _log.warning("login_failed", error=str(error) or repr(error))
                await self._drop_session()
                await backoff.pause()
            else:
                break
        user = self._client.user
        assert user is not None
        return Bot(str(user.id), str(self._client.application_id))

    async def _drop_session(self) -> None:
        """Each login makes a session and leaves the one before open; one takes its connector along."""
        await self._client.http.close()
        self._client.http.connector = discord.utils.MISSING

    async def run(self, store: SessionStore) -> None:
        """Connect every shard, under Discord's identify limits; raises ShardRefused."""
        count, url, start_limit = await self._client.http.get_bot_gateway()
        count = self._settings.shard_count or count
        gate = IdentifyGate(start_limit["max_concurrency"])
        self._client._connection.shard_count = count  # noqa: SLF001  read by IDENTIFY
        self._shards = [
            Shard(
                index,
                count,
                client=self._client,
                gateway_url=url,
                gate=gate,
                store=store,
                on_dispatch=self._on_dispatch,
            )
            for index in range(count)
        ]
        _log.info("shards_starting", count=count, identifies_left=start_limit["remaining"])
        try:
            async with asyncio.TaskGroup() as tasks:
                for shard in self._shards:
                    tasks.create_task(shard.run())
                    tasks.create_task(shard.keep_saving())
        except* ShardRefused as group:
            raise group.exceptions[0] from None

    async def list_guilds(self) -> list[str]:
        """The guilds the bot is in, as REST tells, however long that takes."""
        guilds: list[str] = []
        backoff = Backoff(first=0.25, longest=30.0)
        while True:
            after = discord.Object(guilds[-1]).id if guilds else None
            try:
                page = await self._client.http.get_guilds(GUILDS_A_PAGE, after=after, with_counts=False)
            except (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError) as error:
                _log.warning("guilds_not_listed", error=str(error) or repr(error))
                await backoff.pause()
                continue
            guilds += [str(guild["id"]) for guild in page]
            if len(page) < GUILDS_A_PAGE:
                return guilds

    @property
    def count(self) -> int:
        """How many shards there are; 0 before ``run`` has asked."""
        return len(self._shards)

    def not_serving(self) -> str | None:
        """Why events do not come as they should, in a line; None when they do.

        Every shard has to have been connected once. After that Discord has it dial again every now and then,
        and pods need the gateway all the same: only all of them at once make a difference.
        """
        if not self._shards:
            return "not logged in at Discord yet"
        waiting = sum(not shard.was_connected for shard in self._shards)
        if waiting:
            return f"{waiting} of {self.count} shards have not connected yet"
        return None if any(shard.connected for shard in self._shards) else "no shard is connected"

    async def leave(self) -> None:
        """Close all connections so that the sessions can be resumed; ``run`` is to be cancelled after it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS), asyncio.TaskGroup() as tasks:
                for shard in self._shards:
                    tasks.create_task(shard.leave())

    async def end(self) -> None:
        """Write the sessions down a last time, now that pods have acknowledged what they will."""
        for shard in self._shards:
            await shard.save()
        await self._client.http.close()


def _intents(*, privileged: bool) -> discord.Intents:
    """What the table of events needs and no more: Discord does not even send the rest."""
    names = INTENTS if privileged else INTENTS - PRIVILEGED
    return discord.Intents(**dict.fromkeys(names, True))
