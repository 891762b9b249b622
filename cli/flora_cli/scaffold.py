"""``flora init``: a new project from a template.

A template is a folder of ``templates``: most are links to the repository's ``examples``, so that what authors
begin with is what is tested there. ``templates/common`` goes into every project, with ``{name}`` and
``{say}`` filled in.
"""

from __future__ import annotations

import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from flora_core.assets import TYPES, asset
from flora_core.errors import InvalidInput

COMMON: Final = "common"
TEMPLATES: Final = {
    "basic": "--send '!ping'",
    "components": "--slash '/shop'",
    "cron": "--slash '/remind in:10m text:tea'",
    "fetch": "--slash '/weather city:Berlin'",
    "kv": "--send '!counter' --click count",
    "moderation": "--slash '/slowmode seconds:5'",
}
"""Each with what to say to its bot first, as options of ``flora dev``."""

TYPES_FILE: Final = ".flora/flora.d.ts"
"""The ambient types; not checked in, because every flora brings its own."""

PROJECT_FILE: Final = Path("flora.toml")

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_RENAMED: Final = {"gitignore": ".gitignore"}


def create_project(folder: Path, template: str = "basic") -> list[Path]:
    """Make a project in ``folder``, new or empty, from one of TEMPLATES; the files, relative to it.

    Raises InvalidInput when there is something already, or when the last part of the path is no name.
    """
    name = folder.resolve().name
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"{name!r} is no name for a project; use letters, digits, '-', '_' and '.'")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidInput(f"{folder} exists already and is not empty; name a new folder")
    templates = files("flora_cli") / "templates"
    own = dict(_texts(templates / template))
    common = {
        path: text.replace("{name}", name).replace("{say}", TEMPLATES[template])
        for path, text in _texts(templates / COMMON)
    }
    texts = {**own, **common}
    if PROJECT_FILE in own:
        texts[PROJECT_FILE] = f"{common[PROJECT_FILE]}\n{own[PROJECT_FILE]}"
    return [*(_write(folder, path, texts[path]) for path in sorted(texts)), write_types(folder)]


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
