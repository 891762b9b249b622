"""A project's folder out of a zip file, in memory. Pure.

The archive is somebody's, so nothing that it says of itself is believed: sizes are counted while its members
are read, and what would be more than a project may have is not read further. Names are held to the rules of
projects, which know no way out of a folder. Links, encrypted members and the like are refused.
"""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from dataclasses import dataclass
from typing import Final

from flora_api.errors import BadRequest, TooLarge
from flora_core.errors import InvalidProject
from flora_core.toolchain import Project
from flora_core.toolchain.files import READ
from flora_core.toolchain.paths import (
    DEPENDENCIES,
    MAX_BYTES,
    MAX_DEPENDENCY_BYTES,
    MAX_DEPENDENCY_FILES,
    MAX_FILES,
    check_path,
)

ARCHIVE_LIMIT: Final = 8 << 20
"""Bytes of the archive: the API takes no larger requests."""

MEMBERS: Final = 20_000
"""Entries of the archive, folders and what is passed over included."""

PATH_LIMIT: Final = 1020
"""Bytes of a path below ``node_modules``."""

_FILE_LIMIT: Final = 10 << 20
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A project, and how many entries are no part of it."""

    project: Project
    ignored: int


class InvalidArchive(BadRequest):
    default_code = "INVALID_ARCHIVE"


def read_project(archive: bytes, entry: str) -> Unpacked:
    """The project in ``archive``; raises InvalidArchive, BadRequest or TooLarge. Takes up to a second."""
    if len(archive) > ARCHIVE_LIMIT:
        raise TooLarge(f"the archive has {len(archive):,} bytes and may have {ARCHIVE_LIMIT:,}")
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            texts, ignored = _read(opened)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise InvalidArchive(
            f"the archive cannot be read: {str(error)[:200]}; make a zip of the folder"
        ) from None
    except (UnicodeDecodeError, ValueError, OverflowError):
        raise InvalidArchive("the archive cannot be read; make a zip of the folder") from None
    own = {path: text for path, text in texts.items() if not path.startswith(f"{DEPENDENCIES}/")}
    others = {path: text for path, text in texts.items() if path.startswith(f"{DEPENDENCIES}/")}
    try:
        return Unpacked(Project(own, entry, dependencies=others), ignored)
    except InvalidProject as error:
        raise BadRequest(str(error), code="INVALID_PROJECT") from None


def _read(archive: zipfile.ZipFile) -> tuple[dict[str, str], int]:
    """Text by path, and how many entries were passed over."""
    members = archive.infolist()
    if len(members) > MEMBERS:
        raise InvalidArchive(f"the archive has {len(members):,} entries and may have {MEMBERS:,}")
    texts: dict[str, str] = {}
    budget = _Budget()
    ignored = 0
    for member in members:
        _check(member)
        if member.is_dir() or not _wanted(member.filename):
            ignored += not member.is_dir()
            continue
        if member.filename in texts:
            raise InvalidArchive(f"{member.filename[:80]!r} is in the archive twice")
        data = budget.read(archive, member)
        try:
            texts[member.filename] = data.decode()
        except UnicodeDecodeError:
            if not member.filename.startswith(f"{DEPENDENCIES}/"):
                raise InvalidArchive(f"{member.filename[:80]!r} is not UTF-8; save it as UTF-8") from None
            texts[member.filename] = data.decode(errors="replace")
    return texts, ignored


def _check(member: zipfile.ZipInfo) -> None:
    """Raises InvalidArchive for what no folder of sources has."""
    name = member.filename
    shown = repr(name[:80])
    if "\\" in getattr(member, "orig_filename", name):
        raise InvalidArchive(f"the path {shown} contains a backslash; make the zip with '/' between folders")
    mode = member.external_attr >> 16
    if stat.S_ISLNK(mode):
        raise InvalidArchive(f"{shown} is a link; put there what it points to (zip without --symlinks)")
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise InvalidArchive(f"{shown} is no file; leave it out")
    if member.flag_bits & 0x1:
        raise InvalidArchive(f"{shown} is encrypted; make the zip without a password")
    if member.compress_type not in _METHODS:
        raise InvalidArchive(f"{shown} is compressed in a way that is not known here; use deflate")
    try:
        check_path(name.removesuffix("/"), limit=PATH_LIMIT)
    except InvalidProject as error:
        raise InvalidArchive(str(error)) from None


def _wanted(path: str) -> bool:
    """What ``flora deploy`` would read of the folder."""
    parts = path.split("/")
    if any(part.startswith(".") for part in parts) and not path.startswith(f"{DEPENDENCIES}/"):
        return False
    return path.endswith(READ) and parts[-1] not in {"package-lock.json", "npm-shrinkwrap.json"}


class _Budget:
    """What may still be read."""

    def __init__(self) -> None:
        self._own = [MAX_FILES, MAX_BYTES]
        self._dependencies = [MAX_DEPENDENCY_FILES, MAX_DEPENDENCY_BYTES]

    def read(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
        """The whole of ``member``; raises TooLarge before it is too much."""
        is_dependency = member.filename.startswith(f"{DEPENDENCIES}/")
        left = self._dependencies if is_dependency else self._own
        with archive.open(member) as opened:
            data = opened.read(min(left[1], _FILE_LIMIT) + 1)
        left[0] -= 1
        left[1] -= len(data)
        if min(left) < 0 or len(data) > _FILE_LIMIT:
            files, size = (
                (MAX_DEPENDENCY_FILES, MAX_DEPENDENCY_BYTES) if is_dependency else (MAX_FILES, MAX_BYTES)
            )
            what = "the dependencies" if is_dependency else "the project's sources"
            raise TooLarge(
                f"{what} have more than {files:,} files or {size >> 20} MiB; leave out what is not needed",
                code="PROJECT_TOO_LARGE",
            )
        return data
