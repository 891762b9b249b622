"""The ``flora`` command beside an API that is played."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flora_cli.retries import pause_before
from tests.integration.cli.played_api import TOKEN, PlayedApi
from tests.integration.flora_command import Ended, run_apart, run_here

Command = Callable[..., Ended]


@pytest.fixture
def api() -> Iterator[PlayedApi]:
    with PlayedApi().serving() as played:
        yield played


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """The ``flora`` command in this process, for a user who has nothing yet."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("FLORA_")]:
        monkeypatch.delenv(name)
    for name in ("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setattr("flora_cli.client.pause_before", _no_pause)
    monkeypatch.setattr("flora_cli.client.reconnect_after", lambda *_args, **_more: 0.01)
    monkeypatch.setattr("flora_cli.deploying.reconnect_after", lambda *_args, **_more: 0.01)

    def run(*arguments: str | Path, stdin: bytes = b"") -> Ended:
        return run_here(monkeypatch, capfd, *arguments, stdin=stdin)

    return run


@pytest.fixture
def known(bare: Command, api: PlayedApi, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The same, for somebody who has a token there."""
    monkeypatch.setenv("FLORA_API_URL", api.url)
    monkeypatch.setenv("FLORA_TOKEN", TOKEN)
    return bare


def process(*arguments: str, env: dict[str, str], cwd: Path, stdin: str = "") -> Ended:
    """The command as a process of its own, without a terminal."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FLORA_")}
    given = {**clean, "NO_COLOR": "1", "XDG_CONFIG_HOME": str(cwd), "XDG_RUNTIME_DIR": str(cwd), **env}
    return run_apart(*arguments, env=given, cwd=cwd, stdin=stdin)


def _no_pause(attempt: int, *, draw: float, wanted: float | None = None) -> float | None:
    """The real answer's yes or no, at once."""
    return None if pause_before(attempt, draw=draw, wanted=wanted) is None else 0.0
