"""A guild's script as its author wrote it: files, and the one where it starts.

A ``Project`` that exists is a valid one. It comes from a manifest (``Project(files, entrypoint)``), or from
a folder on the author's disk, which may have npm packages beside it (``Project.from_folder``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from flora_core.toolchain.folder import read_folder
from flora_core.toolchain.paths import check_dependencies, check_entrypoint, check_files


@dataclass(frozen=True, slots=True)
class Project:
    """Sources of one script, 1 to 200 files and at most 1 MiB; raises InvalidProject when made otherwise."""

    files: Mapping[str, str]
    """Path -> text. Paths are relative, POSIX and normalised: ``src/main.ts``."""
    entrypoint: str
    """One of ``files`` that can be run: ``.ts .tsx .mts .cts .js .jsx .mjs .cjs``."""
    dependencies: Mapping[str, str] = field(default_factory=dict[str, str], kw_only=True)
    """Files of npm packages, below ``node_modules/``; at most 5,000 and 20 MiB, counted apart."""
    left_out: tuple[str, ...] = field(default=(), kw_only=True, compare=False)
    """Files of the folder that a deploy does not take: tests, and what ``.floraignore`` names."""

    def __post_init__(self) -> None:
        check_files(self.files)
        check_entrypoint(self.entrypoint, self.files)
        check_dependencies(self.dependencies)
        object.__setattr__(self, "files", _frozen(self.files))
        object.__setattr__(self, "dependencies", _frozen(self.dependencies))

    @classmethod
    def from_folder(
        cls, path: str | Path, entrypoint: str | None = None, *, deployed: bool = False
    ) -> Project:
        """The project in the folder ``path``; blocks while it reads.

        ``entrypoint`` is relative to the folder. Without it, the first there is of ``src/main.ts``,
        ``main.ts``, ``src/index.ts``, ``index.ts`` and the same in JavaScript. ``deployed``: without
        ``left_out``, as a deploy takes it.
        """
        found = read_folder(Path(path), entrypoint, deployed=deployed)
        return cls(found.files, found.entrypoint, dependencies=found.dependencies, left_out=found.left_out)


def _frozen(files: Mapping[str, str]) -> Mapping[str, str]:
    """A copy of ``files`` that nobody can change, in the order of its paths."""
    return MappingProxyType(dict(sorted(files.items())))
