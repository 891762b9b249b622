"""Rendezvous hashing: where a guild lives, and that as little as possible moves."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_core.errors import NoPods
from flora_core.hashing import owner, weight, worker_of
from flora_core.ids import GuildId, PodName

GUILDS = 10_000


def guild_ids() -> st.SearchStrategy[GuildId]:
    return st.integers(1, 2**64 - 1).map(lambda number: GuildId(str(number)))


def pod_lists(min_size: int = 1) -> st.SearchStrategy[list[PodName]]:
    ordinals = st.lists(st.integers(0, 200), min_size=min_size, max_size=20, unique=True)
    return ordinals.map(lambda numbers: [PodName(f"flora-runtime-{number}") for number in numbers])


def test_the_weight_is_the_documented_hash() -> None:
    # BLAKE2b-64 of "guild NUL node": must never change while a cluster holds data.
    assert weight(GuildId("1"), "flora-runtime-0") == 9_526_886_762_826_663_938
    assert weight(GuildId("1234567890123456789"), "worker-3") == 11_263_447_541_297_431_677


def test_another_process_finds_the_same_owner() -> None:
    pods = [PodName(f"flora-runtime-{n}") for n in range(5)]
    code = (
        "from flora_core.hashing import owner;"
        "print(','.join(owner(str(g), [f'flora-runtime-{n}' for n in range(5)]) for g in range(1, 50)))"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == ",".join(owner(GuildId(str(g)), pods) for g in range(1, 50))


@given(guild=guild_ids(), pods=pod_lists())
def test_the_order_of_the_pods_does_not_matter(guild: GuildId, pods: list[PodName]) -> None:
    assert owner(guild, pods) == owner(guild, list(reversed(pods)))


@given(guilds=st.sets(guild_ids(), min_size=50, max_size=200), pods=pod_lists(min_size=2))
def test_adding_a_pod_moves_only_guilds_onto_the_new_pod(guilds: set[GuildId], pods: list[PodName]) -> None:
    *old, new = pods
    moved = {guild for guild in guilds if owner(guild, old) != owner(guild, pods)}
    assert all(owner(guild, pods) == new for guild in moved)


@given(guilds=st.sets(guild_ids(), min_size=50, max_size=200), pods=pod_lists(min_size=2))
def test_removing_a_pod_moves_only_its_own_guilds(guilds: set[GuildId], pods: list[PodName]) -> None:
    *left, gone = pods
    moved = {guild for guild in guilds if owner(guild, left) != owner(guild, pods)}
    assert all(owner(guild, pods) == gone for guild in moved)


@given(guild=guild_ids(), workers=st.integers(1, 64))
def test_a_worker_is_one_of_the_pods(guild: GuildId, workers: int) -> None:
    assert 0 <= worker_of(guild, workers) < workers


@pytest.mark.parametrize("pods", [2, 3, 4, 8, 16, 32, 64])
def test_ten_thousand_guilds_spread_within_a_tenth_of_even(pods: int) -> None:
    """The standard deviation of guilds a pod is at most a tenth of their mean."""
    names = [PodName(f"flora-runtime-{number}") for number in range(pods)]
    first = 81_384_788_765_712_384  # ids as Discord gives them: far apart, low bits alike
    held = Counter(owner(GuildId(str(first + (n << 22))), names) for n in range(GUILDS))
    counts = [held[name] for name in names]
    assert statistics.pstdev(counts) / statistics.mean(counts) <= 0.1


def test_nothing_can_own_a_guild_when_there_are_no_pods() -> None:
    with pytest.raises(NoPods, match="there are no pods"):
        owner(GuildId("1"), [])
    with pytest.raises(NoPods):
        worker_of(GuildId("1"), 0)
