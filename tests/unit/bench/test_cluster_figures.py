"""The operator's benchmark: what it applies, counts, and compares with."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import figure_ready
from bench.cluster import BENCHMARKS
from bench.cluster_bare import TIME, wanted_status
from bench.cluster_world import SCRIPT_BYTES, Writes, _Event, _Metadata, _Object, document, script
from bench.figure_cluster import Side, _planning_seconds, _rows
from bench.registry import select
from flora_core.manifest import parse_manifest
from flora_operator.deployment import from_document
from flora_operator.plan import Built, Observed, plan
from flora_operator.status import parse
from tests.unit.operator.guilds import PODS


def stored(number: int, **spec: object) -> dict[str, object]:
    """As the API server gives it back."""
    made = document(number, **spec)
    made["metadata"] |= {
        "uid": "u",
        "resourceVersion": "1",
        "generation": 1,
        "namespace": "bench",
        "creationTimestamp": TIME,
    }
    return made


def test_every_document_is_a_good_one_of_the_size_and_no_two_are_the_same() -> None:
    manifests = [parse_manifest(document(number)) for number in range(50)]
    assert len({manifest.guild for manifest in manifests}) == 50
    assert len({str(manifest.spec.source.files) for manifest in manifests}) == 50
    for number in range(50):
        assert SCRIPT_BYTES - 100 < len(script(number)) <= SCRIPT_BYTES


def test_the_bare_loop_writes_what_the_operator_writes() -> None:
    for number in range(20):
        item = stored(number)
        bare = wanted_status(item["spec"], 1)  # type: ignore[arg-type]
        deployment, _ = from_document(item)
        sources = bare["bundle"]["sources"]
        seen = Observed(
            deployment=deployment, was=parse({}), build=Built(sources, 1042, sources), pods=PODS, now=TIME
        )
        assert parse(bare) == plan(seen).status


def test_writes_are_counted_by_object_and_not_by_what_came() -> None:
    writes = Writes()
    for kind, name in (
        ("ADDED", "a"),
        ("MODIFIED", "a"),
        ("MODIFIED", "a"),
        ("BOOKMARK", ""),
        ("MODIFIED", "b"),
    ):
        writes.take(_Event(kind, _Object(_Metadata(name, "7"))))
    assert (writes.total, dict(writes.to)) == (3, {"a": 2, "b": 1})


def test_every_row_that_is_measured_is_listed() -> None:
    side = Side(100.0, 1.0, 1.0, 100.0, 1.0, 0, [10.0] * 5)
    by_name = {benchmark.name: benchmark for benchmark in BENCHMARKS}
    for name, count in (("thousand", 1000), ("ten-thousand", 10_000)):
        benchmark = by_name[name]
        names = {row.name for row in _rows(count, side, side)}
        assert names < set(benchmark.rows)
        assert all(row.ok for row in _rows(count, side, side))


@pytest.mark.parametrize(("seconds", "fine"), [([0.1] * 20, True), ([0.1] * 18 + [3.5] * 2, False)])
async def test_apply_to_ready_is_judged_by_its_slowest(
    seconds: list[float], fine: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def measured(_kubeconfig: Path) -> list[float]:
        return seconds

    monkeypatch.setenv("KUBECONFIG", "somewhere")
    monkeypatch.setattr(figure_ready, "_measure", measured)
    p50, p95 = [row async for row in figure_ready.ready_figures(tmp_path)]
    assert (p50.name, p50.ok) == ("cluster-ready-p50", True)
    assert (p95.name, p95.ok, p95.value) == ("cluster-ready-p95", fine, seconds[-1])


async def test_without_a_cluster_apply_to_ready_is_not_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    rows = [row async for row in figure_ready.ready_figures(tmp_path)]
    assert [(row.value, row.ok, row.note) for row in rows] == [(None, False, figure_ready.HOW)] * 2


def test_a_row_that_falls_short_says_so() -> None:
    bare = Side(100.0, 1.0, 1.0, 50.0, 1.0, 0, [10.0] * 5)
    worse = Side(79.0, 1.1, 9.0, 201.0, 3.1, 1, [61.0] * 5)
    assert not any(row.ok for row in _rows(1000, worse, bare))


def test_rows_are_chosen_among_the_clusters_own() -> None:
    assert select(["cluster-1000-rate"], BENCHMARKS) == [BENCHMARKS[0]]


def test_planning_ten_thousand_guilds_takes_some_time() -> None:
    assert _planning_seconds(100) > 0
