"""Every global that scripts are given is shown in an example, and the examples are compiled and run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SURFACE = ROOT / "sdk" / "src" / "surface.ts"
DOCS = ROOT / "docs"

NOT_YET: frozenset[str] = frozenset()
"""Names whose examples are still to be written."""


def surface_names(text: str) -> set[str]:
    """The names that ``surface.ts`` puts into the global scope."""
    names: set[str] = set()
    for block in re.findall(r"^export const (?:sdk|web) = \{\n(.*?)^\};", text, re.MULTILINE | re.DOTALL):
        names |= set(re.findall(r"^  (\w+)(?:,|:)", block, re.MULTILINE))
    for block in re.findall(
        r"^export const lazy(?:Sdk|Web) = \[\n(.*?)^\] as const;", text, re.MULTILINE | re.DOTALL
    ):
        code = re.sub(r"""lazy<.*>\(|(?:import|require)\("[^"]+"\)""", "", block)
        names |= set(re.findall(r'(?<![/.])"(\w+)"', code))
    return names


def example_code() -> str:
    """The code of all examples in the guides, without comments and texts."""
    blocks = [
        block
        for page in sorted(DOCS.glob("*.md"))
        for block in re.findall(r"^```ts\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    ]
    code = re.sub(r"//[^\n]*|/\*.*?\*/", "", "\n".join(blocks), flags=re.DOTALL)
    return re.sub(r'"(?:[^"\\\n]|\\.)*"', '""', code)


NAMES = sorted(surface_names(SURFACE.read_text()))
CODE = example_code()


@pytest.mark.parity(1, 112)
@pytest.mark.parametrize("name", NAMES)
def test_a_global_is_shown_in_an_example(name: str) -> None:
    shown = re.search(rf"(?:(?<![.\w$])|(?<=\.\.\.)|(?<=\bflora\.)){name}(?![\w$])", CODE) is not None
    assert shown or name in NOT_YET, f"no example in docs/ uses {name}"


def test_what_waits_for_its_example_is_global_and_not_shown() -> None:
    assert set(NAMES) >= NOT_YET


def test_the_names_of_the_surface_are_found() -> None:
    assert {"createBot", "kv", "URL", "atob", "setTimeout", "EmbedBuilder", "InputTextStyles"} <= set(NAMES)
    assert len(NAMES) > 80
    assert not [name for name in NAMES if "lazy" in name]
