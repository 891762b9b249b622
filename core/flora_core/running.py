"""Which ``flora dev`` runs on this machine, so that other commands find it.

Each leaves a small file while it runs: for which folder, where its API listens, with which token. The files
lie in the user's runtime folder (XDG_RUNTIME_DIR, else ~/.local/state), readable by that user alone. One
whose process is gone is as good as none, and is removed by whoever meets it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from flora_core.errors import FloraError, InvalidInput
from flora_core.files import PRIVATE_FOLDER, CannotRead, read_kept, write_whole


class NothingRuns(FloraError):
    """There is no ``flora dev`` to ask."""


class Running(Struct, frozen=True):
    """A ``flora dev`` that runs."""

    pid: int
    folder: str
    """What it deploys, as an absolute path."""
    api: str = ""
    """Where its API listens; empty while there is none."""
    api_token: str = ""
    """The developer's, for the API."""
    no_api: str = ""
    """Why there is no API, and will be none; empty when it is there, or still starts."""
    control: str = ""
    """Where the session itself listens, for what no API can do."""
    control_token: str = ""

    def __repr__(self) -> str:
        return f"Running(pid={self.pid}, folder={self.folder!r}, api={self.api!r})"


def state_folder() -> Path:
    """Where the files are."""
    base = os.environ.get("XDG_RUNTIME_DIR") or os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "flora" / "dev"


def register(running: Running, *, within: Path | None = None) -> Path:
    """Say that ``running`` does, or what has changed; the file, to be removed at its end. Raises OSError."""
    folder = within or state_folder()
    file = folder / f"{running.pid}.json"
    write_whole(file, msgspec.json.encode(running), private=True)
    folder.chmod(PRIVATE_FOLDER)
    return file


def all_running(*, within: Path | None = None) -> list[Running]:
    """Every one that runs, by process id; what earlier ones left behind is removed."""
    found: list[Running] = []
    for file in sorted((within or state_folder()).glob("*.json")):
        try:
            running = read_kept(file, Running)
        except CannotRead:  # half written, or another version's
            continue
        if running is not None and _lives(running.pid):
            found.append(running)
        else:
            file.unlink(missing_ok=True)
    return sorted(found, key=lambda running: running.pid)


def choose(candidates: Sequence[Running], *, here: Path, wanted: Path | None = None) -> Running:
    """The one for the folder ``wanted``; else the one whose folder we are in, else the only one.

    Raises NothingRuns when there is none, InvalidInput when it is not clear which.
    """
    if wanted is not None:
        target = wanted.resolve()
        candidates = [running for running in candidates if Path(running.folder) == target]
        if not candidates:
            raise NothingRuns(f"no `flora dev` runs for {wanted}; start it: flora dev {wanted}")
    if not candidates:
        raise NothingRuns("no `flora dev` runs on this machine; start one: flora dev my-bot")
    around = [running for running in candidates if here.resolve().is_relative_to(running.folder)]
    innermost = max((len(running.folder) for running in around), default=0)
    narrowed = [running for running in around if len(running.folder) == innermost] or list(candidates)
    if len(narrowed) > 1:
        folders = ", ".join(sorted({running.folder for running in narrowed}))
        raise InvalidInput(f"several `flora dev` run ({folders}); name one's folder with --project")
    return narrowed[0]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # another user's process has taken the number, or it is none
        return False
    return True
