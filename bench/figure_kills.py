"""`worker-kill-…`, `gateway-kill-…`: what kill -9 costs while messages keep coming."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import payloads
from bench.flora import Flora, flora
from bench.machine import median
from bench.rows import Row
from bench.stub_client import FLORA, Message, Messages, Stub, stub_discord

RATE: Final = 100
"""Messages a second."""

WORKER_KILLS: Final = 3
WORKER_SECONDS: Final = 6.0
"""Between two kills: a worker that lived for less than 5 s is restarted with a pause."""
BEFORE_SECONDS: Final = 1.0

GATEWAY_KILLS: Final = 3
GATEWAY_SECONDS: Final = 6.0
PATIENCE_SECONDS: Final = 15.0
IN_FLIGHT_SECONDS: Final = 0.25
"""A message that was written this shortly before a kill may have been with the worker."""

RECOVERY_BAR: Final = 500
LONGEST_BAR: Final = 200 + 5 * payloads.GUILDS


@dataclass(slots=True)
class Kill:
    """One kill, and what became of the messages around it."""

    at: float
    messages: Messages

    @property
    def longest_wait(self) -> float:
        """Milliseconds that the unluckiest of the messages that were written after the kill waited."""
        waits = [m.answered - m.at for m in self.messages.messages if m.at >= self.at and m.answered]
        return max(waits, default=0.0) * 1000

    @property
    def first_answer(self) -> float:
        """Milliseconds until a message that was written after the kill had its answer."""
        answers = [m.answered for m in self.messages.messages if m.at >= self.at and m.answered]
        return (min(answers) - self.at) * 1000 if answers else 0.0

    @property
    def in_flight_lost(self) -> int:
        """Messages that were being handled when it happened."""
        return sum(not m.answered and self._in_flight(m) for m in self.messages.messages)

    @property
    def others_lost(self) -> int:
        """Messages that were written afterwards, or long before, and never answered."""
        return sum(not m.answered and not self._in_flight(m) for m in self.messages.messages)

    def _in_flight(self, message: Message) -> bool:
        return self.at - IN_FLIGHT_SECONDS <= message.at < self.at


async def worker_kill_figures(folder: Path) -> AsyncGenerator[Row]:
    """The worker is killed; its supervisor replaces it, and guilds come back with their next message."""
    async with stub_discord(folder) as stub, flora(folder, stub.url) as system:
        await stub.connected(FLORA)
        await stub.flood(FLORA, count=4 * payloads.GUILDS)
        kills = [await _kill_worker(stub, system) for _ in range(WORKER_KILLS)]
    recovery = median(kill.first_answer for kill in kills)
    longest = median(kill.longest_wait for kill in kills)
    lost = sum(kill.others_lost for kill in kills)
    in_flight = sum(kill.in_flight_lost for kill in kills)
    yield Row(
        name="worker-kill-recovery",
        value=recovery,
        unit="ms",
        target=f"<= {RECOVERY_BAR} ms",
        ok=recovery <= RECOVERY_BAR,
        note=f"kill -9 at {RATE} messages/s to {payloads.GUILDS} guilds; until the first answer to a message "
        f"written after it, median of {len(kills)} kills",
        runs=[kill.first_answer for kill in kills],
    )
    yield Row(
        name="worker-kill-longest",
        value=longest,
        unit="ms",
        target=f"<= {LONGEST_BAR:,} ms",
        ok=longest <= LONGEST_BAR,
        note="longest wait of a message written after the kill: for two seconds each goes to a guild that "
        "must be loaded again, and loads queue up; the bar is 200 ms and 5 ms a guild",
        runs=[kill.longest_wait for kill in kills],
    )
    yield Row(
        name="worker-kill-lost",
        value=lost,
        unit="messages",
        target="0",
        ok=lost == 0,
        note=f"never answered, though not with the worker when it was killed; of those that were, "
        f"{in_flight} were lost in {len(kills)} kills",
    )


async def _kill_worker(stub: Stub, system: Flora) -> Kill:
    load = asyncio.create_task(stub.pace(FLORA, rate=RATE, seconds=WORKER_SECONDS, patience=5))
    try:
        await asyncio.sleep(BEFORE_SECONDS)
        os.kill(system.worker, signal.SIGKILL)
        at = time.monotonic()
        return Kill(at, await load)
    finally:
        load.cancel()


async def gateway_kill_figures(folder: Path) -> AsyncGenerator[Row]:
    """The gateway is killed and started anew, as Kubernetes does; Discord replays on RESUME."""
    async with stub_discord(folder) as stub, flora(folder, stub.url) as system:
        await stub.connected(FLORA)
        await stub.flood(FLORA, count=4 * payloads.GUILDS)
        before = await stub.stats(FLORA)
        kills = [await _kill_gateway(stub, system) for _ in range(GATEWAY_KILLS)]
        after = await stub.stats(FLORA)
    unanswered = sum(sum(not m.answered for m in kill.messages.messages) for kill in kills)
    resumed = after.resumed - before.resumed
    yield Row(
        name="gateway-kill-unanswered",
        value=unanswered,
        unit="messages",
        target="0",
        ok=unanswered == 0 and resumed == len(kills),
        note=f"kill -9 at {RATE} messages/s, then a new process, {len(kills)} times, {resumed} RESUMEs with "
        f"{after.replayed - before.replayed} events replayed; longest wait "
        f"{median(kill.longest_wait for kill in kills) / 1000:.1f} s; replies seen twice "
        f"{sum(kill.messages.duplicates for kill in kills)}, kept from it by their nonce "
        f"{after.repeated_nonces - before.repeated_nonces}",
        runs=[float(sum(not m.answered for m in kill.messages.messages)) for kill in kills],
    )


async def _kill_gateway(stub: Stub, system: Flora) -> Kill:
    load = asyncio.create_task(
        stub.pace(FLORA, rate=RATE, seconds=GATEWAY_SECONDS, patience=PATIENCE_SECONDS)
    )
    try:
        await asyncio.sleep(BEFORE_SECONDS)
        at = time.monotonic()
        await system.gateway.kill()
        await system.start_gateway()
        return Kill(at, await load)
    finally:
        load.cancel()
