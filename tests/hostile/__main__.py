"""``python -m tests.hostile [--only TEXT] [--write docs/hostile.md]``: all attacks, and the table of them.

Exit codes: 0 every attacker ended as expected and nobody was harmed, 1 otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from flora_core.telemetry import setup_logging
from tests.hostile.catalogue import Snippet, read
from tests.hostile.pod_under_attack import PodUnderAttack, Verdict
from tests.hostile.table import page, summary


def main(arguments: Sequence[str]) -> int:
    """Run the attacks that ``arguments`` choose."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.hostile", description="Hostile scripts, and a table."
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="attacks whose family or name has it")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the table, as Markdown")
    parser.add_argument(
        "--log-level", default="CRITICAL", help="of the pod: what goes wrong here goes wrong on purpose"
    )
    options = parser.parse_args(arguments)
    setup_logging("hostile", level=options.log_level, style="console")
    verdicts = asyncio.run(run([snippet for snippet in read() if options.only in snippet.id]))
    print(summary(verdicts))
    if options.write is not None:
        options.write.write_text(page(verdicts))
    return 0 if all(verdict.as_expected for verdict in verdicts) else 1


async def run(snippets: list[Snippet]) -> list[Verdict]:
    """One pod, one attack after the other."""
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory(prefix="flora-hostile-") as folder:
        async with PodUnderAttack(Path(folder)) as pod:
            for snippet in snippets:
                verdict = await pod.attack(snippet)
                verdicts.append(verdict)
                print(line(verdict), flush=True)
    return verdicts


def line(verdict: Verdict) -> str:
    """One attack, for a terminal."""
    mark = " " if verdict.as_expected else "!"
    text = (
        f"{mark} {verdict.snippet.id:<70.70} {verdict.outcome:<15} {verdict.worst_ms:7.0f} ms "
        f"{verdict.peak_mib:6.0f} MiB {verdict.seconds:5.1f} s {','.join(verdict.replaced)}"
    )
    return "\n".join([text, *(f"    {harm}" for harm in verdict.harm[:5])])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
