"""The gateway's settings: where they come from, which are refused, and that tokens are never shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flora_core.errors import InvalidSettings
from flora_core.settings import load
from flora_gateway.settings import DiscordSettings, GatewaySettings


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith(("GATEWAY_", "DISCORD_", "FLORA_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DISCORD_TOKEN", "sesame")


def test_without_a_word_it_serves_pods_from_outside_on_its_port() -> None:
    settings = load(GatewaySettings)
    assert (settings.host, settings.port) == ("0.0.0.0", 8401)
    assert settings.redis_url == ""
    assert load(DiscordSettings).shard_count == 0, "as many as Discord recommends"


def test_each_class_reads_its_own_table_and_prefix(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        '[gateway]\nport = 1\nstate_dir = "/a"\nshard_count = 9\n[discord]\nshard_count = 2\nport = 3\n'
        'token = "from the file"\n[gateway.other]\nport = 5\n'
    )
    monkeypatch.setenv("GATEWAY_PORT", "7")
    gateway, discord = load(GatewaySettings), load(DiscordSettings)
    assert (gateway.port, gateway.state_dir) == (7, Path("/a"))
    assert discord.shard_count == 2
    assert discord.token.get_secret_value() == "sesame", "the environment comes first"


WRONG = {
    "GATEWAY_PORT": ["-1", "65536", "http", ""],
    "GATEWAY_BUFFER_MIB": ["0", "4097", "1.5"],
    "GATEWAY_GUILD_BACKLOG": ["0", "many"],
    "GATEWAY_LOG_FORMAT": ["xml", "JSON"],
    "DISCORD_SHARD_COUNT": ["-1", "16385"],
    "DISCORD_PRIVILEGED_INTENTS": ["perhaps", ""],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in WRONG for value in WRONG[name]])
def test_a_wrong_value_is_one_line_that_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings, match=rf"^{name}: [^\n]+$"):
        load(GatewaySettings if name.startswith("GATEWAY") else DiscordSettings)


def test_no_token_is_in_a_text_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_TOKEN", "sesame")
    monkeypatch.setenv("GATEWAY_ACCEPT_TOKENS", "sesame=gateway")
    for settings in (load(GatewaySettings), load(DiscordSettings)):
        assert "sesame" not in repr(settings) + str(settings) + str(settings.model_dump())


def test_settings_do_not_change_while_it_runs() -> None:
    settings = load(GatewaySettings)
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1  # pyright: ignore[reportAttributeAccessIssue]


def test_a_log_level_is_one_of_five_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_LOG_LEVEL", "debug")
    assert load(GatewaySettings).log_level == "DEBUG"
    monkeypatch.setenv("GATEWAY_LOG_LEVEL", "loud")
    with pytest.raises(InvalidSettings, match=r"GATEWAY_LOG_LEVEL: input should be 'DEBUG'"):
        load(GatewaySettings)
