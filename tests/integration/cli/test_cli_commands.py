"""The command line as its user meets it: what commands write, print and exit with."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import msgspec
import pytest

from flora_core.assets import TYPES, asset
from flora_core.toolchain import Bundle, Project, Toolchain
from tests.integration.flora_command import Ended, run_apart, run_here

SCRIPT = "const word: string = 'pong';\non('messageCreate', async (ctx) => { await ctx.reply(word); });\n"


Flora = Callable[..., Ended]


@pytest.fixture
def flora(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Flora:
    """The command, in this process."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run_here(monkeypatch, capsys, *arguments)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "bot"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "main.ts").write_text(SCRIPT)
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---------------------------------------------------------------- the command itself


def process(*arguments: str) -> Ended:
    return run_apart(*arguments, env={**os.environ, "NO_COLOR": "1", "COLUMNS": "100"})


def test_help_lists_every_command_also_those_of_other_packages() -> None:
    finished = process("--help")
    assert finished.code == 0
    for text in ("init", "check", "bundle", "types", "Run a script on this machine"):
        assert text in finished.out


def test_without_a_command_there_is_help_and_exit_code_2() -> None:
    finished = process()
    assert finished.code == 2
    assert "init" in finished.out + finished.err


def test_the_version_is_the_packages(flora: Flora) -> None:
    assert flora("--version") == Ended(0, f"{version('flora')}\n", "")


@pytest.mark.parametrize("command", ["init", "check", "bundle", "types"])
def test_every_commands_help_has_an_example(flora: Flora, command: str) -> None:
    finished = flora(command, "-h")
    assert finished.code == 0
    assert f"flora {command}" in finished.out
    assert "Example:" in finished.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["--wat"],
        ["frobnicate"],
        ["init"],
        ["init", "a", "b"],
        ["check", "--wat"],
        ["bundle", "."],
        ["types", "-x"],
    ],
    ids=" ".join,
)
def test_a_wrong_call_is_exit_code_2_and_writes_nothing(
    flora: Flora, tmp_path: Path, arguments: list[str]
) -> None:
    finished = flora(*arguments)
    assert (finished.code, finished.out) == (2, "")
    assert "Usage" in finished.err
    assert tree(tmp_path) == {}


# ---------------------------------------------------------------- init and types


@pytest.mark.parity(27)
def test_init_makes_a_project_and_says_what_to_do_next(flora: Flora, tmp_path: Path) -> None:
    finished = flora("init", "my-bot")
    assert finished.code == 0
    written = tree(tmp_path / "my-bot")
    assert set(written) == {
        *(".flora/flora.d.ts", ".gitignore", "README.md", "flora.toml", "tsconfig.json"),
        *("src/main.ts", "src/main.test.ts"),
    }
    assert written["README.md"].startswith(b"# my-bot\n")
    assert written[".flora/flora.d.ts"] == asset(TYPES).read_bytes()
    *files, _, advice = finished.out.splitlines()
    assert {line.strip() for line in files} == {f"my-bot/{path}" for path in written}
    assert advice == "Now: flora dev my-bot; or: flora test my-bot"


@pytest.mark.parity(27)
def test_a_new_project_has_no_type_errors(flora: Flora) -> None:
    flora("init", "my-bot")
    finished = flora("check", "my-bot")
    assert (finished.code, finished.err) == (0, "")
    assert finished.out.startswith("0 errors in ")


def test_init_makes_the_folders_above_and_takes_an_empty_one(flora: Flora, tmp_path: Path) -> None:
    assert flora("init", "a/b/bot").code == 0
    (tmp_path / "empty").mkdir()
    assert flora("init", "empty").code == 0
    assert (tmp_path / "empty" / "src" / "main.ts").is_file()


