"""Write the table of events in ``docs/events.md`` from ``flora_core.events``.

.venv/bin/python tools/event_table.py            write it
.venv/bin/python tools/event_table.py --check    exit with 1 when it is not up to date
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from flora_core.events import PRIVILEGED, TABLE, EventKind

GUIDE: Final = Path(__file__).parents[1] / "docs" / "events.md"
BEGIN: Final = "<!-- The table is made by tools/event_table.py. -->\n"
END: Final = "<!-- End of the table. -->\n"

_HEAD: Final = "| event | when | `ctx.msg` | Discord's | |\n|---|---|---|---|---|\n"


def table() -> str:
    """The table as Markdown."""
    return _HEAD + "".join(_row(kind) for kind in TABLE)


def updated(text: str) -> str:
    """``text`` with the table in its place; raises ValueError when there is none."""
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    return text[:begin] + "\n" + table() + "\n" + text[end:]


def _row(kind: EventKind) -> str:
    theirs = kind.type if kind.interaction is None else f"{kind.type}, type {kind.interaction}"
    notes = ["members"] if kind.intent in PRIVILEGED else []
    notes += ["droppable"] if kind.droppable else []
    return f"| `{kind.name}` | {kind.when} | `{kind.payload}` | {theirs} | {', '.join(notes)} |\n"


def main() -> int:
    text = GUIDE.read_text()
    wanted = updated(text)
    if "--check" in sys.argv:
        return int(text != wanted)
    GUIDE.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
