"""Whatever dies: nothing that Discord delivered is lost, and nobody is answered twice where that can be helped."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.failures.__main__ import page
from tests.failures.cases import CASES
from tests.failures.counting import Tally


@pytest.mark.parity(56, 58)
@pytest.mark.parametrize("case", CASES)
async def test_what_discord_delivered_is_answered(tmp_path: Path, case: str) -> None:
    tally = await CASES[case](tmp_path)
    assert tally.sent >= 10
    assert tally.lost == 0, tally
    assert tally.repeated == 0 or tally.may_repeat, tally


def test_the_table_counts() -> None:
    tally = Tally("x", sent=10, answered=7, cut_off=2, repeated=1, served_after=0.25, note="n")
    assert tally.lost == 1
    assert "| x | 10 | 7 | 2 | 1 | 1 | 0.2 | n |" in page([tally])
