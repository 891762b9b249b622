"""Files are there whole, or as they were."""

from __future__ import annotations

import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flora_core.files import CannotRead, read_kept, write_whole


def test_a_file_and_its_folder_are_made(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "b" / "file.json", b"one")
    assert (tmp_path / "a" / "b" / "file.json").read_bytes() == b"one"


def test_the_new_content_takes_the_place_of_the_old(tmp_path: Path) -> None:
    for content in (b"a long one", b"two"):
        write_whole(tmp_path / "file.json", content)
    assert (tmp_path / "file.json").read_bytes() == b"two"
    assert [file.name for file in tmp_path.iterdir()] == ["file.json"]


def test_what_cannot_be_written_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    write_whole(tmp_path / "file.json", b"old")
    with no_file_longer_than(100), pytest.raises(OSError, match="File too large"):
        write_whole(tmp_path / "file.json", b"new" * 100)
    assert (tmp_path / "file.json").read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["file.json"]


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """As on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_is_private_is_its_users_alone_with_the_folder_that_is_made_for_it(tmp_path: Path) -> None:
    file = tmp_path / "new" / "token"
    write_whole(file, b"one", private=True)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (file, file.parent)] == [0o600, 0o700]


def test_what_becomes_private_was_never_open_under_its_new_content(tmp_path: Path) -> None:
    file = tmp_path / "token"
    write_whole(file, b"for all")
    with file.open("rb") as opened_before:
        write_whole(file, b"for one", private=True)
        assert opened_before.read() == b"for all"
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"for one", 0o600)


def test_what_was_kept_is_read_again_and_nothing_is_none(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    assert read_kept(file, dict[str, int]) is None
    write_whole(file, b'{"a":1}')
    assert read_kept(file, dict[str, int]) == {"a": 1}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a":"x"}', b'{"\xff":1}', b"[" * 100_000])
def test_what_is_something_else_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file.json"
    file.write_bytes(content)
    with pytest.raises(CannotRead, match=r"file\.json"):
        read_kept(file, dict[str, int])
