"""What ``flora init --template`` begins with: each is sound, tested, and in the wheel."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from flora_cli import project, scaffold
from flora_cli.scaffold import TEMPLATES, create_project
from flora_core.toolchain import Project, Toolchain
from tests.integration.cli.conftest import Command
from tests.integration.flora_command import FLORA

ROOT = Path(__file__).parents[3]


def test_the_command_offers_all_templates() -> None:
    assert project.Template.__args__ == tuple(TEMPLATES)
    folders = {path.name for path in (Path(scaffold.__file__).parent / "templates").iterdir()}
    assert folders == {*TEMPLATES, scaffold.COMMON}


@pytest.mark.parametrize("template", TEMPLATES)
async def test_a_template_has_no_type_errors_and_can_be_deployed(template: str, tmp_path: Path) -> None:
    create_project(tmp_path / "bot", template)
    async with Toolchain() as tools:
        assert await tools.check(Project.from_folder(tmp_path / "bot")) == []
        built = await tools.bundle(Project.from_folder(tmp_path / "bot", deployed=True))
    assert built.warnings == []
    assert "flora-test" not in built.bundle.code


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_tests_of_a_template_pass(template: str, tmp_path: Path) -> None:
    create_project(tmp_path / "bot", template)
    ended = subprocess.run(
        [*FLORA, "test", str(tmp_path / "bot"), "--timeout", "60"],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout


def test_a_template_brings_what_every_project_has(bare: Command, tmp_path: Path) -> None:
    ended = bare("init", "my-bot", "--template", "fetch")
    assert ended.code == 0, ended.err
    folder = tmp_path / "my-bot"
    toml = (folder / "flora.toml").read_text()
    assert toml.startswith('name = "my-bot"\n')
    assert "[secrets.WEATHER_KEY]" in toml
    assert "flora dev . --slash '/weather city:Berlin'" in (folder / "README.md").read_text()
    assert ".env" in (folder / ".gitignore").read_text()
    assert {path.name for path in (folder / "src").iterdir()} == {
        path.name for path in (ROOT / "examples" / "weather" / "src").iterdir()
    }


def test_scripts_are_copied_as_they_are(tmp_path: Path) -> None:
    """``{name}`` means something in TypeScript, too."""
    create_project(tmp_path / "bot", "moderation")
    for source in (ROOT / "examples" / "moderation" / "src").iterdir():
        assert (tmp_path / "bot" / "src" / source.name).read_bytes() == source.read_bytes()


def test_a_template_that_is_none_is_refused_with_those_there_are(bare: Command, tmp_path: Path) -> None:
    ended = bare("init", "my-bot", "--template", "games")
    assert (ended.code, ended.out) == (2, "")
    assert "moderation" in ended.err
    assert not (tmp_path / "my-bot").exists()


def test_the_wheel_has_the_templates_as_files(tmp_path: Path) -> None:
    if not (ROOT / "sdk" / "flora_sdk" / "data" / ".ready").exists():
        pytest.skip("the SDK is not built: make setup")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=240)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name.removeprefix("flora_cli/templates/") for name in archive.namelist()}
        main = archive.read("flora_cli/templates/moderation/src/main.ts")
    assert {f"{template}/src/main.ts" for template in TEMPLATES} <= names
    assert {"common/gitignore", "common/flora.toml", "fetch/flora.toml"} <= names
    assert main == (ROOT / "examples" / "moderation" / "src" / "main.ts").read_bytes()
