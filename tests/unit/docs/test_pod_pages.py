"""docs/runtime-pod.md and docs/gateway.md name settings that exist, with the defaults they have, and lines that are said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from flora_core.settings import Settings
from flora_core.token_review import IdentitySettings
from flora_gateway.rest.settings import RestSettings
from flora_gateway.settings import DiscordSettings, GatewaySettings
from flora_runtime.supervisor.settings import RuntimeSettings

ROOT = Path(__file__).parents[3]
CLASSES: list[type[Settings]] = [
    RuntimeSettings,
    GatewaySettings,
    DiscordSettings,
    RestSettings,
    IdentitySettings,
]
PAGES = {"runtime-pod.md": "RUNTIME_", "gateway.md": "GATEWAY_"}
SOURCES = {
    "runtime-pod.md": [
        "runtime_pod/flora_runtime/supervisor/readiness.py",
        "runtime_pod/flora_runtime/supervisor/pod.py",
    ],
    "gateway.md": ["gateway_pod/flora_gateway/main.py", "gateway_pod/flora_gateway/shards/launch.py"],
}


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def defaults() -> Iterator[tuple[str, str]]:
    for settings in CLASSES:
        prefix = settings.model_config.get("env_prefix", "")
        for name, field in settings.model_fields.items():
            default = field.default
            shown = str(default).lower() if isinstance(default, bool) else str(default)
            empty = default is None or not str(default).strip("*") or field.is_required()
            yield (prefix + name).upper(), "" if empty else shown


@pytest.mark.parametrize("name", PAGES)
def test_each_setting_in_the_table_exists_and_has_that_default(name: str) -> None:
    known = dict(defaults())
    rows = re.findall(r"^\| `([A-Z_]+)` \| (?:`([^`]*)`)? ?\|", page(name), re.MULTILINE)
    assert len(rows) >= 10
    assert {variable: known.get(variable) for variable, _ in rows} == dict(rows)


@pytest.mark.parametrize("name", PAGES)
def test_each_setting_that_the_text_names_exists(name: str) -> None:
    named = set(re.findall(r"`((?:RUNTIME|GATEWAY|DISCORD|FLORA)_[A-Z_]+)`", page(name)))
    assert named - dict(defaults()).keys() == set()


@pytest.mark.parametrize("name", PAGES)
def test_each_line_of_readyz_is_one_that_is_said(name: str) -> None:
    said = "".join((ROOT / source).read_text() for source in SOURCES[name])
    lines = re.findall(r"^\| `([a-z0-9 ]+[^`]*)` \| ", page(name), re.MULTILINE)
    assert len(lines) >= 4
    for line in lines:
        words = [part.strip(" :,()…") for part in re.split(r"\d+|…", line)]
        assert all(word in said for word in words), line


@pytest.mark.parametrize("folder", ["gateway_pod", "runtime_pod", "simulator"])
def test_each_folder_that_a_readme_names_exists(folder: str) -> None:
    readme = (ROOT / folder / "README.md").read_text()
    assert len(readme.splitlines()) < 90, "a page at most"
    for named in re.findall(r"^\| `(flora_\w+/\w+)`", readme, re.MULTILINE):
        assert (ROOT / folder / named).is_dir(), named
    for link in re.findall(r"\]\((\.\./[^)#]+)", readme):
        assert (ROOT / folder / link).resolve().exists(), link
