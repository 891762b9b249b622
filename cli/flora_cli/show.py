"""Storage and logs as a person reads them. Colour only on a terminal (rich decides, and honours NO_COLOR)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flora_core.wire.control import LogLine

LEVEL_STYLES: Final = {"debug": "dim", "info": "default", "warn": "yellow", "error": "red"}
VALUE_SHOWN: Final = 60
"""Characters of a value in a table."""

_NO_MARGIN: Final = 10_000
_PROSE: Final = 20
"""Characters of the last column, below which a table is not worth reading."""
_GAP: Final = 2
"""Between columns."""
_FRACTION: Final = re.compile(r"\.[0-9]+(?=Z|[+-])")

_CONTROLS: Final = {
    code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"
}


def console(*, stderr: bool = False) -> Console:
    """Where to print: nothing is highlighted or wrapped by itself, and a pipe has no right margin."""
    made = Console(highlight=False, soft_wrap=True, stderr=stderr)
    if not made.is_terminal:
        made.width = _NO_MARGIN
    return made


def stores_table(stores: Iterable[Mapping[str, Any]]) -> Table:
    """Stores with their size."""
    made = table("STORE", "KEYS", "SIZE")
    for store in stores:
        made.add_row(Text(plain(store["name"])), str(store["keys"]), size(store["bytes"]))
    return made


def keys_table(keys: Iterable[Mapping[str, Any]]) -> Table:
    """Keys, with their values where these are known."""
    rows = list(keys)
    values = any("value" in row for row in rows)
    made = table("KEY", *(["VALUE"] if values else []), "EXPIRES", "METADATA")
    for row in rows:
        row_cells = [row["name"], *([_short(row.get("value", ""))] if values else [])]
        metadata = msgspec.json.encode(row["metadata"]).decode() if "metadata" in row else ""
        row_cells += [moment(row["expiration"]) if "expiration" in row else "", _short(metadata)]
        made.add_row(*(Text(plain(cell)) for cell in row_cells))
    return made


def log_line(line: LogLine, *, date: bool = False, guild: bool = False) -> Text:
    """A line of a log, with its stack below it."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S" if date else "%H:%M:%S", time.localtime(line.at / 1000))
    outcome = f" [{line.outcome}]" if line.outcome else ""
    head = Text(f"{stamp} {line.level:<5} ", style="dim")
    who = f"{line.guild} " if guild else ""
    return head + Text(f"{who}{plain(line.text)}{outcome}", style=LEVEL_STYLES.get(line.level, "default"))


def stack_lines(stack: str) -> list[Text]:
    """A mapped stack, a line a frame."""
    return [Text(f"    {plain(frame.strip())}", style="red") for frame in stack.splitlines()]


def plain(text: str) -> str:
    """``text`` without what a terminal would obey: scripts must not move cursors or set titles."""
    return text.translate(_CONTROLS)


def size(count: int) -> str:
    """Bytes in the unit that suits them."""
    if count < 1 << 10:
        return f"{count} B"
    return f"{count / (1 << 10):.1f} KiB" if count < 1 << 20 else f"{count / (1 << 20):.1f} MiB"


def moment(seconds: float) -> str:
    """Unix seconds as a time in UTC; as they are when no calendar has them."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return f"{seconds:.0f}"


def table(*columns: str) -> Table:
    """An empty one with these columns; the last may be broken, the others are copied from."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold", no_wrap=column != columns[-1])
    return made


def print_rows(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """Print a table, whatever is in it."""
    made = table(*columns)
    for row in rows:
        made.add_row(*cells(row))
    print_table(made)


def print_table(made: Table) -> None:
    """Print a table; where the terminal is too narrow for it, its rows one below the other."""
    out = console()
    if needed_width(made) <= out.width:
        out.print(made)
        return
    for number in range(made.row_count):
        if number:
            out.print()
        out.print(_record(made, number))


def needed_width(made: Table) -> int:
    """Characters of a line of ``made`` with nothing broken but the last column."""
    widths = [max(cell_len(str(cell)) for cell in (column.header, *column.cells)) for column in made.columns]
    last = min(widths[-1], _PROSE) if widths else 0
    return sum(widths[:-1]) + last + _GAP * (len(widths) - 1)


def _record(made: Table, number: int) -> Table:
    """A row of ``made``, a line a column; what is empty is left out."""
    record = table("", "")
    record.show_header = False
    for column in made.columns:
        cell = list(column.cells)[number]
        if str(cell):
            record.add_row(Text(str(column.header).lower(), style="dim"), cell)
    return record


def cells(values: Iterable[object]) -> list[Text]:
    """A row of a table, whatever is in it; None as nothing."""
    return [Text("" if value is None else _short(plain(str(value)))) for value in values]


def when(text: str | None) -> str:
    """A time as an API writes it, to the second."""
    return _FRACTION.sub("", text).replace("T", " ") if text else ""


def _short(text: str) -> str:
    line = text.replace("\n", "⏎")
    return line if len(line) <= VALUE_SHOWN else f"{line[: VALUE_SHOWN - 1]}…"
