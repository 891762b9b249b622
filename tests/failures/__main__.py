"""``python -m tests.failures [--only TEXT] [--write docs/failures.md]``: all cases, and the table of them.

Exit codes: 0 nothing was lost or repeated, 1 otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from flora_core.telemetry import setup_logging
from tests.failures.cases import CASES
from tests.failures.counting import Tally

HEAD: Final = """# When something dies

Made by `python -m tests.failures --write docs/failures.md`. Gateway and runtime pod are processes, Discord is
the simulator, and somebody writes a message every 20 ms that the script echoes. The same cases are tests:
`make test TESTS=tests/failures`.

*Lost* are messages that Discord delivered, or replays on a resume, without an answer. *Cut off* are those that
a worker had begun when it was killed: at most so many had no answer, the guild's log says so, and they are not
handled again, since a handler that had begun may have acted. *Repeated* are answers that Discord shows twice.
*Served after* is the time from the death to the first answer to a message that was written after it, the
restart of a Python process included; measured once, on a machine that was busy with other things.

Repeats come from the pod alone: it acknowledges events ten times a second, and what its last tenth of a second
had answered is given to its successor again. (A gateway's repeats are kept from being seen by their nonces.)
"""
COLUMNS: Final = (
    "| what died | messages | answered | cut off, at most | lost | repeated | served after, s | |"
)


def main(arguments: Sequence[str]) -> int:
    """Run the cases that ``arguments`` choose."""
    parser = argparse.ArgumentParser(prog="python -m tests.failures", description="What dies, and a table.")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose name has it")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the table, as Markdown")
    options = parser.parse_args(arguments)
    setup_logging("failures", level="CRITICAL", style="console")
    tallies: list[Tally] = []
    for name, case in CASES.items():
        if options.only in name:
            with tempfile.TemporaryDirectory(prefix="flora-failures-") as folder:
                tallies.append(asyncio.run(case(Path(folder))))
            print(row(tallies[-1]), flush=True)
    if options.write is not None:
        options.write.write_text(page(tallies))
    return 0 if all(not tally.lost and (not tally.repeated or tally.may_repeat) for tally in tallies) else 1


def page(tallies: Sequence[Tally]) -> str:
    """docs/failures.md."""
    lost = sum(tally.lost for tally in tallies)
    total = f"In all {sum(tally.sent for tally in tallies)} messages, {lost} lost."
    return "\n".join([HEAD, total, "", COLUMNS, "|---|---|---|---|---|---|---|---|", *map(row, tallies), ""])


def row(tally: Tally) -> str:
    """One line of the table."""
    return (
        f"| {tally.name} | {tally.sent} | {tally.answered} | {tally.cut_off} | {tally.lost} | "
        f"{tally.repeated} | {tally.served_after:.1f} | {tally.note} |"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
