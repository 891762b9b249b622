"""Secrets in the files of a project."""

from __future__ import annotations

from pathlib import Path

import pytest

from flora_cli.scaffold import create_project
from flora_core.errors import InvalidInput
from flora_core.ids import GuildId
from flora_core.manifest import SecretKeyRef, SecretSpec
from flora_core.toolchain import Project
from flora_dev.command import _value_of
from flora_dev.secrets import DevSecret, manifest_secrets, read_secrets, read_values
from flora_dev.sources import FolderSource, ManifestSource

TOML = '[secrets.KEY]\nallowed_hosts = ["api.example.com"]\n'


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / {"toml": "flora.toml", "env": ".env"}[name]).write_text(text)
    return folder


def test_names_come_from_flora_toml_and_values_from_env(tmp_path: Path) -> None:
    found = read_secrets(write(tmp_path, toml=TOML, env="KEY=value\nOTHER=x\n"), {})
    assert found.known == [DevSecret("KEY", "value", ["api.example.com"])]
    assert found.notes == []


def test_a_secret_may_have_another_name_in_env(tmp_path: Path) -> None:
    assert read_secrets(write(tmp_path, toml=TOML + 'env = "MINE"\n', env="MINE=v"), {}).known[0].value == "v"


def test_the_environment_is_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "of-the-machine")
    found = read_secrets(write(tmp_path, toml=TOML), {})
    assert found.known == []
    assert found.notes == ["the secret KEY has no value: write KEY=… into .env"]


def test_a_value_given_by_hand_wins(tmp_path: Path) -> None:
    assert read_secrets(write(tmp_path, toml=TOML, env="KEY=a"), {"KEY": "b"}).known[0].value == "b"


def test_a_secret_without_hosts_is_told(tmp_path: Path) -> None:
    found = read_secrets(tmp_path, {"NEW": "v"})
    assert found.known == [DevSecret("NEW", "v", [])]
    assert "may go nowhere" in found.notes[0]


def test_lines_of_env(tmp_path: Path) -> None:
    text = """
# a comment
A=plain
export B = "with = and # inside"
C='single'
D=cut # here
E=a#b
F=
"""
    values = read_values(write(tmp_path, env=text) / ".env")
    assert values == {
        "A": "plain",
        "B": "with = and # inside",
        "C": "single",
        "D": "cut",
        "E": "a#b",
        "F": "",
    }
    assert read_values(tmp_path / "none") == {}


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"env": "A=1\nsecret value\n"}, r"^\.env:2: should be NAME=value$"),
        ({"env": "A B=1\n"}, r"^\.env:1: should be NAME=value$"),
        ({"toml": "[secrets"}, r"^flora\.toml: "),
        ({"toml": "[other]\n"}, "unknown field `other`"),
        ({"toml": "[secrets.KEY]\nvalue = 's3cret'\n"}, "unknown field `value`"),
        ({"toml": "[secrets.KEY]\nallowed_hosts = ['*']\n"}, r"secrets\.KEY\.allowed_hosts: '\*' is no host"),
        ({"toml": "[secrets]\nKEY = 's3cret'\n"}, "secrets"),
    ],
)
def test_what_is_wrong_is_named_without_a_value(tmp_path: Path, files: dict[str, str], says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        read_secrets(write(tmp_path, **files), {})
    assert "s3cret" not in str(caught.value)
    assert "secret value" not in str(caught.value)


def test_a_value_does_not_show(tmp_path: Path) -> None:
    assert "value" not in repr(read_secrets(write(tmp_path, toml=TOML, env="KEY=value"), {}))


def test_a_folder_with_a_wrong_file_is_a_problem_of_its_guild(tmp_path: Path) -> None:
    (wanted,) = FolderSource(write(tmp_path, toml="x"), GuildId("1")).wanted()
    assert wanted.problem.startswith("flora.toml: ")


def test_documents_have_their_values_beside_them(tmp_path: Path) -> None:
    write(tmp_path, env="KEY=value")
    (tmp_path / "one.yaml").write_text(
        "apiVersion: flora.uwu.network/v1alpha1\nkind: GuildDeployment\n"
        "metadata: {name: guild-123456789012345678}\n"
        "spec:\n  guildId: '123456789012345678'\n  source: {files: {src/main.ts: ''}}\n"
        "  secrets:\n"
        "  - {name: KEY, secretKeyRef: {name: s, key: k}, allowedHosts: [a.example]}\n"
        "  - {name: MORE, secretKeyRef: {name: other, key: k}}\n"
    )
    (wanted,) = ManifestSource(tmp_path).wanted()
    assert wanted.secrets.known == [DevSecret("KEY", "value", ["a.example"])]
    assert wanted.secrets.notes == [
        "the secret MORE is not available: there is no Secret other here; write MORE=… into .env beside the documents"
    ]


def test_specs_without_values_are_notes_only() -> None:
    found = manifest_secrets([SecretSpec("A", SecretKeyRef("s", "k"))], {})
    assert (found.known, len(found.notes)) == ([], 1)


def test_the_option_takes_a_name_and_never_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "from-the-environment")
    assert _value_of("KEY") == "from-the-environment"
    for wrong in ("KEY=s3cret", "NOT_THERE_AT_ALL"):
        with pytest.raises(InvalidInput) as caught:
            _value_of(wrong)
        assert "s3cret" not in str(caught.value)


def test_neither_file_is_ever_a_part_of_a_bundle(tmp_path: Path) -> None:
    folder = tmp_path / "bot"
    create_project(folder)
    write(folder, toml=TOML, env="KEY=s3cret")
    project = Project.from_folder(folder)
    assert not {".env", "flora.toml"} & set(project.files)
    assert "s3cret" not in "".join(project.files.values())


def test_a_new_project_keeps_its_values_out_of_version_control(tmp_path: Path) -> None:
    create_project(tmp_path / "bot")
    assert ".env" in (tmp_path / "bot" / ".gitignore").read_text().splitlines()
