"""The verdicts as a page: docs/hostile.md. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from tests.hostile.catalogue import OUTCOMES
from tests.hostile.pod_under_attack import Verdict

HEAD = """# Hostile scripts

Made by `python -m tests.hostile --write docs/hostile.md`. Each attack is a guild's script in a real pod
(supervisor and two worker processes), on the same worker as two neighbours, with a third neighbour on the
other worker. The neighbours are asked something every 20 ms for as long as the attack lasts; each question
must get its one right answer. The same attacks are tests: `make test TESTS=tests/hostile`. To add one, write
it into a file of `tests/hostile/snippets`.

Limits are the defaults (200 ms of CPU a turn, 64 MiB), but that what waits is given up after 2 s (loads: 3 s), and one
handler may use 1 s of CPU. Waits and memory were measured once, on two virtual cores that this suite shared with the pod,
the gateway's side and the neighbours' questions: the wait is of the one unluckiest question.
"""


def summary(verdicts: Sequence[Verdict]) -> str:
    """Everything in a few lines."""
    outcomes = Counter(verdict.outcome for verdict in verdicts)
    ends = ", ".join(f"{name} {outcomes[name]}" for name in (*OUTCOMES, "nothing") if outcomes[name])
    waits = sorted(verdict.worst_ms for verdict in verdicts) or [0.0]
    middle, ninth, worst = waits[len(waits) // 2], waits[len(waits) * 9 // 10], waits[-1]
    figures = {
        "attacks": f"{len(verdicts)}; {ends}",
        "attackers that ended as expected": sum(v.outcome in v.snippet.allowed for v in verdicts),
        "neighbours harmed": sum(bool(verdict.harm) for verdict in verdicts),
        "questions to neighbours": sum(verdict.questions for verdict in verdicts),
        "longest wait of a neighbour, by attack": (
            f"median {middle:.0f} ms, nine in ten below {ninth:.0f} ms, worst {worst:.0f} ms"
        ),
        "pods lost": sum("the pod is gone" in verdict.harm for verdict in verdicts),
        "workers replaced": sum(len(verdict.replaced) for verdict in verdicts),
        "most memory of a worker": f"{max((v.peak_mib for v in verdicts), default=0):.0f} MiB",
    }
    return "\n".join(f"- {name}: {figure}" for name, figure in figures.items())


def page(verdicts: Sequence[Verdict]) -> str:
    """docs/hostile.md."""
    parts = [HEAD, summary(verdicts), ""]
    for family, members in groupby(verdicts, key=lambda verdict: verdict.snippet.family):
        parts += [
            f"## {family.replace('_', ' ')}",
            "",
            "| attack | outcome | neighbours' longest wait, ms | worker's peak, MiB | worker replaced |",
            "|---|---|---|---|---|",
            *(_row(verdict) for verdict in members),
            "",
        ]
    return "\n".join(parts)


def _row(verdict: Verdict) -> str:
    harm = f" **{verdict.harm[0]}**" if verdict.harm else ""
    replaced = ", ".join(verdict.replaced) or "no"
    return (
        f"| {verdict.snippet.name} | {verdict.outcome}{harm} | {verdict.worst_ms:.0f} | "
        f"{verdict.peak_mib:.0f} | {replaced} |"
    )
