"""Files are there whole, or as they were."""

from __future__ import annotations

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


def test_what_cannot_be_written_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_whole(tmp_path / "file.json", b"old")

    def full(path: Path, data: bytes) -> int:
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "file.json", b"new")
    assert (tmp_path / "file.json").read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["file.json"]


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
