"""``python -m bench.cluster [NAME …]``: the operator's figures, on a real API server.

A benchmark of its own, because it takes minutes and a control plane (docs/cluster-tests.md). The command line
is that of ``python -m bench``; the rows go to ``results-cluster.json``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from bench.__main__ import main
from bench.figure_cluster import cluster_figures
from bench.figure_deploy import deploy_figures
from bench.figure_ready import ready_figures
from bench.registry import Benchmark

RESULTS: Final = Path(__file__).with_name("results-cluster.json")


def _rows(count: int) -> tuple[str, ...]:
    figures = ("rate", "writes", "rss", "restart", "restart-writes", "change-p50", "change-p99")
    return tuple(f"cluster-{count}-{figure}" for figure in (*figures, "scale-moved", "scale-cpu"))


BENCHMARKS: Final = (
    Benchmark(
        "thousand",
        "1,000 GuildDeployments of 10 KB on a running operator, against a bare list and watch",
        (*_rows(1000), "cluster-large-script"),
        cluster_figures(1000),
        longest=900.0,
        pinned=False,
    ),
    Benchmark(
        "ten-thousand",
        "10,000 of them",
        _rows(10_000),
        cluster_figures(10_000),
        longest=2400.0,
        pinned=False,
    ),
    Benchmark(
        "deploy",
        "`flora deploy` of a project of 20 files until it is live, everything on this machine",
        ("cluster-deploy-p50", "cluster-deploy-p95"),
        deploy_figures,
        longest=300.0,
        pinned=False,
    ),
    Benchmark(
        "ready",
        "from an applied GuildDeployment to a script that is live, on the node of `make cluster-up`",
        ("cluster-ready-p50", "cluster-ready-p95"),
        ready_figures,
        longest=300.0,
        pinned=False,
    ),
)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], program="python -m bench.cluster", among=BENCHMARKS, results=RESULTS))
