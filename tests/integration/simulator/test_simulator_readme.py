"""What the README shows works, and what it names exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import flora_simulator
from flora_simulator import DEV_GUILD, DEV_WORLD, Fault, SimulatorClient
from flora_simulator.main import _arguments

README = (Path(flora_simulator.__file__).parents[1] / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


async def test_the_python_example_runs() -> None:
    (code,) = blocks("python")
    names: dict[str, Any] = {}
    exec(code, names)
    await names["example"]()


def test_the_command_line_is_understood() -> None:
    (line,) = re.findall(r"\$ flora-simulator (.*)", README)
    assert _arguments(line.split()) == {"port": 8410, "log_level": "INFO"}


def test_every_method_in_the_table_exists() -> None:
    rows = re.findall(r"^\| [a-z ]+ \| (.*) \|$", README, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)", row)}
    assert len(named) > 25
    assert [name for name in named if not hasattr(SimulatorClient, name)] == []


def test_every_field_of_a_fault_in_the_table_exists() -> None:
    (fields,) = re.findall(r"Fault\(([^)]*)\)", README)
    assert set(re.findall(r"(\w+)=", fields)) <= set(Fault.__struct_fields__)


def test_the_dev_world_is_as_described() -> None:
    assert DEV_GUILD in README
    assert DEV_WORLD.token in README
