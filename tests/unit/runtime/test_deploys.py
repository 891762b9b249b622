"""Which guild is deployed next."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flora_runtime.supervisor.deploys import AT_ONCE, PATIENCE_SECONDS, DeployQueue


def queue(*guilds: str, urgent: bool = False) -> DeployQueue:
    deploys = DeployQueue()
    for guild in guilds:
        deploys.want(guild, urgent=urgent)
    return deploys


def test_guilds_are_deployed_in_order_a_few_at_a_time() -> None:
    deploys = queue("a", "b", "c")
    assert [deploys.next(0.0) for _ in range(3)] == ["a", "b", None]
    deploys.ended("a")
    assert deploys.next(0.0) == "c"


def test_a_guild_whose_events_wait_comes_first() -> None:
    deploys = queue("a", "b", "c")
    deploys.want("c", urgent=True)
    deploys.want("c", urgent=False)
    assert [deploys.next(0.0), len(deploys)] == ["c", 2]


def test_one_that_takes_its_time_keeps_nobody_waiting() -> None:
    deploys = queue("hanging", "hanging too", "c", "d", "e")
    assert deploys.next(0.0)
    assert deploys.next(0.1)
    assert deploys.next(0.1) is None
    assert deploys.busy_until(0.1) == PATIENCE_SECONDS
    assert deploys.next(PATIENCE_SECONDS) == "c"
    assert deploys.next(PATIENCE_SECONDS) is None
    assert deploys.next(PATIENCE_SECONDS + 0.1) == "d"


def test_a_guild_that_left_is_not_deployed() -> None:
    deploys = queue("a", "b")
    deploys.forget("a")
    deploys.forget("never seen")
    assert deploys.next(0.0) == "b"


def test_a_process_that_died_has_nothing_under_way() -> None:
    deploys = queue("a", "b", "c")
    deploys.next(0.0)
    deploys.next(0.0)
    deploys.interrupted()
    assert deploys.next(0.0) == "c"


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.booleans()), max_size=40))
def test_every_guild_that_wanted_one_gets_one_deploy(wishes: list[tuple[str, bool]]) -> None:
    deploys = DeployQueue()
    for guild, urgent in wishes:
        deploys.want(guild, urgent=urgent)
    served: list[str] = []
    while (guild := deploys.next(0.0)) is not None:
        served.append(guild)
        assert len(served) <= len({guild for guild, _ in wishes})
        deploys.ended(guild)
    assert sorted(served) == sorted({guild for guild, _ in wishes})
    hurried = {guild for guild, urgent in wishes if urgent}
    assert set(served[: len(hurried)]) == hurried


@given(st.lists(st.floats(0, 3), max_size=30).map(sorted))
def test_no_more_than_a_few_begin_within_a_moment(times: list[float]) -> None:
    deploys = queue(*(str(number) for number in range(100)))
    begun = [now for now in times if deploys.next(now) is not None]
    for at in range(len(begun) - AT_ONCE):
        assert begun[at + AT_ONCE] - begun[at] >= PATIENCE_SECONDS - 1e-9
