"""docs/limits.md says what the code does: each figure is read from the setting or constant that its row names."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from flora_core.settings import Settings
from flora_core.wire.control import DEFAULT_LIMITS
from flora_gateway.rest.settings import RestSettings
from flora_gateway.settings import DiscordSettings, GatewaySettings
from flora_runtime.kv import limits as kv_limits
from flora_runtime.supervisor.settings import RuntimeSettings

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "limits.md"
SETTINGS: list[type[Settings]] = [RuntimeSettings, GatewaySettings, RestSettings, DiscordSettings]
NO_LIMITS = {"RUNTIME_PORT", "GATEWAY_PORT", "DISCORD_SHARD_COUNT"}

UNITS: dict[str, list[float]] = {
    "": [1],
    "bytes": [1],
    "ms": [1, 1e-3],
    "s": [1, 1e3],
    "min": [60, 1, 60e3],
    "KiB": [1 << 10],
    "Mi": [1 << 20],
    "MiB": [1 << 20, 1],
}
"""By what a figure with a unit is multiplied, depending on the unit that its constant has."""


class Row(NamedTuple):
    line: int
    limit: str
    default: str
    setting: str

    def __str__(self) -> str:
        return f"{self.limit} (line {self.line})"


def rows(text: str) -> Iterator[Row]:
    for number, line in enumerate(text.splitlines(), start=1):
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("|") and not line.startswith(("|---", "| limit |")):
            assert len(cells) == 4, f"line {number} should have four cells"
            yield Row(number, *cells[:3])


ROWS = list(rows(PAGE.read_text()))


def variables() -> dict[str, Any]:
    """Environment name -> default, of settings that are numbers."""
    return {
        f"{cls.model_config.get('env_prefix', '')}{name}".upper(): field.default
        for cls in SETTINGS
        for name, field in cls.model_fields.items()
        if isinstance(field.default, int | float) and not isinstance(field.default, bool)
    }


VARIABLES = variables()


def value_of(source: str) -> Any:
    """What a name in the setting column stands for."""
    if source.startswith("limits."):
        return getattr(DEFAULT_LIMITS, re.sub("([A-Z])", r"_\1", source.removeprefix("limits.")).lower())
    if source.isupper():
        return VARIABLES[source]
    place, _, name = source.partition(":")
    if place.endswith(".ts"):
        return typescript(ROOT / place, name)
    found: Any = importlib.import_module(place)
    for part in name.split("."):
        found = getattr(found() if isinstance(found, type) else found, part)
    return max(found) if isinstance(found, tuple) else found


def typescript(file: Path, name: str) -> Any:
    match = re.search(rf"^(?:export )?const {name} = ([^;]+);", file.read_text(), re.MULTILINE)
    assert match is not None, f"{file.name} has no constant {name}"
    return eval(
        compile(ast.parse(match[1], mode="eval"), name, "eval"), {"__builtins__": {}}
    )  # an expression of ours


def figures(default: str) -> list[tuple[float, str]]:
    """The numbers of a cell with their units: "100 in 10 s" has two."""
    found = re.findall(r"(\d[\d,]*(?:\.\d+)?)(?: (ms|s|min|bytes|KiB|MiB|Mi)\b)?", default)
    return [(float(number.replace(",", "")), unit) for number, unit in found]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_row_says_what_the_code_does(row: Row) -> None:
    sources = re.findall(r"`([^`]+)`", row.setting)
    assert sources, f"{row}: name the setting, or `module:CONSTANT` for what is fixed"
    said = figures(row.default)
    assert len(said) == len(sources), f"{row}: {row.default!r} has {len(said)} figures for {sources}"
    for (number, unit), source in zip(said, sources, strict=True):
        value = value_of(source)
        assert any(abs(number * factor - value) < 1e-9 for factor in UNITS[unit]), (
            f"{row}: {number:g} {unit} is said, {source} is {value}"
        )


def test_only_what_can_be_set_is_called_a_setting() -> None:
    for row in ROWS:
        fixed = row.setting.startswith("fixed, ")
        first = re.findall(r"`([^`]+)`", row.setting)[0]
        assert fixed == (":" in first), str(row)


def test_every_setting_that_is_a_number_is_on_the_page() -> None:
    text = PAGE.read_text()
    assert [name for name in VARIABLES if f"`{name}`" not in text and name not in NO_LIMITS] == []


def test_every_limit_of_kv_is_on_the_page() -> None:
    text = PAGE.read_text()
    names = [name for name in vars(kv_limits) if name.isupper()]
    assert [name for name in names if f"kv.limits:{name}`" not in text] == []


def test_limits_of_a_document_are_on_the_page() -> None:
    text = PAGE.read_text()
    fields = [field.encode_name for field in msgspec.structs.fields(DEFAULT_LIMITS)]
    assert [name for name in fields if f"`limits.{name}`" not in text] == []


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("100 in 10 s", [(100, ""), (10, "s")]),
        ("9,000 in 10 min", [(9000, ""), (10, "min")]),
        ("0.5 s", [(0.5, "s")]),
        ("1,536 MiB", [(1536, "MiB")]),
    ],
)
def test_figures_are_read_with_their_units(cell: str, expected: list[tuple[float, str]]) -> None:
    assert figures(cell) == expected
