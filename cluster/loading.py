"""Giving images to a node, those it has not been given yet."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from cluster import node
from flora_core.files import read_kept, write_whole

LOADED: Final = "loaded.json"
"""Names of archives, in the cluster's folder; each says with its address what is in it."""


def load(folder: Path, archives: Sequence[Path], *, say: Callable[[str], object]) -> list[Path]:
    """Those of ``archives`` that the node in ``folder`` had to be given. Raises CannotStart. Blocks."""
    kept = folder / LOADED
    there = read_kept(kept, list[str]) or []
    given = [archive for archive in archives if archive.name not in there]
    for archive in given:
        began = time.monotonic()
        node.load(folder, archive)
        there.append(archive.name)
        write_whole(kept, msgspec.json.encode(there))
        say(f"loaded {archive.stem} in {time.monotonic() - began:.0f} s")
    return given
