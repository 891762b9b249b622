"""Rows of the table: what was measured, against what, and whether it is good enough."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from bench.machine import median, percentile

RESULTS: Final = Path(__file__).with_name("results.json")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One figure. ``value`` None: it could not be measured, and ``note`` says why."""

    name: str
    value: float | None
    unit: str
    baseline: float | None = None
    """The same figure of what flora is compared with, measured in the same run, in the same unit."""
    ratio: float | None = None
    """value / baseline; the median of the pairs' own ratios, so not exactly the quotient of the two."""
    target: str
    """The bar, in words."""
    ok: bool
    note: str = ""
    runs: list[float] = []
    """The single measurements behind ``value``; behind ``ratio`` where that is what the bar is about."""
    at: str = ""
    """When, in UTC; set by ``keep``."""


def latencies(name: str, seconds: list[float], *, p50: float, p95: float, note: str) -> Iterator[Row]:
    """The rows ``name-p50`` and ``name-p95`` of what took ``seconds``, and their bars."""
    for part, value, bar in (("p50", median(seconds), p50), ("p95", percentile(seconds, 0.95), p95)):
        yield Row(
            name=f"{name}-{part}",
            value=value,
            unit="s",
            target=f"<= {bar:g} s",
            ok=value <= bar,
            runs=seconds,
            note=note,
        )


def unmeasured(name: str, *, why: str) -> Row:
    """The row of a figure that could not be had."""
    return Row(name=name, value=None, unit="", target="", ok=False, note=why)


def keep(rows: Sequence[Row], *, order: Sequence[str], file: Path = RESULTS) -> None:
    """Write ``rows`` to results.json, beside those of other benchmarks that are there, in ``order``.

    Rows whose name is not in ``order`` are of a benchmark that is no more, and go.
    """
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    known = {row.name: row for row in read(file)}
    known |= {row.name: msgspec.structs.replace(row, at=now) for row in rows}
    merged = [known[name] for name in order if name in known]
    file.write_bytes(msgspec.json.format(msgspec.json.encode(merged), indent=2) + b"\n")


def read(file: Path = RESULTS) -> list[Row]:
    """What results.json holds; nothing when there is none, or one of another time."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=list[Row])
    except (OSError, msgspec.DecodeError):
        return []


def table(rows: Sequence[Row]) -> str:
    """For a terminal."""
    cells = [("figure", "value", "baseline", "ratio", "bar", "")]
    cells += [
        (
            row.name,
            _number(row.value, row.unit),
            _number(row.baseline),
            f"{row.ratio:.2f}" if row.ratio is not None else "",
            row.target,
            "ok" if row.ok else "not measured" if row.value is None else "falls short",
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    notes = [f"{row.name}: {row.note}" for row in rows if row.note]
    return "\n".join([*(line.rstrip() for line in lines), "", *notes])


def _number(value: float | None, unit: str = "") -> str:
    if value is None:
        return ""
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{text} {unit}".rstrip()
