"""`gateway-events`: events from Discord's socket to the pods' streams, against discord.py taking them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from bench.flora import control_plane, free_port, plain_bot, start_gateway, until_ready
from bench.machine import Meter, median
from bench.pod_reader import PodReader, pod_reader
from bench.processes import Child, ProcessFailed, running
from bench.rows import Row
from bench.stub_client import FLORA, PLAIN, Stub, stub_discord
from flora_core.identity import Role

EVENTS: Final = 30_000
WARM_EVENTS: Final = 5_000
PAIRS: Final = 5
PATIENCE_SECONDS: Final = 30.0

EVENTS_BAR: Final = 20_000
RATIO_BAR: Final = 1.5


async def gateway_figures(folder: Path) -> AsyncGenerator[Row]:
    """Gateway and plain bot take the same number of events in turn, from the same stub."""
    async with (
        stub_discord(folder) as stub,
        control_plane() as control,
        plain_bot(folder, stub.url, "count") as bot,
    ):
        control.route_all()
        gateway = await start_gateway(control, stub.url, folder=folder, port=free_port())
        async with running(gateway):
            await until_ready(gateway)
            async with pod_reader(gateway.url, control.tokens[Role.RUNTIME]) as reader:
                await stub.connected(PLAIN)
                await stub.connected(FLORA)
                await asyncio.sleep(0.5)  # until the subscriptions are there
                yield await _compare(stub, gateway, reader, bot)


async def _compare(stub: Stub, gateway: Child, reader: PodReader, bot: Child) -> Row:
    ours: list[float] = []
    theirs: list[float] = []
    stub_busy: list[float] = []
    await _through_gateway(stub, gateway, reader, WARM_EVENTS)
    await _through_bot(stub, bot, WARM_EVENTS)
    for _ in range(PAIRS):
        rate, busy = await _through_gateway(stub, gateway, reader, EVENTS)
        ours.append(rate)
        stub_busy.append(busy)
        theirs.append(await _through_bot(stub, bot, EVENTS))
    value = median(ours)
    ratio = median(a / b for a, b in zip(ours, theirs, strict=True))
    return Row(
        name="gateway-events",
        value=value,
        unit="events/s",
        baseline=median(theirs),
        ratio=ratio,
        target=f">= {EVENTS_BAR:,}/s and >= {RATIO_BAR} x discord.py",
        ok=value >= EVENTS_BAR and ratio >= RATIO_BAR,
        note=f"1 KB MESSAGE_CREATE, zlib-stream, {EVENTS:,} at a time, to one pod that acknowledges; per "
        f"second of the gateway's CPU time; baseline: on_message of a plain bot; "
        f"stub {median(stub_busy):.0%} busy",
        runs=ours,
    )


async def _through_gateway(stub: Stub, gateway: Child, reader: PodReader, count: int) -> tuple[float, float]:
    """Events a second of CPU time, and how busy the stub was."""
    reader.expect(count)
    meter = Meter([gateway.pid])
    blast = await stub.blast(FLORA, count=count)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await reader.enough.wait()
    except TimeoutError:
        raise ProcessFailed(f"{reader.events:,} of {count:,} events reached the pod") from None
    return count / meter.cpu, blast.cpu / blast.seconds


async def _through_bot(stub: Stub, bot: Child, count: int) -> float:
    assert bot.process.stdin is not None
    bot.process.stdin.write(b"%d\n" % count)
    await bot.process.stdin.drain()
    meter = Meter([bot.pid])
    await stub.blast(PLAIN, count=count)
    await bot.line(seconds=PATIENCE_SECONDS)
    return count / meter.cpu
