"""`hostile-…`: every script of tests/hostile, counted. The table of single attacks is docs/hostile.md."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

from bench.rows import Row
from tests.hostile.catalogue import read
from tests.hostile.pod_under_attack import PodUnderAttack


async def hostile_figures(folder: Path) -> AsyncGenerator[Row]:
    """How many neighbours were harmed, how many pods lost."""
    async with PodUnderAttack(folder) as pod:
        verdicts = [await pod.attack(snippet) for snippet in read()]
    harmed = sum(bool(verdict.harm) for verdict in verdicts)
    surprising = sum(verdict.outcome not in verdict.snippet.allowed for verdict in verdicts)
    replaced = sum(len(verdict.replaced) for verdict in verdicts)
    lost = sum("the pod is gone" in verdict.harm for verdict in verdicts)
    yield Row(
        name="hostile-harmed",
        value=harmed,
        unit="neighbours",
        target="0",
        ok=harmed == 0 and surprising == 0,
        note=f"{len(verdicts)} hostile scripts, {surprising} with an unexpected end; "
        f"{sum(verdict.questions for verdict in verdicts)} questions to neighbours meanwhile; longest wait "
        f"{max(verdict.worst_ms for verdict in verdicts):,.0f} ms",
    )
    yield Row(
        name="hostile-pods-lost",
        value=lost,
        unit="pods",
        target="0",
        ok=lost == 0,
        note=f"{replaced} worker processes replaced",
    )
