"""The pages as a reader walks them: every link leads somewhere, every page is reached, every command is one."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.core import TyperGroup

from flora_cli.main import app

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")])


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def links(page: Path) -> list[str]:
    found = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    return [link for link in found if not link.startswith(("http://", "https://", "mailto:"))]


def anchors(page: Path) -> set[str]:
    """Of the headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


@pytest.mark.parity(112)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        assert not anchor or anchor in anchors(target), f"{page.name}: {link} has no such heading"


@pytest.mark.parity(112)
def test_every_page_is_in_the_list_of_pages() -> None:
    index = DOCS / "README.md"
    listed = {(DOCS / link).resolve() for link in links(index)}
    pages = {page for page in DOCS.rglob("*.md") if page != index and page.parent.name != "decisions"}
    assert sorted(page.name for page in pages - listed) == []


def test_every_example_has_its_code_and_its_test() -> None:
    folder = ROOT / "tests" / "integration" / "dev"
    tests = (folder / "test_examples.py").read_text()
    for page in (DOCS / "examples").glob("*.md"):
        assert (ROOT / "examples" / page.stem / "src" / "main.ts").exists()
        assert (folder / f"test_example_{page.stem}.py").exists() or f'running("{page.stem}")' in tests


# ---------------------------------------------------------------- commands


def commands() -> Iterator[tuple[str, list[str]]]:
    """The ``flora`` commands in the pages' shell blocks, with their words."""
    for page in PAGES:
        for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(re.split(r" [|<>;] ?| && ", line)[0], comments=True)
                while words and "=" in words[0]:
                    del words[0]
                if words[:1] == ["flora"] and "…" not in "".join(words):
                    yield page.name, words[1:]


@pytest.fixture(scope="module")
def flora() -> TyperGroup:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return group


@pytest.mark.parametrize(("page", "words"), list(commands()), ids=str)
def test_a_command_of_a_page_can_be_given(page: str, words: list[str], flora: TyperGroup) -> None:
    command: Any = flora
    rest = list(words)
    while isinstance(command, TyperGroup):
        assert rest[0] in command.commands, f"{page}: there is no command {rest[0]}"
        _, command, rest = command.resolve_command(typer.Context(command), rest)
    command.make_context(command.name, rest)


def test_commands_are_found_in_pages() -> None:
    found = [words[0] for _, words in commands()]
    assert {"dev", "kv", "logs", "init"} <= set(found)
    assert len(found) > 20
