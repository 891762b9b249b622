"""``flora init``: a new project from a template."""

from __future__ import annotations

import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from flora_core.assets import TYPES, asset
from flora_core.errors import InvalidInput

TEMPLATE: Final = "basic"
TYPES_FILE: Final = ".flora/flora.d.ts"
"""The ambient types; not checked in, because every flora brings its own."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_RENAMED: Final = {"gitignore": ".gitignore"}


def create_project(folder: Path) -> list[Path]:
    """Make a project in ``folder``, new or empty; the files, relative to it.

    Raises InvalidInput when there is something already, or when the last part of the path is no name.
    """
    name = folder.resolve().name
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"{name!r} is no name for a project; use letters, digits, '-', '_' and '.'")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidInput(f"{folder} exists already and is not empty; name a new folder")
    template = files("flora_cli") / "templates" / TEMPLATE
    written = [_write(folder, path, text.replace("{name}", name)) for path, text in _texts(template)]
    return [*written, write_types(folder)]


def write_types(folder: Path) -> Path:
    """Put this flora's types into the project, for editors."""
    return _write(folder, Path(TYPES_FILE), asset(TYPES).read_text())


def _texts(node: Traversable, at: Path = Path()) -> list[tuple[Path, str]]:
    found: list[tuple[Path, str]] = []
    for child in sorted(node.iterdir(), key=lambda child: child.name):
        path = at / _RENAMED.get(child.name, child.name)
        if child.is_dir():
            found += _texts(child, path)
        else:
            found.append((path, child.read_text()))
    return found


def _write(folder: Path, path: Path, text: str) -> Path:
    write_text(folder / path, text)
    return path


def write_text(file: Path, text: str) -> None:
    """Write ``file`` and make its folder; raises InvalidInput, for that is where the author wanted it."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    except OSError as error:
        raise InvalidInput(f"{file}: cannot be written: {error.strerror or error}") from None
