"""Settings, and where they point."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_core.errors import InvalidInput, InvalidSettings
from flora_core.settings import load
from flora_gateway.rest import RestSettings
from flora_gateway.rest.settings import API_PATH
from flora_gateway.rest.transport import Origin, parse_base


def test_the_defaults_are_discords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISCORD_API_URL", raising=False)
    settings = load(RestSettings)
    assert parse_base(settings.api_url, default_path=API_PATH) == (
        Origin("discord.com", 443, tls=True),
        "/api/v10",
    )
    assert (settings.rest_timeout_ms, settings.global_limit, settings.guild_concurrency) == (8000, 50, 4)
    assert settings.user_agent.startswith("DiscordBot (https://flora.uwu.network, ")
    assert settings.http_client == "lean"


@pytest.mark.parametrize(
    ("url", "origin", "path"),
    [
        ("https://discord.com", Origin("discord.com", 443, tls=True), "/api/v10"),
        ("https://discord.com/", Origin("discord.com", 443, tls=True), "/api/v10"),
        ("https://discord.com/api/v10/", Origin("discord.com", 443, tls=True), "/api/v10"),
        ("https://discord.com/api/v11", Origin("discord.com", 443, tls=True), "/api/v11"),
        ("http://127.0.0.1:8790", Origin("127.0.0.1", 8790, tls=False), "/api/v10"),
        ("http://[::1]:8790/api/v10", Origin("::1", 8790, tls=False), "/api/v10"),
        ("http://sim", Origin("sim", 80, tls=False), "/api/v10"),
    ],
)
def test_the_address_may_be_given_with_or_without_its_path(url: str, origin: Origin, path: str) -> None:
    assert parse_base(url, default_path=API_PATH) == (origin, path)


@pytest.mark.parametrize(
    ("origin", "netloc"),
    [
        (Origin("discord.com", 443, tls=True), "discord.com"),
        (Origin("discord.com", 8443, tls=True), "discord.com:8443"),
        (Origin("discord.com", 443, tls=False), "discord.com:443"),
        (Origin("sim", 80, tls=False), "sim"),
        (Origin("::1", 8790, tls=False), "[::1]:8790"),
    ],
)
def test_the_host_header_names_a_port_only_where_it_must(origin: Origin, netloc: str) -> None:
    assert origin.netloc == netloc


BAD_URLS = [
    "discord.com",
    "ftp://discord.com",
    "https://",
    "https://user:password@discord.com",
    "https://discord.com/?x=1",
    "https://discord.com/#x",
    "https://discord.com:port",
    "https://discord.com/a b\r\nX: y",
    "https://dïscord.com",
    "",
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_what_is_no_address_stops_the_start_naming_the_variable(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("DISCORD_API_URL", url)
    with pytest.raises(InvalidSettings, match="DISCORD_API_URL: "):
        load(RestSettings)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DISCORD_USER_AGENT", "curl/8"),
        ("DISCORD_USER_AGENT", "DiscordBot (https://x, 1)\r\nX: y"),
        ("DISCORD_INVALID_LIMIT", "10000"),
        ("DISCORD_GUILD_CONCURRENCY", "0"),
        ("DISCORD_HTTP_CLIENT", "httpx"),
        ("DISCORD_REST_TIMEOUT_MS", "soon"),
    ],
)
def test_a_wrong_value_stops_the_start_naming_the_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidSettings, match=f"{variable}: "):
        load(RestSettings)


def test_every_setting_says_what_it_is() -> None:
    assert all(field.description for field in RestSettings.model_fields.values())


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_refused(url: str) -> None:
    try:
        origin, path = parse_base(url, default_path=API_PATH)
    except InvalidInput:
        return
    assert origin.host
    assert path.startswith("/")
    assert path.isprintable()
