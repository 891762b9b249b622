"""A group of commands that are imported when they are run.

Typer builds its group from functions, for which their modules must be imported: with everything that the
slowest command needs. ``LazyGroup`` holds outlines instead (name and help line, from the table in
``flora_cli.commands``), which is all that help, completion of names and "did you mean" look at, and takes
the command itself when it is about to be run or its options are completed.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

from flora_cli.commands import COMMANDS, PLUGIN, PLUGIN_GROUP, Row
from flora_core.errors import FloraError

_ROWS: Final = {row.name: row for row in COMMANDS}


class NotInstalled(FloraError):
    """A command lacks a package that this installation does not have."""

    def __init__(self, row: Row, missing: str | None) -> None:
        super().__init__(
            f"`flora {row.name}` needs {missing or 'a package'}, which is not installed: "
            f"pip install 'flora[{row.extra}]'"
        )


class LazyGroup(TyperGroup):
    """The commands of the table."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        self.commands = {
            row.name: TyperCommand(row.name, help=row.help, rich_help_panel=row.panel) for row in COMMANDS
        }

    def list_commands(self, ctx: Any) -> list[str]:
        """In the table's order."""
        del ctx
        return list(self.commands)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, outline, rest = super().resolve_command(ctx, args)
        return name, outline if name is None else load(_ROWS[name]), rest


def load(row: Row) -> Any:
    """The command of a row, as Typer builds it; raises NotInstalled."""
    try:
        target = _target(row)
    except ModuleNotFoundError as error:
        raise NotInstalled(row, error.name) from error
    if isinstance(target, typer.Typer):
        group = typer.main.get_group(target)
        group.name = row.name
        return group
    alone = typer.Typer(add_completion=False)
    alone.command(row.name)(target)
    return typer.main.get_command(alone)


def _target(row: Row) -> Any:
    if row.where != PLUGIN:
        module, _, attribute = row.where.partition(":")
        return getattr(import_module(module), attribute)
    from importlib.metadata import entry_points  # noqa: PLC0415  # 60 ms that other commands do not need

    for plugin in entry_points(group=PLUGIN_GROUP, name=row.name):
        return plugin.load()
    raise NotInstalled(row, f"the entry point {row.name} of {PLUGIN_GROUP}")
