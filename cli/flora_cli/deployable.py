"""What a deploy takes of a folder. Used by all commands that deal with it, so that they mean the same."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from flora_cli import show
from flora_cli.project_file import entrypoint_of
from flora_core.toolchain import Project

NAMED: Final = 3
"""Files that stay, named before the rest are counted."""


def deployable(folder: Path, entrypoint: str | None) -> Project:
    """The project of ``folder`` without tests and what ``.floraignore`` names. Blocks.

    Raises InvalidInput.
    """
    return Project.from_folder(folder, entrypoint_of(folder, entrypoint), deployed=True)


def what_goes(project: Project) -> str:
    """How many files a deploy takes, and which it leaves. Pure."""
    number = len(project.files)
    size = show.size(sum(len(text.encode()) for text in project.files.values()))
    goes = f"{number} file{'s' * (number != 1)}, {size}"
    named, more = project.left_out[:NAMED], len(project.left_out) - NAMED
    if not named:
        return goes
    rest = f" and {more} more" if more > 0 else ""
    return f"{goes}; left out: {', '.join(named)}{rest}"
