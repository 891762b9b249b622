"""Finds a project in a folder on its author's disk.

Read are sources and JSON files. Left out are names that begin with a dot, ``node_modules`` (see
``packages``), at the top ``dist``, ``build``, ``out`` and ``coverage``, lock files, and what the folder's
``.gitignore`` names.

A deploy takes less: no tests (``main.test.ts``, ``main.spec.ts``), and nothing that ``.floraignore`` names,
which tests may need and the bot does not. Its rules come behind those of ``.gitignore``:
``!src/generated/*`` brings back what Git does not keep.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from flora_core.errors import InvalidProject
from flora_core.toolchain import files
from flora_core.toolchain.ignore import Ignore
from flora_core.toolchain.packages import read_packages
from flora_core.toolchain.paths import DEPENDENCIES, MAX_BYTES, MAX_FILES, is_test

ENTRYPOINTS: Final = tuple(
    f"{folder}{name}.{ending}"
    for ending in ("ts", "js")
    for name in ("main", "index")
    for folder in ("src/", "")
)
"""Where a script starts when nobody says it: ``src/main.ts`` before all."""

_OUTPUT: Final = ("dist", "build", "out", "coverage")
_LOCKS: Final = ("package-lock.json", "npm-shrinkwrap.json")


class Found(NamedTuple):
    files: dict[str, str]
    entrypoint: str
    dependencies: dict[str, str]
    left_out: tuple[str, ...]
    """Files that are the project's, and not for a deploy."""


class _Ignored(NamedTuple):
    """What the folder's files of rules say."""

    by_git: Ignore
    by_both: Ignore
    """By .gitignore with .floraignore behind it."""

    def always(self, name: str, *, folder: bool) -> bool:
        """Whether tests are not to have it either."""
        return self.by_git.ignores(name, folder=folder) and self.by_both.ignores(name, folder=folder)

    def in_deploys(self, name: str) -> bool:
        """Whether a deploy leaves the file out."""
        parts = name.split("/")
        above = ("/".join(parts[:depth]) for depth in range(1, len(parts)))
        return any(self.by_both.ignores(one, folder=True) for one in above) or self.by_both.ignores(
            name, folder=False
        )


def read_folder(folder: Path, entrypoint: str | None, *, deployed: bool = False) -> Found:
    """What ``folder`` holds, or what a deploy of it takes; raises InvalidProject when that is no project."""
    if not folder.exists():
        raise InvalidProject(f"there is no folder {folder}; create it with `flora init`, or name another")
    if not folder.is_dir():
        raise InvalidProject(f"{folder} is a file; give the folder that it is in, and the file as entrypoint")
    root = folder.resolve()
    ignored = _ignored(root)
    there = _sources(root, ignored)
    names = [source.name for source in there]
    start = _default_entrypoint(folder, names) if entrypoint is None else _relative(entrypoint, root)
    left = {name for name in names if name != start and (is_test(name) or ignored.in_deploys(name))}
    sources = [source for source in there if not (deployed and source.name in left)]
    _check_sizes(root, sources)
    texts = {source.name: files.read(source) for source in sources}
    package = next((files.read(source) for source in there if source.name == "package.json"), "{}")
    return Found(texts, start, read_packages(root, package), tuple(sorted(left)))


def _sources(root: Path, ignored: _Ignored) -> list[files.Source]:
    """The project's own files, by name."""

    def wanted(name: str, is_folder: bool) -> bool:
        last = name.rpartition("/")[2]
        if is_folder and (last == DEPENDENCIES or name in _OUTPUT):
            return False
        return last not in _LOCKS and not ignored.always(name, folder=is_folder)

    return sorted(files.find(root, root=root, wanted=wanted))


def _check_sizes(root: Path, found: list[files.Source]) -> None:
    """Raises InvalidProject before reading what is too much anyway."""
    if len(found) > MAX_FILES:
        raise InvalidProject(
            f"there are {len(found):,} source files in {root} and a project may have {MAX_FILES}; "
            "list what is not needed in .gitignore or .floraignore"
        )
    total = sum(source.size for source in found)
    if total > MAX_BYTES:
        largest = max(found, key=lambda source: source.size)
        raise InvalidProject(
            f"the sources in {root} have {total:,} bytes and may have {MAX_BYTES:,}; "
            f"the largest is {largest.name} with {largest.size:,}"
        )


def _ignored(root: Path) -> _Ignored:
    git, flora = (_text(root / name) for name in (".gitignore", ".floraignore"))
    return _Ignored(Ignore(git), Ignore(f"{git}\n{flora}"))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _relative(entrypoint: str, root: Path) -> str:
    """``entrypoint`` as a path of the project, however the shell completed it."""
    path = Path(entrypoint)
    if path.is_absolute() and path.is_relative_to(root):
        path = path.relative_to(root)
    return path.as_posix()


def _default_entrypoint(folder: Path, names: Sequence[str]) -> str:
    for path in ENTRYPOINTS:
        if path in names:
            return path
    raise InvalidProject(
        f"there is no entrypoint in {folder}: looked for {', '.join(ENTRYPOINTS)}; "
        "name the file that starts your script, as in `flora deploy src/bot.ts`"
    )
