"""Clusters by kind, as far as they can be had without it: a program that is called as kind is, and notes how.

What it gives is the tests' own cluster.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster import kind
from cluster.control_plane import Cluster
from cluster.errors import CannotStart, CannotStop


class Played:
    """``kind`` and an engine in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = folder / "calls"
        self.calls.touch()

    def environment(self, **more: str) -> dict[str, str]:
        return {"PATH": str(self.folder), **more}

    def program(self, name: str, script: str) -> Path:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\necho {name} $* >> {self.calls}\n{script}\n")
        path.chmod(0o755)
        return path

    def kind(self, *, kubeconfig: Path | str = "", create: str = "", delete: str = "") -> Path:
        """Words are: what, cluster, --name, NAME, --kubeconfig, PATH …"""
        copy = f'/bin/cp {kubeconfig} "$6"' if kubeconfig else ""
        return self.program(
            "kind",
            f"case $1 in create) {create or copy or ':'} ;; delete) {delete or ':'} ;; esac",
        )

    def heard(self) -> list[list[str]]:
        return [line.split() for line in self.calls.read_text().splitlines()]


@pytest.fixture
def played(tmp_path: Path) -> Played:
    return Played(tmp_path)


@pytest.mark.parametrize("engine", kind.ENGINES)
def test_kind_is_taken_with_an_engine_that_answers(played: Played, engine: str) -> None:
    program = played.kind()
    assert kind.find(played.environment()) is None
    played.program(engine, "exit 1")
    assert kind.find(played.environment()) is None
    played.program(engine, "exit 0")
    assert kind.find(played.environment()) == program
    assert played.heard() == [[engine, "info"], [engine, "info"]]


def test_an_engine_alone_is_not_enough(played: Played) -> None:
    played.program("docker", "exit 0")
    assert kind.find(played.environment()) is None


def test_a_cluster_of_our_own_can_be_chosen_all_the_same(played: Played) -> None:
    played.kind()
    played.program("docker", "exit 0")
    assert kind.find(played.environment(FLORA_TEST_CLUSTER="own")) is None
    assert played.heard() == []


def test_a_cluster_lasts_as_long_as_its_block(played: Played, cluster: Cluster) -> None:
    with kind.running(played.kind(kubeconfig=cluster.kubeconfig)) as made, made.api() as api:
        assert api.ready()
        assert made.kubeconfig != cluster.kubeconfig
    created, deleted = played.heard()
    name = created[4]
    assert name.startswith(kind.PREFIX)
    assert created[1:4] + created[7:] == ["create", "cluster", "--name", "--wait", "180s"]
    assert deleted[1:5] == ["delete", "cluster", "--name", name]
    assert not made.kubeconfig.exists()


def test_a_block_that_fails_takes_it_along(played: Played, cluster: Cluster) -> None:
    program = played.kind(kubeconfig=cluster.kubeconfig)
    with pytest.raises(ZeroDivisionError), kind.running(program):
        raise ZeroDivisionError
    assert [call[1] for call in played.heard()] == ["create", "delete"]


def test_a_start_that_fails_says_what_kind_said_and_leaves_nothing(played: Played) -> None:
    program = played.kind(create="echo no space left >&2; exit 1")
    with pytest.raises(CannotStart, match="no space left"), kind.running(program):
        raise AssertionError("it did not start")
    assert [call[1] for call in played.heard()] == ["create", "delete"]


def test_a_cluster_that_does_not_go_is_told_of(played: Played, cluster: Cluster) -> None:
    program = played.kind(kubeconfig=cluster.kubeconfig, delete="echo it is stuck >&2; exit 1")
    with pytest.raises(CannotStop, match="it is stuck"), kind.running(program):
        pass
