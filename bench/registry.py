"""The benchmarks by name, in the order of the table."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.figure_api import api_figures, rest_figures
from bench.figure_bundle import bundle_figures
from bench.figure_cli import cli_figures
from bench.figure_dev import dev_figures
from bench.figure_gateway import gateway_figures
from bench.figure_handoff import handoff_figures
from bench.figure_hibernation import hibernation_figures, ten_thousand_figures
from bench.figure_hostile import hostile_figures
from bench.figure_isolates import isolate_figures
from bench.figure_kills import gateway_kill_figures, worker_kill_figures
from bench.figure_kv import kv_figures
from bench.figure_logs import log_figures
from bench.figure_neighbours import neighbour_figures
from bench.figure_path import saturation_figures, steady_figures
from bench.figure_walls import walls_figures
from bench.figure_worker import worker_figures
from bench.rows import Row


class UnknownBenchmark(Exception):
    """There is none of that name."""


@dataclass(slots=True, frozen=True)
class Benchmark:
    """One or more rows that are measured together."""

    name: str
    what: str
    rows: tuple[str, ...]
    figures: Callable[[Path], AsyncGenerator[Row]]
    """Gets a folder for logs and state; yields the rows."""
    longest: float = 120.0
    """Seconds after which it is given up."""
    pinned: bool = True
    """Whether this process keeps off the tested core; benchmarks without one use the whole machine."""


BENCHMARKS: Final = (
    Benchmark(
        "worker",
        "events through the worker binding, one core, against isolated-vm",
        ("worker-one-op", "worker-batch"),
        worker_figures,
        longest=300.0,  # the baseline may have to be built
    ),
    Benchmark(
        "isolates",
        "memory and load time of 500 isolates",
        ("isolate-memory", "isolate-load"),
        isolate_figures,
    ),
    Benchmark(
        "walls",
        "what the walls and limits around scripts cost",
        ("walls-cost",),
        walls_figures,
    ),
    Benchmark(
        "hibernation",
        "what a guild costs that sleeps, and how it wakes",
        ("hibernated-guild", "hibernation-wake"),
        hibernation_figures,
        longest=300.0,
        pinned=False,
    ),
    Benchmark(
        "ten-thousand",
        "10,000 guilds on one pod, one in a hundred active",
        ("ten-thousand-guilds",),
        ten_thousand_figures,
        longest=900.0,
        pinned=False,
    ),
    Benchmark(
        "gateway",
        "events from Discord's socket to a pod's stream, against discord.py",
        ("gateway-events",),
        gateway_figures,
    ),
    Benchmark(
        "saturation",
        "the whole path with 100 messages in flight, against a discord.py bot",
        ("path-saturation",),
        saturation_figures,
    ),
    Benchmark(
        "steady",
        "the whole path at 300 messages/s, against a discord.py bot",
        ("path-steady-cpu", "path-steady-p50", "path-steady-p99"),
        steady_figures,
    ),
    Benchmark(
        "worker-kill",
        "kill -9 of the worker under load",
        ("worker-kill-recovery", "worker-kill-longest", "worker-kill-lost"),
        worker_kill_figures,
    ),
    Benchmark(
        "gateway-kill",
        "kill -9 of the gateway under load, and a new one",
        ("gateway-kill-unanswered",),
        gateway_kill_figures,
    ),
    Benchmark(
        "neighbours",
        "50 guilds beside four that loop, eat memory, flood their log and flood Discord",
        ("noisy-neighbours", "noisy-neighbours-p99", "noisy-neighbours-lost"),
        neighbour_figures,
        longest=300.0,
    ),
    Benchmark(
        "hostile",
        "every hostile script of tests/hostile beside its neighbours",
        ("hostile-harmed", "hostile-pods-lost"),
        hostile_figures,
        longest=900.0,
        pinned=False,
    ),
    Benchmark(
        "kv",
        "durable writes of many guilds at once, and a read",
        ("kv-durable-sets", "kv-get"),
        kv_figures,
        pinned=False,
    ),
    Benchmark(
        "logs",
        "log lines from a pod to those who follow",
        ("log-line", "log-followers", "log-followers-memory", "log-console"),
        log_figures,
        longest=240.0,
        pinned=False,
    ),
    Benchmark(
        "api",
        "reads of the API with 10,000 guilds in Postgres, against an empty FastAPI route",
        ("api-deployment", "api-history"),
        api_figures,
        longest=300.0,
    ),
    Benchmark(
        "api-rest",
        "a replica of the API that nobody asks: start, memory, CPU",
        tuple(f"{name}-{what}" for name in ("api-rest", "api-10000") for what in ("start", "rss", "cpu")),
        rest_figures,
        longest=180.0,
        pinned=False,
    ),
    Benchmark(
        "cli",
        "flora --help",
        ("cli-help",),
        cli_figures,
        pinned=False,
    ),
    Benchmark(
        "handoff",
        "a guild with 10 MB of KV moves from pod to pod",
        ("handoff-held",),
        handoff_figures,
        pinned=False,
    ),
    Benchmark(
        "bundle",
        "bundling a project of 20 files",
        ("bundle-cold", "bundle-warm"),
        bundle_figures,
        pinned=False,
    ),
    Benchmark(
        "dev",
        "flora dev: ready, and a change live",
        ("dev-ready", "dev-redeploy"),
        dev_figures,
        pinned=False,
    ),
)


def select(names: list[str], among: Sequence[Benchmark] = BENCHMARKS) -> list[Benchmark]:
    """The benchmarks that ``names`` mean (a benchmark's or a row's), all of ``among`` without any.

    Raises UnknownBenchmark.
    """
    chosen: set[str] = set()
    for name in names:
        found = [benchmark for benchmark in among if name == benchmark.name or name in benchmark.rows]
        if not found:
            known = ", ".join(name for benchmark in among for name in (benchmark.name, *benchmark.rows))
            raise UnknownBenchmark(f"there is no benchmark {name!r}; there are {known}")
        chosen.add(found[0].name)
    return [benchmark for benchmark in among if not names or benchmark.name in chosen]
