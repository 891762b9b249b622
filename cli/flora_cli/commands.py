"""The commands of ``flora``: where each one is, and its line in ``flora --help``.

A row a command; its module is imported when the command is run, not before, so that ``flora --help`` and
every other command start fast. To add one: a function (or a ``typer.Typer`` for a command with commands of
its own) in a module of ``flora_cli``, and a row here, in the order of the help. Its help line is the first
line of its docstring (or the ``help`` of its Typer): a test compares them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

PLUGIN: Final = "plugin"
"""``where`` of commands that other packages bring, by an entry point of ``PLUGIN_GROUP`` with their name."""

PLUGIN_GROUP: Final = "flora.commands"

PROJECT: Final = "A project on this machine"
GUILDS: Final = "Guilds and their scripts"
INSTALLATION: Final = "This installation"


class Row(NamedTuple):
    """One command."""

    name: str
    where: str
    """``module:attribute``, or PLUGIN."""
    help: str
    panel: str
    """Its group in the help."""
    extra: str = "cli"
    """The extra of the package that brings what it imports: ``pip install 'flora[cli]'``."""


COMMANDS: Final = (
    Row("init", "flora_cli.project:init", "Make a new project, with types for your editor.", PROJECT),
    Row(
        "dev",
        PLUGIN,
        "Run a script on this machine: simulated Discord, gateway, runtime pod.",
        PROJECT,
        "dev",
    ),
    Row(
        "check",
        "flora_cli.project:check",
        "Type check a project. Exits with 1 when there are errors.",
        PROJECT,
    ),
    Row(
        "bundle",
        "flora_cli.project:bundle",
        "Bundle a project into the one script that an isolate runs.",
        PROJECT,
    ),
    Row("types", "flora_cli.project:types", "Write this flora's types into a project, for editors.", PROJECT),
    Row(
        "logs",
        "flora_cli.logs:logs",
        "Show the newest lines of a guild's log (with `flora dev` running).",
        GUILDS,
    ),
    Row(
        "kv", "flora_cli.kv:app", "Look into what a guild's script keeps (with `flora dev` running).", GUILDS
    ),
)
