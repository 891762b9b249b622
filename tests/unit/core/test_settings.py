"""Settings: environment, then file, then default; a wrong one names its variable."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from flora_core.errors import InvalidSettings
from flora_core.settings import Settings, load


class KitchenSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="KITCHEN_")
    table: ClassVar[str] = "kitchen"
    cooks: int = Field(2, ge=1, le=64)
    door: SecretStr
    name: str = "small"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLORA_CONFIG", raising=False)
    monkeypatch.setenv("KITCHEN_DOOR", "sesame")


@pytest.mark.parity(113)
def test_the_environment_beats_the_file_and_the_file_beats_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text('[kitchen]\ncooks = 5\nname = "large"\n')
    monkeypatch.setenv("KITCHEN_COOKS", "7")
    settings = load(KitchenSettings)
    assert (settings.cooks, settings.name) == (7, "large")
    (tmp_path / "config.toml").unlink()
    assert load(KitchenSettings).name == "small"


def test_another_file_can_be_named_and_must_then_exist(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FLORA_CONFIG", str(tmp_path / "other.toml"))
    with pytest.raises(InvalidSettings, match=r"FLORA_CONFIG: there is no file .*other\.toml"):
        load(KitchenSettings)
    (tmp_path / "other.toml").write_text("[kitchen]\ncooks = 9\n")
    assert load(KitchenSettings).cooks == 9
    monkeypatch.setenv("FLORA_CONFIG", "")
    assert load(KitchenSettings).cooks == 2


@pytest.mark.parity(113)
def test_a_missing_setting_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KITCHEN_DOOR")
    with pytest.raises(InvalidSettings, match=r"^KITCHEN_DOOR: is not set$"):
        load(KitchenSettings)


def test_every_wrong_setting_gets_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KITCHEN_COOKS", "many")
    monkeypatch.delenv("KITCHEN_DOOR")
    with pytest.raises(InvalidSettings) as caught:
        load(KitchenSettings)
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == [
        "KITCHEN_COOKS",
        "KITCHEN_DOOR",
    ]


def test_a_value_out_of_range_is_told_the_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KITCHEN_COOKS", "65")
    with pytest.raises(InvalidSettings, match="KITCHEN_COOKS: input should be less than or equal to 64"):
        load(KitchenSettings)


def test_a_secret_is_in_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KITCHEN_COOKS", "-1")
    with pytest.raises(InvalidSettings) as caught:
        load(KitchenSettings)
    assert "sesame" not in str(caught.value)
    monkeypatch.setenv("KITCHEN_COOKS", "1")
    assert "sesame" not in repr(load(KitchenSettings))


@pytest.mark.parametrize("text", ["[kitchen", "kitchen = 3", "\x00"])
def test_a_broken_file_is_one_clear_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(InvalidSettings, match=r"config\.toml"):
        load(KitchenSettings)


class ListSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="SHELF_")
    books: list[int] = Field(default_factory=list[int])


def test_a_list_that_is_no_json_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELF_BOOKS", "[1,")
    with pytest.raises(InvalidSettings, match=r"books"):
        load(ListSettings)
