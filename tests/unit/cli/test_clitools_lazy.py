"""The table of commands is true, and nothing is imported before it is run."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from typing import Any

import pytest
import typer.main
from typer.core import TyperGroup

from flora_cli import lazy
from flora_cli.commands import COMMANDS, PLUGIN, PLUGIN_GROUP, Row
from flora_cli.lazy import LazyGroup, NotInstalled, load
from flora_cli.main import app, exit_code
from flora_core.errors import BundleFailed, FloraError, InvalidInput

ROWS = {row.name: row for row in COMMANDS}


@pytest.fixture
def group() -> LazyGroup:
    made = typer.main.get_command(app)
    assert isinstance(made, LazyGroup)
    return made


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: row.name)
def test_a_rows_line_is_the_first_of_its_commands_own_help(row: Row) -> None:
    command = load(row)
    assert command.name == row.name
    assert (command.help or "").splitlines()[0] == row.help


def test_no_name_is_there_twice() -> None:
    assert len(ROWS) == len(COMMANDS)


def test_the_plugins_of_the_table_are_those_that_packages_bring() -> None:
    ours = {row.name for row in COMMANDS if row.where == PLUGIN}
    assert ours == {plugin.name for plugin in entry_points(group=PLUGIN_GROUP)}


def test_the_groups_of_the_help_stand_together() -> None:
    panels = [row.panel for row in COMMANDS]
    assert panels == sorted(panels, key=panels.index)


def imported_by(*arguments: str) -> set[str]:
    """Modules that ``flora ARGUMENTS`` imports."""
    code = (
        "import sys\n"
        f"sys.argv = ['flora', *{arguments!r}]\n"
        "from flora_cli.main import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    print(chr(0), *sys.modules)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(ended.stdout.partition("\0")[2].split())


def test_help_imports_no_command() -> None:
    modules = imported_by("--help")
    ours = {name for name in modules if name.startswith("flora_")}
    assert ours == {"flora_cli", "flora_cli.commands", "flora_cli.lazy", "flora_cli.main", "flora_core", "flora_core.errors"}  # fmt: skip
    assert not modules & {"aiohttp", "httpx", "msgspec", "pydantic", "importlib.metadata", "asyncio"}


def test_the_version_is_shown_without_the_drawing_library() -> None:
    assert not imported_by("--version") & {"rich", "asyncio", "msgspec"}


def test_a_command_imports_no_other() -> None:
    modules = imported_by("kv", "--help")
    assert "flora_cli.kv" in modules
    assert not modules & {"flora_cli.project", "flora_dev", "flora_core.toolchain"}


def test_a_wrong_name_is_answered_with_one_that_is_near(group: LazyGroup) -> None:
    with pytest.raises(Exception, match="Did you mean 'bundle'") as failed:
        group.resolve_command(typer.Context(group), ["bundel"])
    assert getattr(failed.value, "exit_code", None) == 2


def test_a_group_of_commands_keeps_its_own(group: LazyGroup) -> None:
    name, command, rest = group.resolve_command(typer.Context(group), ["kv", "list"])
    assert (name, rest) == ("kv", ["list"])
    assert isinstance(command, TyperGroup)
    assert "list" in command.commands


def test_what_is_not_installed_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(_name: str) -> Any:
        raise ModuleNotFoundError("No module named 'yaml'", name="yaml")

    monkeypatch.setattr(lazy, "import_module", lacking)
    with pytest.raises(NotInstalled, match=r"`flora check` needs yaml.*pip install 'flora\[cli\]'"):
        load(ROWS["check"])


def test_a_plugin_that_no_package_brings_says_how_to_get_it() -> None:
    with pytest.raises(NotInstalled, match=r"pip install 'flora\[dev\]'"):
        load(Row("grow", PLUGIN, "Grow.", "", "dev"))


def test_errors_end_with_a_code_of_their_own() -> None:
    class Gone(FloraError):
        exit_code = 5

    assert exit_code(FloraError("no")) == 1
    assert exit_code(InvalidInput("wrong")) == 2
    assert exit_code(BundleFailed("syntax")) == 2
    assert exit_code(Gone("away")) == 5
