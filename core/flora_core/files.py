"""Small files that a process keeps for its successor."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from flora_core.errors import FloraError
from flora_core.wire import UNREADABLE

T = TypeVar("T")

PRIVATE_FOLDER: Final = 0o700
PRIVATE_FILE: Final = 0o600


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


def write_whole(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write by renaming, so that a crash leaves the old file or the new one; raises OSError.

    The folder is made when it is missing. Nobody else may read what is ``private``, at no time. Blocks.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER if private else 0o777)
    temporary = path.with_suffix(f".{os.getpid()}")
    try:
        temporary.unlink(missing_ok=True)
        descriptor = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE if private else 0o666
        )
        with os.fdopen(descriptor, "wb") as out:
            out.write(data)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
