"""``flora``: the command line for authors of scripts and for those who run a cluster."""

from __future__ import annotations

import contextlib
import sys
from importlib.metadata import entry_points, version
from typing import Annotated

import typer

from flora_cli import kv, project
from flora_cli.logs import logs
from flora_core.errors import FloraError, InvalidInput

app = typer.Typer(
    name="flora",
    help="A Discord bot whose guilds each run their own TypeScript.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

PLUGIN_GROUP = "flora.commands"


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("flora"))
        raise typer.Exit


@app.callback()
def flora(
    *,
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """A Discord bot whose guilds each run their own TypeScript."""
    del show_version


for command in project.COMMANDS:
    app.command()(command)
app.command()(logs)
app.add_typer(kv.app)


def _add_plugins() -> None:
    """Commands of packages that may not be installed, as ``flora dev``."""
    for plugin in entry_points(group=PLUGIN_GROUP):
        with contextlib.suppress(ModuleNotFoundError):
            app.command(plugin.name)(plugin.load())


def main() -> None:
    """Run a command. Exit codes: 0 fine, 1 it did not work, 2 it was asked for wrongly."""
    _add_plugins()
    try:
        app()
    except FloraError as error:
        typer.secho(f"error: {error}", fg=typer.colors.RED, err=True)
        sys.exit(2 if isinstance(error, InvalidInput) else 1)
    except ExceptionGroup as group:
        known = [error for error in group.exceptions if isinstance(error, FloraError)]
        if not known:
            raise
        typer.secho(f"error: {known[0]}", fg=typer.colors.RED, err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
