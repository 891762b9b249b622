"""Archives that people send: what is read of them, and what is refused."""

from __future__ import annotations

import contextlib
import io
import stat
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_api.builds import archive
from flora_api.builds.archive import InvalidArchive, read_project
from flora_api.errors import ApiError, BadRequest, TooLarge

ENTRY = "src/main.ts"


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as opened:
        for name, data in members:
            opened.writestr(name, data)
    return buffer.getvalue()


def test_sources_and_packages_are_read_and_the_rest_is_passed_over() -> None:
    data = zipped(
        ("src/", b""),
        (ENTRY, "import 'left-pad'"),
        ("package.json", "{}"),
        ("package-lock.json", "{}"),
        ("README.md", "# hello"),
        ("logo.png", b"\x89PNG\0"),
        (".env", "TOKEN=secret"),
        (".git/config.json", "{}"),
        ("node_modules/left-pad/index.js", "module.exports = 1"),
        ("node_modules/.package-lock.json", "{}"),
    )
    unpacked = read_project(data, ENTRY)
    assert sorted(unpacked.project.files) == ["package.json", ENTRY]
    assert "node_modules/left-pad/index.js" in unpacked.project.dependencies
    assert unpacked.ignored == 5


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../main.ts", "'..'"),
        ("src/../../main.ts", "'..'"),
        ("/etc/main.ts", "is absolute"),
        ("C:/main.ts", "is absolute"),
        ("src//main.ts", "empty segment"),
        ("a\nb.ts", "cannot be shown"),
        ("x" * 2000 + ".ts", "longer than"),
    ],
)
def test_a_path_that_leaves_the_folder_is_refused(name: str, said: str) -> None:
    with pytest.raises(InvalidArchive, match=said.replace(".", r"\.")):
        read_project(zipped((ENTRY, "1"), (name, "1")), ENTRY)


def test_a_backslash_is_refused_whatever_the_system_makes_of_it() -> None:
    data = zipped((ENTRY, "1"), ("srcXmain.ts", "1")).replace(b"srcXmain.ts", b"src\\main.ts")
    with pytest.raises(InvalidArchive, match="backslash"):
        read_project(data, ENTRY)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_links_and_devices_are_refused(kind: int) -> None:
    link = zipfile.ZipInfo("src/passwd.ts")
    link.external_attr = (kind | 0o777) << 16
    with pytest.raises(InvalidArchive, match=r"link|no file"):
        read_project(zipped((ENTRY, "1"), (link, "/etc/passwd")), ENTRY)


def test_the_same_path_twice_is_refused() -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = zipped((ENTRY, "1"), (ENTRY, "2"))
    with pytest.raises(InvalidArchive, match="twice"):
        read_project(data, ENTRY)


def test_an_encrypted_member_is_refused() -> None:
    data = bytearray(zipped((ENTRY, "1")))
    at = data.index(b"PK\x01\x02")
    struct.pack_into("<H", data, at + 8, 1)
    with pytest.raises(InvalidArchive, match="encrypted"):
        read_project(bytes(data), ENTRY)


def test_another_compression_is_refused() -> None:
    with pytest.raises(InvalidArchive, match="deflate"):
        read_project(zipped((ENTRY, "1"), method=zipfile.ZIP_LZMA), ENTRY)


def test_a_bomb_is_not_read_beyond_what_a_project_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = 0
    read = zipfile.ZipExtFile.read

    def counting(self: zipfile.ZipExtFile, n: int | None = -1) -> bytes:
        nonlocal taken
        data = read(self, n)
        taken += len(data)
        return data

    data = zipped((ENTRY, "1"), ("bomb.json", b"0" * (64 << 20)))
    assert len(data) < 100_000
    monkeypatch.setattr(zipfile.ZipExtFile, "read", counting)
    with pytest.raises(TooLarge, match="the project's sources have more than"):
        read_project(data, ENTRY)
    assert taken <= (1 << 20) + 2


def test_a_bomb_of_packages_is_stopped_too() -> None:
    members = [(f"node_modules/a/{n}.js", b"0" * (9 << 20)) for n in range(4)]
    with pytest.raises(TooLarge, match="the dependencies have more than"):
        read_project(zipped((ENTRY, "1"), *members), ENTRY)


def test_a_size_that_lies_is_not_believed() -> None:
    data = bytearray(zipped((ENTRY, b"x" * 1000)))
    at = data.index(b"PK\x01\x02")
    struct.pack_into("<I", data, at + 24, 5)  # "uncompressed size"
    with pytest.raises(ApiError):
        read_project(bytes(data), ENTRY)


def test_too_many_files_and_too_many_entries_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TooLarge, match="200 files"):
        read_project(zipped((ENTRY, "1"), *((f"src/{n}.ts", "1") for n in range(200))), ENTRY)
    monkeypatch.setattr(archive, "MEMBERS", 2)
    with pytest.raises(InvalidArchive, match="3 entries"):
        read_project(zipped((ENTRY, "1"), ("a.png", "1"), ("b.png", "1")), ENTRY)


def test_an_archive_that_is_too_large_is_not_opened() -> None:
    with pytest.raises(TooLarge):
        read_project(b"\0" * ((8 << 20) + 1), ENTRY)


def test_sources_that_are_no_text_are_refused_and_packages_are_not() -> None:
    read_project(zipped((ENTRY, "1"), ("node_modules/a/x.js", b"\xff\xfe")), ENTRY)
    with pytest.raises(InvalidArchive, match="UTF-8"):
        read_project(zipped((ENTRY, "1"), ("src/x.ts", b"\xff\xfe")), ENTRY)


def test_an_entrypoint_that_is_not_there_is_told() -> None:
    with pytest.raises(BadRequest, match="not among the project's files"):
        read_project(zipped(("src/other.ts", "1")), ENTRY)


@given(data=st.binary(max_size=500))
def test_anything_at_all_is_answered_or_read(data: bytes) -> None:
    with pytest.raises(ApiError):
        read_project(data, ENTRY)


@given(at=st.integers(0, 400), byte=st.integers(0, 255))
def test_a_damaged_archive_is_answered_or_read(at: int, byte: int) -> None:
    data = bytearray(zipped((ENTRY, "export const a = 1;" * 10), ("package.json", "{}")))
    data[at % len(data)] = byte
    with contextlib.suppress(ApiError):
        read_project(bytes(data), ENTRY)
