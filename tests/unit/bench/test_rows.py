from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from bench.registry import BENCHMARKS, UnknownBenchmark, select
from bench.rows import Row, keep, read, table, unmeasured


def row(name: str, value: float = 1.0, **fields: object) -> Row:
    return msgspec.convert(
        {"name": name, "value": value, "unit": "ms", "target": "<= 2 ms", "ok": value <= 2} | fields, Row
    )


def test_results_keep_the_rows_that_were_not_measured_again(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    keep([row("a", 1.0), row("b", 1.0)], order=["a", "b"], file=file)
    keep([row("b", 3.0)], order=["a", "b"], file=file)
    assert [(kept.name, kept.value, kept.ok) for kept in read(file)] == [("a", 1.0, True), ("b", 3.0, False)]


def test_results_are_in_the_order_of_the_table_and_lose_rows_that_are_no_more(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    keep([row("gone"), row("b")], order=["gone", "b"], file=file)
    keep([row("a")], order=["a", "b"], file=file)
    assert [kept.name for kept in read(file)] == ["a", "b"]


def test_results_have_the_fields_that_others_read(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    keep([row("a")], order=["a"], file=file)
    (kept,) = msgspec.json.decode(file.read_bytes())
    assert {"name", "value", "unit", "baseline", "ratio", "target", "ok"} <= kept.keys()
    assert kept["baseline"] is None


def test_a_file_that_is_no_results_counts_as_none(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_text("not JSON")
    assert read(file) == []


def test_the_table_says_what_falls_short_and_what_could_not_be_measured() -> None:
    text = table([row("good"), row("bad", 3.0), unmeasured("lost", why="there is no npm")])
    lines = {line.split()[0]: line for line in text.splitlines() if line}
    assert lines["good"].endswith("ok")
    assert lines["bad"].endswith("falls short")
    assert "not measured" in text
    assert "lost: there is no npm" in text


def test_a_benchmark_is_selected_by_its_name_or_by_one_of_its_rows() -> None:
    assert [benchmark.name for benchmark in select(["isolate-load", "isolates"])] == ["isolates"]
    assert [benchmark.name for benchmark in select(["dev", "worker"])] == ["worker", "dev"]
    assert len(select([])) == len(BENCHMARKS)


def test_an_unknown_benchmark_is_named_beside_those_that_there_are() -> None:
    with pytest.raises(UnknownBenchmark, match=r"no benchmark 'wroker'.*worker-one-op"):
        select(["wroker"])


def test_row_names_are_unique() -> None:
    names = [name for benchmark in BENCHMARKS for name in benchmark.rows]
    assert len(names) == len(set(names))
