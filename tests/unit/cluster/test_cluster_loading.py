"""A node is given an image once."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster import loading, node
from cluster.errors import CannotStart


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the node was given."""
    names: list[str] = []
    monkeypatch.setattr(node, "load", lambda folder, archive: names.append(archive.name))
    return names


def test_what_it_has_is_not_given_again(tmp_path: Path, given: list[str]) -> None:
    archives = [tmp_path / "one.tar", tmp_path / "two.tar"]
    assert loading.load(tmp_path, archives[:1], say=str) == archives[:1]
    assert loading.load(tmp_path, archives, say=str) == archives[1:]
    assert given == ["one.tar", "two.tar"]


def test_what_could_not_be_loaded_is_tried_again(
    tmp_path: Path, given: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: Path, archive: Path) -> None:
        raise CannotStart("no space left")

    working = node.load
    monkeypatch.setattr(node, "load", fail)
    with pytest.raises(CannotStart):
        loading.load(tmp_path, [tmp_path / "one.tar"], say=str)
    monkeypatch.setattr(node, "load", working)
    assert loading.load(tmp_path, [tmp_path / "one.tar"], say=str) == [tmp_path / "one.tar"]
    assert given == ["one.tar"]


def test_it_says_what_it_loads(tmp_path: Path, given: list[str]) -> None:
    said: list[str] = []
    loading.load(tmp_path, [tmp_path / "one.tar"], say=said.append)
    assert said == ["loaded one in 0 s"]