def test_init_here_is_named_after_the_folder(
    flora: Flora, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert flora("init", ".").code == 0
    assert (tmp_path / "here" / "README.md").read_text().startswith("# here\n")


def test_init_never_writes_over_anything(flora: Flora, tmp_path: Path) -> None:
    assert flora("init", "bot").code == 0
    (tmp_path / "bot" / "src" / "main.ts").write_text("my own")
    (tmp_path / "file").write_text("x")
    before = tree(tmp_path)
    for name in ("bot", "file"):
        finished = flora("init", name)
        assert (finished.code, finished.out) == (2, "")
        assert finished.err == f"error: {name} exists already and is not empty; name a new folder\n"
    assert tree(tmp_path) == before


@pytest.mark.parametrize("name", ["-bot", "my bot", "böt", "_x", ".hidden", "bot!", "a/{name}"])
def test_a_name_that_is_none_is_refused(flora: Flora, tmp_path: Path, name: str) -> None:
    finished = flora("init", "--", name)
    assert finished.code == 2
    assert "is no name for a project; use letters" in finished.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parity(27)
def test_types_are_renewed_and_nothing_else(flora: Flora, project: Path) -> None:
    (project / ".flora").mkdir()
    (project / ".flora" / "flora.d.ts").write_text("old")
    finished = flora("types", project)
    assert finished == Ended(0, f"{project}/.flora/flora.d.ts\n", "")
    assert tree(project) == {".flora/flora.d.ts": asset(TYPES).read_bytes(), "src/main.ts": SCRIPT.encode()}


def test_types_for_no_folder_make_none(flora: Flora, tmp_path: Path) -> None:
    finished = flora("types", "nowhere")
    assert (finished.code, finished.err) == (2, "error: there is no folder nowhere\n")
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- check


def test_check_shows_where_and_counts(flora: Flora, project: Path) -> None:
    (project / "src" / "main.ts").write_text('const n: number = "three";\nconst s: string = 3;\nexport {};\n')
    finished = flora("check", project)
    assert finished.code == 1
    assert finished.out == ""
    assert "src/main.ts:1:7: error TS2322" in finished.err
    assert finished.err.endswith("2 errors in 1 files\n")


def test_check_as_json_is_a_list_with_the_same_exit_code(flora: Flora, project: Path) -> None:
    assert flora("check", project, "--json") == Ended(0, "[]\n", "")
    (project / "src" / "main.ts").write_text('const n: number = "three";\nexport {};\n')
    finished = flora("check", project, "--json")
    (found,) = finished.json
    assert (finished.code, finished.err) == (1, "")
    assert (found["file"], found["line"], found["code"]) == ("src/main.ts", 1, "TS2322")


@pytest.mark.parametrize("command", [["check"], ["bundle", "-o", "out.js"]], ids=["check", "bundle"])
def test_what_is_no_project_is_told_what_was_looked_for(
    flora: Flora, tmp_path: Path, project: Path, command: list[str]
) -> None:
    name, *options = command
    (tmp_path / "empty").mkdir()
    for folder, text in (
        ("nowhere", "there is no folder nowhere"),
        ("empty", "looked for src/main.ts"),
        (project / "src" / "main.ts", "main.ts is a file"),
    ):
        finished = flora(name, folder, *options)
        assert (finished.code, finished.out) == (2, "")
        assert text in finished.err
    finished = flora(name, project, *options, "--entrypoint", "src/other.ts")
    assert finished.code == 2
    assert "src/other.ts" in finished.err
    assert not (tmp_path / "out.js").exists()


# ---------------------------------------------------------------- bundle


def test_bundle_writes_the_code_its_map_and_the_hash_it_is_known_by(
    flora: Flora, project: Path, tmp_path: Path
) -> None:
    finished = flora("bundle", project, "-o", "bot.js", "--json")
    facts = finished.json
    code, source_map = (tmp_path / "bot.js").read_text(), (tmp_path / "bot.js.map").read_text()
    bundle = Bundle("src/main.ts", code, source_map)
    assert facts == {"sha256": bundle.sha256, "bytes": len(code.encode()), "warnings": []}
    assert hashlib.sha256(bundle.to_bytes()).hexdigest() == facts["sha256"]
    assert "src/main.ts" in msgspec.json.decode(source_map)["sources"]


def test_the_same_project_is_the_same_bundle_wherever_it_lies(
    flora: Flora, project: Path, tmp_path: Path
) -> None:
    other = tmp_path / "elsewhere" / "copy"
    other.parent.mkdir()
    flora("bundle", project, "-o", "a.js")
    project.rename(other)
    flora("bundle", other, "-o", "b.js")
    assert (tmp_path / "a.js").read_bytes() == (tmp_path / "b.js").read_bytes()
    assert (tmp_path / "a.js.map").read_bytes() == (tmp_path / "b.js.map").read_bytes()
    assert str(tmp_path).encode() not in (tmp_path / "a.js.map").read_bytes()


def test_bundle_for_a_person_is_one_line(flora: Flora, project: Path, tmp_path: Path) -> None:
    finished = flora("bundle", project, "-o", tmp_path / "bot.js", "--entrypoint", "src/main.ts")
    assert finished.code == 0
    size = (tmp_path / "bot.js").stat().st_size
    assert finished.out.startswith(f"{tmp_path / 'bot.js'}  {size:,} bytes  sha256 ")


def test_code_that_does_not_parse_leaves_the_last_bundle(flora: Flora, project: Path, tmp_path: Path) -> None:
    (tmp_path / "bot.js").write_text("the last one")
    (project / "src" / "main.ts").write_text("const a = ;\n")
    finished = flora("bundle", project, "-o", "bot.js")
    assert (finished.code, finished.out) == (2, "")
    assert "src/main.ts:1:11: error" in finished.err
    assert (tmp_path / "bot.js").read_text() == "the last one"
    assert not (tmp_path / "bot.js.map").exists()


@pytest.mark.parametrize("output", [".", "nowhere/bot.js"])
def test_a_place_that_cannot_be_written_is_told_before_any_work(
    flora: Flora, project: Path, output: str
) -> None:
    finished = flora("bundle", project, "-o", output)
    assert finished == Ended(2, "", f"error: {output}: name a file in a folder that exists\n")


def test_the_command_and_the_library_make_the_same_bundle(flora: Flora, project: Path) -> None:
    async def build() -> str:
        async with Toolchain() as toolchain:
            return (await toolchain.bundle(Project.from_folder(project))).bundle.sha256

    assert flora("bundle", project, "-o", "bot.js", "--json").json["sha256"] == asyncio.run(build())


def test_a_folder_that_cannot_be_made_is_told(flora: Flora, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    finished = flora("init", tmp_path / "file" / "bot")
    assert finished.code == 2
    assert "cannot be written" in finished.err


def test_types_that_cannot_be_written_are_told(flora: Flora, tmp_path: Path) -> None:
    flora("init", tmp_path / "bot")
    for file in (tmp_path / "bot" / ".flora").iterdir():
        file.unlink()
    (tmp_path / "bot" / ".flora").rmdir()
    (tmp_path / "bot" / ".flora").write_text("")
    finished = flora("types", tmp_path / "bot")
    assert finished.code == 2
    assert "cannot be written" in finished.err
