"""How much of its memory limit this pod's container uses, as the kernel's cgroup tells.

The files differ between the two versions of cgroups; outside of a container with a limit there is nothing to
tell. What the page cache could give back at any time does not count as used, as the kubelet sees it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path("/sys/fs/cgroup")
SHORT: Final = 0.85
"""From this part of the limit on, memory counts as short."""

_UNLIMITED: Final = 1 << 50  # version 1 says a number near 2**63


@dataclass(slots=True, frozen=True)
class _Files:
    limit: str
    used: str
    statistics: str
    cache: str


_VERSION_2: Final = _Files("memory.max", "memory.current", "memory.stat", "inactive_file")
_VERSION_1: Final = _Files(
    "memory/memory.limit_in_bytes",
    "memory/memory.usage_in_bytes",
    "memory/memory.stat",
    "total_inactive_file",
)


class ContainerMemory:
    """Reads a few small files of the kernel's; never waits for a disk."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._files = next((files for files in (_VERSION_2, _VERSION_1) if self._limit(files)), None)

    def excess(self) -> int:
        """Bytes that are used beyond what is comfortable; 0 when there is no limit."""
        files = self._files
        if files is None:
            return 0
        limit, used = self._limit(files), self._number(files.used)
        if not limit or used is None:
            return 0
        return max(0, int(used - self._cache(files) - limit * SHORT))

    def _limit(self, files: _Files) -> int:
        limit = self._number(files.limit)
        return limit if limit is not None and limit < _UNLIMITED else 0

    def _cache(self, files: _Files) -> int:
        try:
            lines = (self._folder / files.statistics).read_text().splitlines()
        except OSError:
            return 0
        fields = dict(line.split(" ", 1) for line in lines if " " in line)
        value = fields.get(files.cache, "")
        return int(value) if value.isdigit() else 0

    def _number(self, file: str) -> int | None:
        try:
            text = (self._folder / file).read_text().strip()
        except OSError:
            return None
        return int(text) if text.isdigit() else None
