"""Reads source files below a folder: which there are first, and then their text, when it is not too much.

Nothing outside the folder is read: a symbolic link that leads out of it is an error, because what is read
here is deployed and stored.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from flora_core.errors import InvalidProject
from flora_core.toolchain.paths import SCRIPTS

READ: Final = (*SCRIPTS, ".json")
"""Endings of the files that bundler and checker can make use of."""

MAX_ENTRIES: Final = 50_000
"""Directory entries looked at before giving up: somebody gave their home folder."""


class Source(NamedTuple):
    """A file that exists."""

    name: str
    """Relative to the folder where the search began, with ``/``."""
    path: Path
    size: int


class _Folder(NamedTuple):
    path: Path
    name: str
    above: frozenset[Path]
    """Where this folder and those around it really are, to see links that lead back up."""


Wanted = Callable[[str, bool], bool]
"""(relative name, whether it is a folder) -> whether to read or enter it."""


def find(start: Path, *, root: Path, wanted: Wanted) -> Iterator[Source]:
    """Source files below ``start``, in no order. Names that begin with a dot are passed over.

    ``root`` is the folder, resolved, that no link may leave. Raises InvalidProject.
    """
    waiting = [_Folder(start, "", frozenset({start.resolve()}))]
    seen = 0
    while waiting:
        folder = waiting.pop()
        for entry in _entries(folder):
            seen += 1
            if seen > MAX_ENTRIES:
                raise InvalidProject(f"there is too much below {start}; give the folder of one script")
            name = f"{folder.name}{entry.name}"
            is_folder = entry.is_dir()
            if entry.name.startswith(".") or not (is_folder or name.endswith(READ)):
                continue
            if not wanted(name, is_folder):
                continue
            path = Path(entry.path)
            real = _real(path, name, root) if entry.is_symlink() else None
            if not is_folder:
                if entry.is_file():
                    yield Source(name, path, entry.stat().st_size)
            elif real is None or real not in folder.above:
                waiting.append(_Folder(path, f"{name}/", folder.above | {real or path.resolve()}))


def read(source: Source) -> str:
    """The text of ``source``; raises InvalidProject when it is not UTF-8."""
    try:
        return source.path.read_bytes().decode()
    except UnicodeDecodeError:
        raise InvalidProject(f"{source.name!r} is not UTF-8; save it as UTF-8") from None
    except OSError as error:
        raise InvalidProject(f"{source.name!r} cannot be read: {error.strerror}") from None


def _entries(folder: _Folder) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder.path) as entries:
            return list(entries)
    except OSError as error:
        raise InvalidProject(f"{folder.path} cannot be read: {error.strerror}") from None


def _real(path: Path, name: str, root: Path) -> Path:
    real = path.resolve()
    if not real.is_relative_to(root):
        raise InvalidProject(f"{name!r} is a link that leaves the folder; put there what it points to")
    return real
