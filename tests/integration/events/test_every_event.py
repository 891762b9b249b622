"""Each event of the table, from Discord's socket through gateway and runtime pod to its handler in V8."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from flora_core.events import READY, TABLE, EventKind
from flora_simulator.world_spec import DEV_GUILD
from tests.event_samples import KINDS, Samples
from tests.integration.fleet.fleet import Fleet

pytestmark = pytest.mark.asyncio(loop_scope="module")

HANDLES_ALL = (
    f"for (const name of {list(KINDS)}) on(name, (ctx) => console.log('saw', name, typeof ctx.msg));"
)
USER = "300000000000000003"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fleet(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Fleet]:
    """Everything up once, with a script that handles every event."""
    folder: Path = tmp_path_factory.mktemp("fleet")
    running = Fleet(folder)
    await running.start()
    await running.deploy(HANDLES_ALL)
    await running.ready()
    yield running
    await running.stop()


async def samples(fleet: Fleet) -> Samples:
    world = await fleet.people.world()
    guild = next(guild for guild in world["guilds"] if guild["id"] == DEV_GUILD)
    channel = next(channel["id"] for channel in guild["channels"] if channel["name"] == "general")
    return Samples(guild=DEV_GUILD, channel=channel, user=USER)


@pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.name)
@pytest.mark.parity(29, 30, 31, 32, 33)
async def test_an_event_arrives_at_its_handler(fleet: Fleet, kind: EventKind) -> None:
    before = len(fleet.operator.logs)
    if kind.type == READY:
        await fleet.people.invalidate()  # a new session begins with READY
    else:
        await fleet.people.emit(kind.type, (await samples(fleet)).of(kind))
    line = f"saw {kind.name} object"
    await fleet.wait(lambda: any(log.text == line for log in fleet.operator.logs[before:]))
    assert [log.text for log in fleet.operator.logs[before:]] == [line]
