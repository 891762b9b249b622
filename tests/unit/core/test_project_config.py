"""flora.toml: what it may say, and what is said of one that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_core.errors import InvalidInput
from flora_core.project_config import (
    Environment,
    ProjectConfig,
    chosen_entrypoint,
    find_project,
    read_project_config,
    read_values,
)

WHOLE = """
name = "my-bot"
entrypoint = "src/bot.ts"
api = "https://flora.example.com"

[env.production]
guilds = ["123456789012345678", "223456789012345678"]
api = "https://production.example.com"

[env.staging]
guilds = ["323456789012345678"]

[secrets.WEATHER_KEY]
allowed_hosts = ["api.example.com"]
"""


def write(folder: Path, text: str) -> Path:
    (folder / "flora.toml").write_text(text)
    return folder


def test_a_folder_without_a_file_says_nothing(tmp_path: Path) -> None:
    assert read_project_config(tmp_path) == ProjectConfig()


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    config = read_project_config(write(tmp_path, WHOLE))
    assert (config.name, config.entrypoint, config.api) == (
        "my-bot",
        "src/bot.ts",
        "https://flora.example.com",
    )
    assert config.environment("staging") == Environment(["323456789012345678"])
    assert config.environment("production").api == "https://production.example.com"
    assert config.secrets["WEATHER_KEY"].allowed_hosts == ["api.example.com"]


def test_an_environment_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    config = read_project_config(write(tmp_path, WHOLE))
    with pytest.raises(InvalidInput, match=r"no \[env.prod\]; there are production, staging"):
        config.environment("prod")
    with pytest.raises(InvalidInput, match="there are none"):
        ProjectConfig().environment("prod")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("guild = '1'", "unknown field `guild`"),
        ("[env.a]\ntoken = 'flora_x_y'", "unknown field `token`"),
        ("[env.a]\nguilds = [1]", "env"),
        ("[env.a]\nguilds = ['my guild']", r"env.a.guilds: 'my guild' is not a Discord id"),
        ("[secrets.A]\nallowed_hosts = ['*.com']", "secrets.A.allowed_hosts"),
        ("name = ", "flora.toml: "),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        read_project_config(write(tmp_path, text))


def test_the_project_is_found_from_below(tmp_path: Path) -> None:
    (below := tmp_path / "bot" / "src" / "deep").mkdir(parents=True)
    assert find_project(below) is None
    write(tmp_path, "")
    assert find_project(below) == tmp_path.resolve()
    write(tmp_path / "bot", "")
    assert find_project(below) == (tmp_path / "bot").resolve(), "the nearest"


def test_what_is_said_comes_before_what_is_written(tmp_path: Path) -> None:
    assert chosen_entrypoint(tmp_path, None) is None
    write(tmp_path, WHOLE)
    assert chosen_entrypoint(tmp_path, None) == "src/bot.ts"
    assert chosen_entrypoint(tmp_path, "main.ts") == "main.ts"


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True),
        st.text(
            st.characters(exclude_categories=["C", "Z"], exclude_characters="\"'#"), min_size=1, max_size=20
        ),
        max_size=5,
    )
)
def test_values_come_out_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, str]
) -> None:
    file = tmp_path_factory.getbasetemp() / "values.env"
    file.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    assert read_values(file) == values
    file.write_text("".join(f'export {name} = "{value}"\n' for name, value in values.items()))
    assert read_values(file) == values


def test_no_value_is_in_an_error(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\ns3cret\n")
    with pytest.raises(InvalidInput, match=r"\.env:2: should be NAME=value") as caught:
        read_values(tmp_path / ".env")
    assert "s3cret" not in str(caught.value)
