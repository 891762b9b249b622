"""What commands print: data to standard output, everything else to standard error."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
import typer
from rich.text import Text

from flora_cli import show


def print_json(value: Any) -> None:
    """``value`` as one line of JSON."""
    typer.echo(msgspec.json.encode(value).decode())


def note(text: str) -> None:
    """Something that a person may want to know beside the data."""
    show.console(stderr=True).print(Text(show.plain(text), style="dim"))


def warn(text: str) -> None:
    """Something that a person should know."""
    show.console(stderr=True).print(Text(show.plain(text), style="yellow"))


def error(text: str) -> None:
    """Why something did not work."""
    show.console(stderr=True).print(Text(show.plain(text), style="red"))


def standard_input() -> str:
    """All of it, as text; its bytes are left as they are. Raises InvalidInput."""
    from flora_core.errors import InvalidInput  # noqa: PLC0415

    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise InvalidInput("standard input should be text in UTF-8: values are text") from None
