"""Finds a project in a folder on its author's disk.

Read are sources and JSON files. Left out are names that begin with a dot, ``node_modules`` (see
``packages``), at the top ``dist``, ``build``, ``out`` and ``coverage``, lock files, and what the folder's
``.gitignore`` names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from flora_core.errors import InvalidProject
from flora_core.toolchain import files
from flora_core.toolchain.ignore import Ignore
from flora_core.toolchain.packages import read_packages
from flora_core.toolchain.paths import DEPENDENCIES, MAX_BYTES, MAX_FILES

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


def read_folder(folder: Path, entrypoint: str | None) -> Found:
    """What ``folder`` holds; raises InvalidProject when that is no project."""
    if not folder.exists():
        raise InvalidProject(f"there is no folder {folder}; create it with `flora init`, or name another")
    if not folder.is_dir():
        raise InvalidProject(f"{folder} is a file; give the folder that it is in, and the file as entrypoint")
    root = folder.resolve()
    sources = _sources(root)
    texts = {source.name: files.read(source) for source in sources}
    start = _default_entrypoint(folder, texts) if entrypoint is None else _relative(entrypoint, root)
    return Found(texts, start, read_packages(root, texts.get("package.json", "{}")))


def _sources(root: Path) -> list[files.Source]:
    """The project's own files; raises InvalidProject before reading what is too much anyway."""
    ignore = _gitignore(root)

    def wanted(name: str, is_folder: bool) -> bool:
        last = name.rpartition("/")[2]
        if is_folder and (last == DEPENDENCIES or name in _OUTPUT):
            return False
        return last not in _LOCKS and not ignore.ignores(name, folder=is_folder)

    found = sorted(files.find(root, root=root, wanted=wanted))
    if len(found) > MAX_FILES:
        raise InvalidProject(
            f"there are {len(found):,} source files in {root} and a project may have {MAX_FILES}; "
            "list what is not needed in .gitignore"
        )
    total = sum(source.size for source in found)
    if total > MAX_BYTES:
        largest = max(found, key=lambda source: source.size)
        raise InvalidProject(
            f"the sources in {root} have {total:,} bytes and may have {MAX_BYTES:,}; "
            f"the largest is {largest.name} with {largest.size:,}"
        )
    return found


def _gitignore(root: Path) -> Ignore:
    path = root / ".gitignore"
    return Ignore(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else Ignore()


def _relative(entrypoint: str, root: Path) -> str:
    """``entrypoint`` as a path of the project, however the shell completed it."""
    path = Path(entrypoint)
    if path.is_absolute() and path.is_relative_to(root):
        path = path.relative_to(root)
    return path.as_posix()


def _default_entrypoint(folder: Path, texts: dict[str, str]) -> str:
    for path in ENTRYPOINTS:
        if path in texts:
            return path
    raise InvalidProject(
        f"there is no entrypoint in {folder}: looked for {', '.join(ENTRYPOINTS)}; "
        "name the file that starts your script, as in `flora deploy src/bot.ts`"
    )
