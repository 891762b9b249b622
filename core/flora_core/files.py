"""Small files that a process keeps for its successor."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

import msgspec

from flora_core.errors import FloraError
from flora_core.wire import UNREADABLE

T = TypeVar("T")


class CannotRead(FloraError):
    """There is a file, and it cannot be read, or holds something else."""


def read_kept(path: Path, into: type[T]) -> T | None:
    """The JSON of an earlier process as ``into``; None when it left none. Raises CannotRead. Blocks."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=into)
    except FileNotFoundError:
        return None
    except (OSError, *UNREADABLE) as error:
        raise CannotRead(f"{path}: {error}") from None


def write_whole(path: Path, data: bytes) -> None:
    """Write by renaming, so that a crash leaves the old file or the new one; raises OSError.

    The folder is made when it is missing. Blocks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
