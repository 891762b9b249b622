"""What the operator knows of the cluster, and whom a change of it concerns."""

from __future__ import annotations

from typing import Any

import pytest

from flora_core.ids import GuildId
from flora_core.manifest import SecretKeyRef, SecretSpec
from flora_operator.deployment import Deployment, Key, SourceRef
from flora_operator.fleet import Fleet, older
from flora_operator.placement import pods_of
from flora_operator.status import AssignmentStatus, Status
from tests.unit.operator.guilds import LATER, PODS, deployment


class Seen:
    """A fleet, and which keys it called dirty since one last looked."""

    def __init__(self) -> None:
        self._dirty: list[Key] = []
        self.fleet = Fleet(self._dirty.append)

    def dirty(self) -> set[str]:
        names = {"/".join(key) for key in self._dirty}
        self._dirty.clear()
        return names


@pytest.fixture
def seen() -> Seen:
    return Seen()


def guild(number: int, namespace: str = "a", **fields: Any) -> Deployment:
    return deployment(
        key=(namespace, f"guild-{number}"), guild=GuildId(str(number)), uid=f"{namespace}-{number}", **fields
    )


def test_news_of_an_object_makes_it_dirty_and_none_does_not(seen: Seen) -> None:
    seen.fleet.put(guild(1))
    assert seen.dirty() == {"a/guild-1"}
    seen.fleet.put(guild(1, resource_version="11"))
    assert seen.dirty() == set(), "only its version is new"
    seen.fleet.put(guild(1, resource_version="12", generation=2))
    assert seen.dirty() == {"a/guild-1"}


def test_pods_hold_the_guilds_that_statuses_say_are_theirs(seen: Seen) -> None:
    for number, pod in enumerate([PODS[0], PODS[0], PODS[2], ""]):
        seen.fleet.put(guild(number + 1, status=Status(assignment=AssignmentStatus(pod=pod))))
    seen.fleet.put(guild(5))
    assert seen.fleet.holders() == {PODS[0], PODS[2]}


def test_what_is_older_than_what_is_known_is_left_out(seen: Seen) -> None:
    seen.fleet.put(guild(1, resource_version="20"))
    assert not seen.fleet.put(guild(1, resource_version="9", generation=7))
    [known] = seen.fleet
    assert known.generation == 1
    assert older("9", "10")
    assert not older("abc", "10"), "versions that are no numbers cannot be compared"


def test_what_we_wrote_is_known_before_the_watch_tells(seen: Seen) -> None:
    seen.fleet.put(guild(1))
    seen.dirty()
    status = Status(observed_generation=1)
    metadata = {"uid": "a-1", "generation": 1, "resourceVersion": "15", "finalizers": ["f"]}
    seen.fleet.wrote(("a", "guild-1"), metadata, status)
    assert not seen.fleet.put(guild(1, resource_version="12")), "of the time before"
    seen.fleet.put(guild(1, resource_version="15", status=status, finalizers=("f",)))
    assert seen.dirty() == set()


def test_a_change_before_our_write_that_the_watch_has_not_told_is_not_missed(seen: Seen) -> None:
    seen.fleet.put(guild(1))
    metadata = {"uid": "a-1", "generation": 2, "resourceVersion": "15"}
    seen.fleet.wrote(("a", "guild-1"), metadata, Status(observed_generation=1))
    seen.dirty()
    assert seen.fleet.put(guild(1, resource_version="14", generation=2))
    assert seen.dirty() == {"a/guild-1"}


def test_what_we_wrote_to_an_object_that_is_another_now_is_not_noted(seen: Seen) -> None:
    seen.fleet.put(guild(1))
    seen.fleet.wrote(("a", "guild-1"), {"uid": "other", "generation": 1, "resourceVersion": "99"})
    [known] = seen.fleet
    assert known.resource_version == "10"


def test_the_oldest_object_of_a_guild_serves(seen: Seen) -> None:
    seen.fleet.put(guild(1, "b", created=LATER))
    seen.dirty()
    seen.fleet.put(guild(1, "a"))
    assert seen.dirty() == {"a/guild-1", "b/guild-1"}, "both have to know"
    serving = seen.fleet.serving(GuildId("1"))
    assert serving is not None
    assert serving.key == ("a", "guild-1")
    seen.fleet.drop(("a", "guild-1"))
    assert seen.dirty() == {"a/guild-1", "b/guild-1"}
    serving = seen.fleet.serving(GuildId("1"))
    assert serving is not None
    assert serving.key == ("b", "guild-1")
    assert seen.fleet.serving(GuildId("2")) is None


def test_another_object_that_has_the_name_now_is_not_dropped(seen: Seen) -> None:
    seen.fleet.put(guild(1))
    seen.fleet.drop(("a", "guild-1"), uid="older")
    assert len(seen.fleet) == 1
    seen.fleet.drop(("a", "guild-1"), uid="a-1")
    assert len(seen.fleet) == 0


def test_a_config_map_concerns_who_names_it_in_its_own_namespace(seen: Seen) -> None:
    seen.fleet.put(guild(1, source=SourceRef("m.ts", config_map="bot")))
    seen.fleet.put(guild(2, source=SourceRef("m.ts", config_map="other")))
    seen.fleet.put(guild(3, "b", source=SourceRef("m.ts", config_map="bot")))
    seen.dirty()
    seen.fleet.know_config_map(("a", "bot"), "5")
    assert seen.dirty() == {"a/guild-1"}
    seen.fleet.know_config_map(("a", "bot"), "5")
    assert seen.dirty() == set()
    seen.fleet.know_config_map(("a", "bot"), None)
    assert seen.dirty() == {"a/guild-1"}
    seen.fleet.put(guild(1, source=SourceRef("m.ts", digest="x"), resource_version="11"))
    seen.dirty()
    seen.fleet.know_config_map(("a", "bot"), "6")
    assert seen.dirty() == set(), "nobody names it any more"


def test_a_secret_concerns_who_names_it(seen: Seen) -> None:
    spec = SecretSpec("KEY", SecretKeyRef("s", "token"))
    seen.fleet.put(guild(1, secrets=(spec,)))
    seen.fleet.put(guild(2))
    seen.dirty()
    seen.fleet.know_secret(("a", "s"), {"token": "eA=="})
    assert seen.dirty() == {"a/guild-1"}
    seen.fleet.know_secret(("a", "s"), {"token": "eA=="})
    assert seen.dirty() == set()
    seen.fleet.know_secret(("a", "s"), None)
    assert seen.dirty() == {"a/guild-1"}


def test_a_pod_more_concerns_only_those_that_go_there(seen: Seen) -> None:
    seen.fleet.know_pods(PODS)
    from flora_core.hashing import owner  # noqa: PLC0415

    for number in range(1, 40):
        told = Status(assignment=AssignmentStatus(pod=owner(GuildId(str(number)), PODS)))
        seen.fleet.put(guild(number, status=told))
    seen.dirty()
    four = pods_of("flora-runtime", 4)
    seen.fleet.know_pods(four)
    moved = {f"a/guild-{n}" for n in range(1, 40) if owner(GuildId(str(n)), four) == four[-1]}
    assert seen.dirty() == moved
    assert moved
    seen.fleet.know_pods(four)
    assert seen.dirty() == set()
