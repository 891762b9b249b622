"""One shard's connection to Discord, kept up for the life of the process.

The loop decides after each end of a connection whether to resume or to identify anew; discord.py's own loop
dies when the very first dial fails, and takes ECONNRESET on Linux for something it cannot resume from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import discord
import yarl
from discord.gateway import ReconnectWebSocket
from msgspec import Raw

from flora_core.errors import FloraError
from flora_core.streams import Backoff
from flora_core.telemetry import logger
from flora_gateway import metrics
from flora_gateway.shards.identify import IdentifyGate
from flora_gateway.shards.sessions import LowWater, Session, SessionStore
from flora_gateway.shards.socket import GatewayGarbage, RawSocket

CONNECT_SECONDS: Final = 30.0
SAVE_SECONDS: Final = 0.25
SAVE_AGAIN_SECONDS: Final = 60.0
"""A session that does not move on is written down again all the same: what keeps it may have lost it."""
GARBAGE_LIMIT: Final = 3
"""Connections in a row that may end in garbage before the session is given up."""

RESUME_URL_DIALS: Final = 3
"""Failed dials in a row after which a resume is tried at the ordinary address: the host that a session names
may be gone, the session need not be."""

FATAL: Final = {
    4004: "Discord does not know this token; check DISCORD_TOKEN",
    4010: "Discord wants another shard count; set DISCORD_SHARD_COUNT=0",
    4011: "this bot needs more shards; set DISCORD_SHARD_COUNT=0",
    4012: "Discord no longer speaks this version of the gateway",
    4013: "Discord does not know an intent that was asked for",
    4014: "this bot was not granted message content or members: grant them in Discord's developer portal "
    "(Bot > Privileged Gateway Intents), or set DISCORD_PRIVILEGED_INTENTS=false",
}
"""Close codes after which dialling again is of no use (Discord: topics/opcodes-and-status-codes)."""

_log = logger(__name__)


class ShardRefused(FloraError):
    """Discord will not have this bot; the text says why."""


@dataclass(slots=True)
class Dispatch:
    """An event as a shard hands it on. ``low_water`` must hear what becomes of it."""

    shard: int
    session: str
    low_water: LowWater
    type: str
    sequence: int
    data: Raw


OnDispatch = Callable[[Dispatch], None]


class Shard:
    """``run`` keeps the connection up until ``leave``, which makes the session ready to be resumed."""

    def __init__(
        self,
        index: int,
        count: int,
        *,
        client: discord.Client,
        gateway_url: str,
        gate: IdentifyGate,
        store: SessionStore,
        on_dispatch: OnDispatch,
    ) -> None:
        self.index: Final = index
        self._count = count
        self._client = client
        self._first_gateway = yarl.URL(gateway_url)
        self._gate = gate
        self._store = store
        self._on_dispatch = on_dispatch
        self._socket: RawSocket | None = None
        self._session: Session | None = None
        self._low_water = LowWater()
        self._saved: Session | None = None
        self._saved_at = 0.0
        self._backoff = Backoff(first=0.25, longest=60.0)
        self._garbage = 0
        self._failed_dials = 0
        self._leaving = False
        self.connected = self.was_connected = False

    async def run(self) -> None:
        """Dial, read, dial again until ``leave``; raises ShardRefused when that is of no use."""
        await self._take_up_session()
        while not self._leaving:
            try:
                await self._connect_and_read()
            except ReconnectWebSocket as end:
                if not end.resume:
                    await self._forget_session()
            except discord.ConnectionClosed as end:
                if end.code in FATAL:
                    raise ShardRefused(f"shard {self.index}: {FATAL[end.code]}") from None
            except GatewayGarbage as error:
                await self._met_garbage(error)
            except (OSError, aiohttp.ClientError, TimeoutError, discord.DiscordException) as error:
                self._failed_dials += 1
                _log.warning("shard_dial_failed", shard=self.index, error=str(error) or repr(error))
            finally:
                self._disconnected()
            if not self._leaving:
                await self._backoff.pause()

    async def keep_saving(self) -> None:
        """Write the session down whenever it moved on; until cancelled."""
        while True:
            await asyncio.sleep(SAVE_SECONDS)
            await self.save()

    async def leave(self) -> None:
        """Close so that Discord keeps the session (any code but 1000 and 1001), and write it down.

        ``run`` is to go on meanwhile: a reader that was cancelled takes the closing handshake along, and what
        had not been read yet makes the kernel reset the connection before Discord has seen the code.
        """
        self._leaving = True
        socket = self._socket
        if socket is not None:
            socket.stop()
            await socket.close(code=4000)
        await self.save()

    # ---------------------------------------------------------------- RawSocket's sink

    def on_dispatch(self, type_: str, sequence: int, data: Raw) -> None:
        if type_ in ("READY", "RESUMED"):
            self._session_is_up(type_, sequence)
        session = self._session
        if session is None:
            return
        self._on_dispatch(Dispatch(self.index, session.session_id, self._low_water, type_, sequence, data))

    # ---------------------------------------------------------------- inside

    async def _connect_and_read(self) -> None:
        session = self._session
        # "initial": discord.py sleeps five seconds before any other IDENTIFY; the gate knows better.
        options: dict[str, Any] = {
            "shard_id": self.index,
            "gateway": self._first_gateway,
            "initial": True,
        }
        how = "identify"
        if session is not None:
            how = "resume"
            options |= {"session": session.session_id, "sequence": session.sequence, "resume": True}
            if self._failed_dials < RESUME_URL_DIALS:
                options["gateway"] = yarl.URL(session.resume_url)
        else:
            await self._gate.wait(self.index)
        metrics.dials.labels(how, "dialled").inc()
        async with asyncio.timeout(CONNECT_SECONDS):
            self._socket = socket = await RawSocket.from_client(self._client, **options)
        socket.sink = self
        while True:
            await socket.poll_event()

    def _session_is_up(self, type_: str, sequence: int) -> None:
        socket = self._socket
        assert socket is not None
        assert socket.session_id is not None
        if type_ == "READY":
            self._low_water = LowWater(sequence)
            metrics.dials.labels("identify", "ready").inc()
        else:
            metrics.dials.labels("resume", "resumed").inc()
        self._session = Session(socket.session_id, str(socket.gateway), self._low_water.mark, self._count)
        self.connected = self.was_connected = True
        self._backoff.reset()
        self._garbage = self._failed_dials = 0
        metrics.shards_up.inc()
        _log.info("shard_connected", shard=self.index, how=type_.lower())

    def _disconnected(self) -> None:
        if self.connected:
            metrics.shards_up.dec()
        self.connected = False
        socket = self._socket
        if socket is not None:
            socket.stop()
            if self._session is not None and socket.sequence is not None:
                # This process has everything the socket received, so a resume goes on from there.
                self._session = Session(
                    self._session.session_id, str(socket.gateway), socket.sequence, self._count
                )

    async def _take_up_session(self) -> None:
        """A session of an earlier process, if it can be resumed."""
        session = await self._store.load(self.index)
        if session is not None and session.shard_count == self._count:
            self._session = session
            self._low_water = LowWater(session.sequence)
            _log.info("session_found", shard=self.index, sequence=session.sequence)

    async def _met_garbage(self, error: GatewayGarbage) -> None:
        metrics.garbage.inc()
        self._garbage += 1
        _log.warning("gateway_garbage", shard=self.index, error=str(error))
        if self._garbage >= GARBAGE_LIMIT:
            await self._forget_session()

    async def _forget_session(self) -> None:
        _log.info("session_given_up", shard=self.index)
        self._session = None
        self._low_water = LowWater()
        await self.save()

    async def save(self) -> None:
        """Write the session down, if it moved on since the last time."""
        session = self._session
        if session is not None:
            session = Session(
                session.session_id, session.resume_url, self._low_water.mark, session.shard_count
            )
        now = asyncio.get_running_loop().time()
        if session != self._saved or (session is not None and now - self._saved_at > SAVE_AGAIN_SECONDS):
            self._saved, self._saved_at = session, now
            metrics.session_saves.inc()
            await self._store.save(self.index, session)
