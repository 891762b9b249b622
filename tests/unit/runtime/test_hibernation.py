"""Who sleeps, and when; and what a container's memory says."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_runtime.supervisor.hibernation import (
    LOOK_AGAIN_SECONDS,
    PRESSURE_AT_ONCE,
    PRESSURE_IDLE_SECONDS,
    Bedtime,
    longest_idle,
)
from flora_runtime.supervisor.memory import ContainerMemory


@dataclass(eq=False)
class Guild:
    """As far as its sleep goes."""

    active_at: float = 0.0
    may_sleep: bool = True
    awake: bool = True
    asked: list[float] = field(default_factory=list)

    def hibernate(self, timers_within: float) -> None:
        self.asked.append(timers_within)


def test_a_guild_without_events_is_asked_after_its_time() -> None:
    guild, bedtime = Guild(), Bedtime(600)
    bedtime.woke(guild)
    assert bedtime.tick(599) == []
    assert bedtime.tick(600) == [guild]
    guild.awake = False
    assert bedtime.tick(10_000) == []
    assert bedtime.tick(20_000) == [], "whoever woke again says so"


def test_one_that_did_not_go_to_sleep_is_asked_again_later() -> None:
    guild, bedtime = Guild(may_sleep=False), Bedtime(600)
    bedtime.woke(guild)
    assert bedtime.tick(600) == []
    guild.may_sleep = True
    assert bedtime.tick(601) == []
    assert bedtime.tick(600 + LOOK_AGAIN_SECONDS) == [guild]


def test_an_event_moves_bedtime() -> None:
    guild, bedtime = Guild(), Bedtime(600)
    bedtime.woke(guild)
    guild.active_at = 500
    assert bedtime.tick(700) == []
    assert bedtime.tick(1100) == [guild]


def test_never_means_never() -> None:
    bedtime = Bedtime(0)
    bedtime.woke(Guild())
    assert bedtime.tick(1e9) == []


def test_waking_again_is_looking_once() -> None:
    guild, bedtime = Guild(), Bedtime(10)
    for _ in range(5):
        bedtime.woke(guild)
    assert bedtime.tick(10) == [guild]


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=30), st.floats(1, 100))
def test_every_idle_guild_is_asked_and_nobody_before_its_time(times: list[float], after: float) -> None:
    guilds = [Guild(active_at=at) for at in times]
    bedtime = Bedtime(after)
    for guild in guilds:
        bedtime.woke(guild)
    asked: set[Guild] = set()
    for now in range(0, 1200, 7):
        for guild in bedtime.tick(now):
            assert isinstance(guild, Guild)
            assert guild.active_at + after <= now
            assert guild not in asked
            guild.awake = False
            asked.add(guild)
    assert asked == set(guilds)


def test_short_memory_takes_those_that_were_idle_for_longest() -> None:
    guilds = [Guild(active_at=at) for at in (50.0, 10.0, 30.0, 20.0)]
    assert longest_idle(guilds, 2, now=100.0) == [guilds[1], guilds[3]]


def test_nobody_who_just_had_an_event_and_not_all_at_once() -> None:
    fresh = Guild(active_at=100.0)
    now = 100.0 + PRESSURE_IDLE_SECONDS / 2
    assert longest_idle([fresh, Guild(may_sleep=False)], 5, now=now) == []
    assert len(longest_idle([Guild() for _ in range(500)], 500, now=now)) == PRESSURE_AT_ONCE


def version_2(folder: Path, *, limit: str, used: int, cache: int) -> ContainerMemory:
    (folder / "memory.max").write_text(limit + "\n")
    (folder / "memory.current").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {cache}\n")
    return ContainerMemory(folder)


def test_memory_beyond_what_is_comfortable(tmp_path: Path) -> None:
    assert version_2(tmp_path, limit="1000", used=900, cache=0).excess() == 50
    assert version_2(tmp_path, limit="1000", used=900, cache=200).excess() == 0
    assert version_2(tmp_path, limit="max", used=900, cache=0).excess() == 0


def test_the_older_version_of_cgroups(tmp_path: Path) -> None:
    folder = tmp_path / "memory"
    folder.mkdir()
    (folder / "memory.limit_in_bytes").write_text("1000")
    (folder / "memory.usage_in_bytes").write_text("950")
    (folder / "memory.stat").write_text("total_inactive_file 50\n")
    assert ContainerMemory(tmp_path).excess() == 50
    (folder / "memory.limit_in_bytes").write_text(str(2**63 - 4096))
    assert ContainerMemory(tmp_path).excess() == 0


@pytest.mark.parametrize("text", ["", "words", "-5", "1e9"])
def test_files_that_say_something_else_say_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "memory.max").write_text(text)
    assert ContainerMemory(tmp_path).excess() == 0
    assert ContainerMemory(tmp_path / "nowhere").excess() == 0
