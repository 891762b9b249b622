"""Each attack ends as it should, its neighbours answer every question, and the pod stays."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.hostile.catalogue import BadHead, Snippet, read
from tests.hostile.pod_under_attack import PodUnderAttack, Verdict
from tests.hostile.table import page, summary

SNIPPETS = read()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pod(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PodUnderAttack]:
    """One pod for all attacks: what one of them leaves behind, the next ones meet."""
    async with PodUnderAttack(tmp_path_factory.mktemp("pod")) as under_attack:
        yield under_attack


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parity(45, 48, 49, 50)
@pytest.mark.parametrize("snippet", SNIPPETS, ids=[snippet.id for snippet in SNIPPETS])
async def test_an_attack_harms_only_its_own_guild(pod: PodUnderAttack, snippet: Snippet) -> None:
    verdict = await pod.attack(snippet)
    assert verdict.harm == []
    assert verdict.outcome in snippet.allowed
    assert verdict.questions > 0


def test_there_are_attacks_of_every_kind_and_no_two_have_the_same_name() -> None:
    assert len(SNIPPETS) >= 150
    assert max(Counter(snippet.id for snippet in SNIPPETS).values()) == 1
    assert all(snippet.code for snippet in SNIPPETS)


@pytest.mark.parametrize(
    "head", ["//? no outcome", "//? odd: survives", "//? open: ok {events=1", "//? : ok", "//?none: ok"]
)
def test_a_line_that_begins_an_attack_and_is_none_is_told(tmp_path: Path, head: str) -> None:
    (tmp_path / "family.js").write_text(f"{head}\n1;\n")
    with pytest.raises(BadHead, match=r"family\.js"):
        read(tmp_path)


def test_the_table_shows_what_became_of_each_attack() -> None:
    fine = Verdict(SNIPPETS[0], "ok", questions=9, worst_ms=4.2, replaced=[], peak_mib=80, seconds=0.2)
    bad = Verdict(SNIPPETS[1], "nothing", 9, 2000, ["stuck"], 500, 9.0, harm=["guild 1 did not answer 5"])
    text = page([fine, bad])
    assert f"| {fine.snippet.name} | ok | 4 | 80 | no |" in text
    assert f"| {bad.snippet.name} | nothing **guild 1 did not answer 5** | 2000 | 500 | stuck |" in text
    assert "neighbours harmed: 1" in summary([fine, bad])
    assert summary([]).startswith("- attacks: 0")
