"""docs/cli.md is made from the commands, and says of each what it is and how it is used."""

from __future__ import annotations

import pytest
from tools import cli_page

from flora_cli.commands import COMMANDS, Row


def test_the_page_is_fresh() -> None:
    assert cli_page.PAGE.read_text() == cli_page.page(), "run: .venv/bin/python -m tools.cli_page"


def test_checking_says_whether_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli_page.main(["--check"]) == 0
    monkeypatch.setattr(cli_page, "page", lambda: "other")
    assert cli_page.main(["--check"]) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("stale: ")


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: row.name)
def test_each_command_has_a_section_with_an_example(row: Row) -> None:
    sections = cli_page.page().split("\n### ")
    own = [section for section in sections if section.startswith(f"flora {row.name}")]
    assert own
    assert any("```sh\n" in section for section in own)


def test_values_to_choose_from_are_named() -> None:
    assert "`--level` `debug\\|info\\|warn\\|error` | `debug` |" in cli_page.page()
