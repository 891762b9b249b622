"""``flora``: the command line for authors of scripts and for those who run a cluster.

What commands there are stands in ``flora_cli.commands``; this module imports none of them.
"""

from __future__ import annotations

import errno
import sys
from typing import Annotated, Final

import typer

from flora_cli.lazy import LazyGroup
from flora_core.errors import FloraError, InvalidInput

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})
"""Nothing of ours is wrong: standard output is a file on a disk that is full, or a terminal that is gone."""

app = typer.Typer(
    name="flora",
    cls=LazyGroup,
    help="A Discord bot whose guilds each run their own TypeScript.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415  # slow to import, and only needed here

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


def main() -> None:
    """Run a command.

    Exit codes: 0 fine, 1 it did not work, 2 it was asked for wrongly, 130 somebody pressed Ctrl-C; an error
    with an ``exit_code`` of its own ends with that.
    """
    try:
        app()
    except FloraError as error:
        _end(error)
    except ExceptionGroup as group:
        known = [error for error in group.exceptions if isinstance(error, FloraError)]
        if not known:
            raise
        _end(known[0])
    except OSError as error:
        if error.errno not in _FULL:
            raise
        _end(FloraError(f"what this prints has no room any more: {error.strerror}"))


def exit_code(error: FloraError) -> int:
    """What ``flora`` exits with after ``error``."""
    return getattr(error, "exit_code", 2 if isinstance(error, InvalidInput) else 1)


def _end(error: FloraError) -> None:
    from flora_cli import output  # noqa: PLC0415  # brings the drawing library

    output.error(f"error: {error}")
    sys.exit(exit_code(error))


if __name__ == "__main__":
    main()
