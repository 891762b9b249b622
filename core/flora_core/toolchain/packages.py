"""Reads the npm packages that a project needs, from the ``node_modules`` beside it.

Only packages that ``package.json`` names as dependencies are read, and what these name in turn; the way to
them is Node's (``node_modules`` of the folder and of those around it), so that npm's flat tree and pnpm's
tree of links both work. The bundler knows no links, so a package gets the place where it would be without
any: at the top, or below the one package that needs another version than the rest.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from flora_core.errors import InvalidProject
from flora_core.toolchain import files
from flora_core.toolchain.paths import DEPENDENCIES, MAX_DEPENDENCY_BYTES, MAX_DEPENDENCY_FILES

_NAME: Final = re.compile(r"(@[\w.~-]+/)?(?!\.)[\w.~-]+", re.ASCII)


class _Manifest(Struct):
    """The part of a ``package.json`` that says what a package needs."""

    dependencies: dict[str, str] = {}
    optionalDependencies: dict[str, str] = {}  # noqa: N815
    peerDependencies: dict[str, str] = {}  # noqa: N815


def read_packages(root: Path, manifest: str) -> dict[str, str]:
    """Path below ``root`` -> text, of everything that ``manifest``, the project's own, asks for.

    A package that is not installed is passed over: the bundler says so where it is imported. Raises
    InvalidProject over 5,000 files or 20 MiB.
    """
    texts: dict[str, str] = {}
    count = size = 0
    for place, package in _placed(root, manifest).items():
        for source in files.find(package, root=root, wanted=_wanted):
            count += 1
            size += source.size
            if count > MAX_DEPENDENCY_FILES or size > MAX_DEPENDENCY_BYTES:
                raise InvalidProject(
                    f"the dependencies have more than {MAX_DEPENDENCY_FILES:,} files or "
                    f"{MAX_DEPENDENCY_BYTES >> 20} MiB (reading {place}); use smaller packages, or fewer"
                )
            texts[f"{place}/{source.name}"] = source.path.read_bytes().decode(errors="replace")
    return texts


def _placed(root: Path, manifest: str) -> dict[str, Path]:
    """Where each package goes in the project -> where it is."""
    placed: dict[str, Path] = {}
    # Breadth first: what the project itself asks for gets the top before anything else can.
    waiting = deque((name, root, "") for name in _with_types(_needs(manifest)))
    while waiting:
        name, needed_in, needed_at = waiting.popleft()
        package = _installed(name, needed_in, root)
        if package is None or (seen := _visible(name, needed_at, placed)) == package:
            continue
        place = f"{DEPENDENCIES}/{name}" if seen is None else f"{needed_at}/{DEPENDENCIES}/{name}"
        if len(placed) >= MAX_DEPENDENCY_FILES:
            raise InvalidProject(f"there are more than {MAX_DEPENDENCY_FILES:,} dependencies; use fewer")
        placed[place] = package
        manifest_of = package / "package.json"
        if manifest_of.is_file():
            needs = _needs(manifest_of.read_text(encoding="utf-8", errors="replace"))
            waiting.extend((need, package, place) for need in needs)
    return placed


def _installed(name: str, needed_in: Path, root: Path) -> Path | None:
    """Where Node would find package ``name`` from the folder ``needed_in``, up to ``root``."""
    for folder in (needed_in, *needed_in.parents):
        candidate = folder / DEPENDENCIES / name
        if candidate.is_dir():
            real = candidate.resolve()
            if not real.is_relative_to(root):
                raise InvalidProject(
                    f"the package {name!r} is a link that leaves the folder; install it there"
                )
            return real
        if folder == root:
            break
    return None


def _visible(name: str, needed_at: str, placed: dict[str, Path]) -> Path | None:
    """The package ``name`` that the package at ``needed_at`` would get as things stand."""
    at = needed_at
    while at:
        if (found := placed.get(f"{at}/{DEPENDENCIES}/{name}")) is not None:
            return found
        at = at.rpartition(f"/{DEPENDENCIES}/")[0]
    return placed.get(f"{DEPENDENCIES}/{name}")


def _needs(manifest: str) -> list[str]:
    """Names of the packages that a ``package.json`` asks for, sorted; none when it is not one."""
    try:
        found = msgspec.json.decode(manifest, type=_Manifest)
    except msgspec.DecodeError:
        return []
    needs = found.dependencies | found.optionalDependencies | found.peerDependencies
    return sorted(name for name in needs if _NAME.fullmatch(name))


def _with_types(names: list[str]) -> Iterator[str]:
    """``names``, and for each the package that would hold its types (DefinitelyTyped)."""
    for name in names:
        yield name
        yield "@types/" + name.removeprefix("@").replace("/", "__")


def _wanted(name: str, is_folder: bool) -> bool:
    return not (is_folder and name.rpartition("/")[2] == DEPENDENCIES)
