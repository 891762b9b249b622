"""Where a session keeps what outlives it: KV, plans of jobs, the components' logs."""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from flora_core.errors import InvalidInput

KEPT: Final = ".flora/dev"
"""Below the project's folder, for ``--persist``; projects do not check ``.flora`` in."""


@contextmanager
def state_folder(kept: Path | None) -> Generator[Path]:
    """``kept``, made when it is missing and claimed for this session; a temporary folder without it.

    Raises InvalidInput when it cannot be used, or another session uses it.
    """
    if kept is None:
        with tempfile.TemporaryDirectory(prefix="flora-dev-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)
        return
    try:
        kept.mkdir(parents=True, exist_ok=True)
        lock = (kept / "lock").open("w")
    except OSError as error:
        raise InvalidInput(f"{kept}: cannot be used for state: {error.strerror or error}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidInput(f"{kept}: another `flora dev` uses it; stop that one first") from None
        yield kept
