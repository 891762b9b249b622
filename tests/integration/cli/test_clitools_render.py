"""A project as documents for Git: what is in them, and what is refused."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from flora_cli.main import app
from flora_cli.project_file import (
    Environment,
    ProjectFile,
    entrypoint_of,
    guilds_of,
    read_project_file,
)
from flora_cli.render import as_json, as_yaml, document
from flora_core.errors import InvalidInput
from flora_core.manifest import parse_manifest
from flora_core.toolchain import Project
from flora_dev.testing.runner import Wanted, run_tests

GUILD = "123456789012345678"
OTHER = "123456789012345679"
SCRIPT = 'on("messageCreate", async (ctx) => {\n  await ctx.reply("hi");\n});\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.ts").write_text(SCRIPT)
    (tmp_path / "src" / "main.test.ts").write_text('import "flora-test";\n')
    return tmp_path


def render(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["render", *map(str, arguments)])


def documents(*arguments: str | Path) -> list[dict[str, Any]]:
    ended = render(*arguments)
    assert ended.exit_code == 0, ended.output
    return list(yaml.safe_load_all(ended.stdout))


def refusal(*arguments: str | Path) -> str:
    error = render(*arguments).exception
    assert isinstance(error, InvalidInput), error
    return str(error)


# ---------------------------------------------------------------- documents


def test_a_document_has_the_files_without_the_tests(folder: Path) -> None:
    (made,) = documents(folder, "-g", GUILD)
    assert parse_manifest(made).spec.guild_id == GUILD
    assert made["metadata"] == {"name": f"guild-{GUILD}"}
    assert made["spec"]["source"] == {"entrypoint": "src/main.ts", "files": {"src/main.ts": SCRIPT}}


def test_each_guild_has_a_document(folder: Path) -> None:
    made = documents(folder, "-g", GUILD, "-g", OTHER, "-g", GUILD, "-n", "bots")
    assert [one["metadata"] for one in made] == [
        {"name": f"guild-{GUILD}", "namespace": "bots"},
        {"name": f"guild-{OTHER}", "namespace": "bots"},
    ]


def test_json_is_one_document_or_a_list_of_them(folder: Path) -> None:
    one = msgspec.json.decode(render(folder, "-g", GUILD, "--format", "json").stdout)
    assert one["kind"] == "GuildDeployment"
    several = msgspec.json.decode(render(folder, "-g", GUILD, "-g", OTHER, "--format", "json").stdout)
    assert (several["kind"], len(several["items"])) == ("List", 2)


def test_a_file_can_take_it(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "deploy" / "guild.yaml"
    ended = render(folder, "-g", GUILD, "-o", out)
    assert (ended.exit_code, ended.stdout) == (0, "")
    assert yaml.safe_load(out.read_text())["spec"]["guildId"] == GUILD


def test_code_stays_readable(folder: Path) -> None:
    assert '      src/main.ts: |\n        on("messageCreate"' in render(folder, "-g", GUILD).stdout


def test_large_sources_say_how_to_apply_them(folder: Path) -> None:
    (folder / "src" / "data.ts").write_text(f'export const data = "{"x" * (300 << 10)}";\n')
    ended = render(folder, "-g", GUILD)
    assert "--server-side" in ended.stderr


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(files=st.dictionaries(texts, texts, max_size=4))
def test_yaml_brings_every_text_back(files: dict[str, str]) -> None:
    source = {"entrypoint": "src/main.ts", "files": files}
    whole = [document(guild, source, [], namespace=None) for guild in (GUILD, OTHER)]
    assert list(yaml.safe_load_all(as_yaml(whole))) == whole
    assert msgspec.json.decode(as_json(whole))["items"] == whole


# ---------------------------------------------------------------- npm packages and secrets


@pytest.fixture
def with_package(folder: Path) -> Path:
    package = folder / "node_modules" / "flowers"
    package.mkdir(parents=True)
    (folder / "package.json").write_text('{"dependencies": {"flowers": "1"}}')
    (package / "package.json").write_text('{"name": "flowers", "version": "1.0.0", "main": "index.js"}')
    (package / "index.js").write_text('export const rose = "🌹";\n')
    (folder / "src" / "main.ts").write_text('import { rose } from "flowers";\nconsole.log(rose);\n')
    return folder


def test_npm_packages_have_no_room_in_a_document(with_package: Path) -> None:
    assert "use --bundle" in refusal(with_package, "-g", GUILD)


def test_a_bundle_is_one_file_that_loading_waits_for(with_package: Path) -> None:
    (made,) = documents(with_package, "-g", GUILD, "--bundle")
    source = made["spec"]["source"]
    assert source["entrypoint"] == "bundle.js"
    code = source["files"]["bundle.js"]
    assert code.startswith("await (async () => {\n")
    assert code.endswith("})();\n")
    assert "🌹" in code or "\\u{1F339}" in code
    assert "sourceURL" not in code


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("export {};", "passed"),
        ('throw new Error("not today");', "failed"),
        ("await Promise.reject(1);", "failed"),
    ],
)
def test_a_bundle_of_a_bundle_loads_as_the_script_would(folder: Path, code: str, outcome: str) -> None:
    (folder / "src" / "main.ts").write_text(code)
    (made,) = documents(folder, "-g", GUILD, "--bundle")
    tests = 'import { test } from "flora-test";\nimport "./bundle.js";\ntest("loads", () => {});\n'
    files = {**made["spec"]["source"]["files"], "a.test.ts": tests}

    async def run() -> list[str]:
        return [result.outcome async for result in run_tests(Project(files, "bundle.js"), Wanted())]

    assert asyncio.run(run()) == [outcome]


def test_secrets_are_named_and_never_written(folder: Path) -> None:
    (folder / "flora.toml").write_text('[secrets.API_KEY]\nallowed_hosts = ["api.example.com"]\n')
    (folder / ".env").write_text("API_KEY=hush\n")
    ended = render(folder, "-g", GUILD, "--secret", "my-bot")
    assert yaml.safe_load(ended.stdout)["spec"]["secrets"] == [
        {
            "name": "API_KEY",
            "secretKeyRef": {"name": "my-bot", "key": "API_KEY"},
            "allowedHosts": ["api.example.com"],
        }
    ]
    assert "hush" not in ended.output


def test_secrets_without_a_place_are_refused(folder: Path) -> None:
    (folder / "flora.toml").write_text("[secrets.API_KEY]\n")
    assert "--secret" in refusal(folder, "-g", GUILD)


# ---------------------------------------------------------------- flora.toml


def test_an_environment_names_its_guilds(folder: Path) -> None:
    (folder / "flora.toml").write_text(f'name = "bot"\n[env.production]\nguilds = ["{GUILD}", "{OTHER}"]\n')
    assert len(documents(folder, "--env", "production")) == 2


def test_the_files_entrypoint_counts(folder: Path) -> None:
    (folder / "src" / "bot.ts").write_text(SCRIPT)
    (folder / "flora.toml").write_text('entrypoint = "src/bot.ts"\n')
    (made,) = documents(folder, "-g", GUILD)
    assert made["spec"]["source"]["entrypoint"] == "src/bot.ts"
    assert entrypoint_of(folder, "src/main.ts") == "src/main.ts"
    assert entrypoint_of(folder / "src", None) is None


FILE = ProjectFile(env={"production": Environment(guilds=[GUILD]), "empty": Environment()})


@pytest.mark.parametrize(
    ("guilds", "env", "why"),
    [
        ([], None, r"which guild\? Name it with --guild ID, or --env production"),
        ([GUILD], "production", "--guild and --env both say which guilds"),
        ([], "staging", r"there is no \[env.staging\] in flora.toml; there are: production, empty"),
        ([], "empty", "names no guilds"),
        (["ab"], None, "--guild: 'ab' is not a Discord id"),
    ],
)
def test_guilds_that_are_not_clear_are_refused(guilds: list[str], env: str | None, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        guilds_of(FILE, guilds, env)


def test_guilds_come_once_and_in_order() -> None:
    assert guilds_of(FILE, [OTHER, GUILD, OTHER], None) == [OTHER, GUILD]
    assert guilds_of(FILE, [], "production") == [GUILD]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name = ", "flora.toml: Invalid value"),
        ("nmae = 'x'", "flora.toml: .*nmae"),
        ("[env]\nproduction = 1", "flora.toml: .*env"),
        ('[secrets.A]\nallowed_hosts = ["not a host"]', r"flora.toml: secrets.A.allowed_hosts"),
    ],
)
def test_a_wrong_file_names_its_place(folder: Path, text: str, why: str) -> None:
    (folder / "flora.toml").write_text(text)
    with pytest.raises(InvalidInput, match=why):
        read_project_file(folder)


def test_no_file_is_an_empty_one(tmp_path: Path) -> None:
    assert read_project_file(tmp_path) == ProjectFile()
    (tmp_path / "file").write_text("")
    assert read_project_file(tmp_path / "file") == ProjectFile()
