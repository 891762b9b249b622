"""What is kept of sleeping guilds between two processes of a pod."""

from __future__ import annotations

import asyncio
from pathlib import Path

from msgspec import Raw

from flora_core.wire.control import Assignment
from flora_core.wire.pipe import CronIn, LoadedIn
from flora_runtime.supervisor.sleepers import Sleepers

BUNDLE = "ab" * 32
DECLARED = LoadedIn(
    1,
    4.0,
    ["messageCreate"],
    own_messages=True,
    commands=Raw(b'[{"name":"x"}]'),
    crons=[CronIn("c", "* * * * *")],
)


async def rested(sleepers: Sleepers) -> None:
    """Everything is written."""
    task = asyncio.create_task(sleepers.run())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def recalled(folder: Path) -> Sleepers:
    sleepers = Sleepers(folder)
    sleepers.recall()
    return sleepers


async def test_a_guild_that_slept_is_recalled_once(tmp_path: Path) -> None:
    before = Sleepers(tmp_path)
    before.slept("7", BUNDLE, DECLARED)
    await rested(before)
    after = recalled(tmp_path)
    found = after.take(Assignment("7", 3, BUNDLE))
    assert found is not None
    assert (found.events, bytes(found.commands), found.crons) == (
        DECLARED.events,
        bytes(DECLARED.commands),
        DECLARED.crons,
    )
    assert after.take(Assignment("7", 3, BUNDLE)) is None


async def test_one_that_woke_since_is_loaded(tmp_path: Path) -> None:
    before = Sleepers(tmp_path)
    before.slept("7", BUNDLE, DECLARED)
    await rested(before)
    before.woke("7")
    await rested(before)
    assert not (tmp_path / "7.json").exists()
    assert recalled(tmp_path).take(Assignment("7", 3, BUNDLE)) is None


async def test_another_bundle_another_sdk_or_another_wish_means_loading(tmp_path: Path) -> None:
    before = Sleepers(tmp_path)
    for guild in "123":
        before.slept(guild, BUNDLE, DECLARED)
    await rested(before)
    file = tmp_path / "3.json"
    file.write_text(file.read_text().replace('"sdk":"', '"sdk":"another'))
    after = recalled(tmp_path)
    assert after.take(Assignment("1", 3, "cd" * 32)) is None
    assert after.take(Assignment("2", 3, BUNDLE, hibernates=False)) is None
    assert after.take(Assignment("3", 3, BUNDLE)) is None


async def test_files_that_cannot_be_read_are_of_guilds_to_be_loaded(tmp_path: Path) -> None:
    (tmp_path / "1.json").write_text("{")
    (tmp_path / "2.json").write_bytes(b"\xff\xfe")
    after = recalled(tmp_path)
    assert after.take(Assignment("1", 1, BUNDLE)) is None
    await rested(after)
    assert not (tmp_path / "1.json").exists()


async def test_a_disk_that_takes_nothing_costs_a_load_and_no_more(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    sleepers = Sleepers(blocked / "asleep")
    sleepers.slept("1", BUNDLE, DECLARED)
    await rested(sleepers)
    assert recalled(blocked / "asleep").take(Assignment("1", 1, BUNDLE)) is None
