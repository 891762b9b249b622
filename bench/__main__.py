"""``python -m bench [NAME …]``: measure, print the table, write results.json.

Exit codes: 0 everything was measured (a figure that falls short is a figure), 1 something could not be,
2 there is no benchmark of that name, 130 interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench import machine
from bench.registry import BENCHMARKS, Benchmark, UnknownBenchmark, select
from bench.rows import RESULTS, Row, keep, table, unmeasured
from flora_core.telemetry import setup_logging


def main(
    arguments: Sequence[str],
    *,
    program: str = "python -m bench",
    among: Sequence[Benchmark] = BENCHMARKS,
    results: Path = RESULTS,
) -> int:
    """Run what ``arguments`` name of ``among``."""
    parser = argparse.ArgumentParser(prog=program, description="flora's figures, as ratios.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="a benchmark or a row; all without any")
    parser.add_argument("--list", action="store_true", help="show what there is")
    options = parser.parse_args(arguments)
    if options.list:
        for benchmark in among:
            print(f"{benchmark.name:<14}{benchmark.what}\n{'':<14}{', '.join(benchmark.rows)}")
        return 0
    try:
        chosen = select(options.names, among)
    except UnknownBenchmark as error:
        print(error, file=sys.stderr)
        return 2
    setup_logging("bench", level="ERROR", style="console")  # what is killed here is killed on purpose
    for stop in (signal.SIGTERM, signal.SIGINT):  # both clean up; a shell's background job ignores the second
        signal.signal(stop, signal.default_int_handler)
    rows: list[Row] = []
    began = time.monotonic()
    try:
        for benchmark in chosen:
            rows += _run(benchmark)
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return 130
    keep(rows, order=[name for benchmark in among for name in benchmark.rows], file=results)
    print(f"\n{machine.description()}\n{table(rows)}\n")
    print(f"{time.monotonic() - began:.0f} s; written to {results}")
    return 1 if any(row.value is None or _lacks_baseline(row) for row in rows) else 0


def _run(benchmark: Benchmark) -> list[Row]:
    """The rows of one benchmark; those that could not be measured say so."""
    _say(f"{benchmark.name}: {benchmark.what} …")
    began = time.monotonic()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="flora-bench-", ignore_cleanup_errors=True) as folder:
        try:
            asyncio.run(_collect(benchmark, Path(folder), rows))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  one benchmark's failure is a row, not the end
            why = _why(error)
            _say(f"{benchmark.name}: could not be measured: {why}")
            have = {row.name for row in rows}
            rows += [unmeasured(name, why=why) for name in benchmark.rows if name not in have]
    _say(f"{benchmark.name}: {time.monotonic() - began:.0f} s")
    return rows


async def _collect(benchmark: Benchmark, folder: Path, rows: list[Row]) -> None:
    core = machine.cores().feeding if benchmark.pinned else None
    with machine.pinned(core):
        async with (
            asyncio.timeout(benchmark.longest),
            contextlib.aclosing(benchmark.figures(folder)) as figures,
        ):
            async for row in figures:
                rows.append(row)  # noqa: PERF401  those before a failure count too


def _lacks_baseline(row: Row) -> bool:
    return row.baseline is None and " x " in row.target


def _why(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
