"""What the API beside a session is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flora_api.settings import ApiSettings
from flora_core.settings import load
from flora_dev.api_side import Around, LocalApi, environment
from flora_dev.control_app import Tokens
from flora_dev.controller import POD
from flora_dev.local_api.settings import LocalSettings
from flora_dev.processes import Component


def around(folder: Path, **more: Any) -> Around:
    given: dict[str, Any] = {
        "kept": False,
        "control_url": "http://127.0.0.1:1",
        "gateway_url": "http://127.0.0.1:2",
        "runtime_url": "http://127.0.0.1:3",
        "tokens": Tokens(),
        "guilds": ["5", "6"],
        "discord": {},
        "databases": {},
    }
    return Around(folder, **{**given, **more})


def test_it_is_what_its_settings_understand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    it = around(tmp_path, kept=True, discord={"API_DISCORD_CLIENT_ID": "7"})
    for name, value in environment(it).items():
        monkeypatch.setenv(name, value)
    api, local = load(ApiSettings), load(LocalSettings)
    assert (api.host, api.port, api.internal_port) == ("127.0.0.1", 0, 0), "nobody else reaches it"
    assert (api.control_url, api.gateway_url, api.runtime_url) == (
        "http://127.0.0.1:1",
        "http://127.0.0.1:2",
        "http://127.0.0.1:3",
    )
    assert api.accept_tokens.get_secret_value() == f"{it.tokens.runtime}=runtime/{POD}"
    assert api.discord_client_id == "7"
    assert (local.folder, local.kept, local.guilds) == (tmp_path / "api", True, "5,6")
    assert api.database_url.get_secret_value() == ""


def test_databases_that_are_given_are_used(tmp_path: Path) -> None:
    told = environment(around(tmp_path, databases={"API_DATABASE_URL": "postgresql://there/it"}))
    assert told["API_DATABASE_URL"] == "postgresql://there/it"
    assert "API_REDIS_URL" not in told


def test_no_token_is_shown(tmp_path: Path) -> None:
    it = around(tmp_path)
    assert it.tokens.api not in repr(it)
    assert "s3cret" not in repr(LocalApi(_component(tmp_path), "s3cret"))


def _component(folder: Path) -> Component:
    return Component("api", None, folder / "log")  # pyright: ignore[reportArgumentType]
