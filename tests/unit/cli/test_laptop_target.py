"""The API of a ``flora dev``: when it is what is meant, and that it is waited for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from flora_cli import config, dev_target
from flora_cli.config import Login, Target, resolve
from flora_cli.dev_target import NoApi, found_again
from flora_cli.errors import Unavailable
from flora_core.errors import InvalidInput
from flora_core.running import NothingRuns, Running, register

API = "http://127.0.0.1:4711"
ELSEWHERE = "https://flora.example.com"
Runs = Callable[..., Path]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setattr("flora_cli.keys.put", lambda _url, _token: False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def runs(home: Path) -> Runs:
    """Has a session run for a folder; its process is ours."""

    def run(folder: str = "bot", *, api: str = API, no_api: str = "") -> Path:
        (home / folder).mkdir(exist_ok=True)
        return register(Running(os.getpid(), str(home / folder), api, "t0ken" if api else "", no_api))

    return run


def at(home: Path, api: str | None = None, **environ: str) -> Target | None:
    return resolve(api=api, env=None, environ=environ, folder=home)


def test_without_anything_configured_it_is_the_one_that_runs(home: Path, runs: Runs) -> None:
    assert at(home) is None
    runs()
    source = f"the `flora dev` in {home / 'bot'}"
    assert at(home) == Target(API, source, "t0ken", folder=str(home / "bot"))


def test_what_is_configured_counts_first_and_dev_means_the_one_that_runs(home: Path, runs: Runs) -> None:
    runs()
    config.remember(ELSEWHERE, Login(), "theirs")
    found = at(home)
    assert found is not None
    assert (found.url, found.token, found.folder) == (ELSEWHERE, "theirs", "")
    for target in (at(home, "dev"), at(home, FLORA_API_URL="dev")):
        assert target is not None
        assert (target.url, target.token) == (API, "t0ken")


def test_a_login_there_is_remembered_by_its_name_alone(home: Path, runs: Runs) -> None:
    file = runs()
    config.remember(ELSEWHERE, Login(), "theirs")
    config.remember_dev()
    found = at(home)
    assert found is not None
    assert found.url == API
    assert "t0ken" not in config.user_file().read_text()
    config.forget(config.HERE)
    assert config.read_user().logins.keys() == {ELSEWHERE}
    file.unlink()
    config.remember_dev()
    with pytest.raises(NothingRuns):
        at(home)


def test_a_token_of_the_environment_does_not_go_there(home: Path, runs: Runs) -> None:
    runs()
    found = at(home, FLORA_TOKEN="for elsewhere")
    assert found is not None
    assert found.token == "t0ken"


def test_the_project_file_can_name_it_with_its_guilds(home: Path, runs: Runs) -> None:
    runs()
    (home / "bot" / "flora.toml").write_text('[env.here]\napi = "dev"\nguilds = ["5"]\n')
    target = resolve(api=None, env="here", environ={}, folder=home / "bot")
    assert target is not None
    assert (target.url, target.guilds) == (API, ("5",))


def test_one_that_starts_is_waited_for(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    runs(api="")
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            runs()

    assert dev_target.dev_target(sleep=sleep).url == API
    assert len(pauses) == 3
    assert capsys.readouterr().err.count("waiting for the API of `flora dev`") == 1


def test_one_that_does_not_come_is_given_up(runs: Runs) -> None:
    runs(api="")
    pauses: list[float] = []
    with pytest.raises(Unavailable, match="does not start"):
        dev_target.dev_target(sleep=pauses.append)
    assert sum(pauses) == pytest.approx(dev_target.START_SECONDS, abs=1)


def test_one_that_will_not_come_says_why_at_once(runs: Runs) -> None:
    runs(api="", no_api="Postgres is not for this machine")
    with pytest.raises(NoApi, match=r"has no API \(Postgres is not for this machine\)"):
        dev_target.dev_target(sleep=lambda _seconds: pytest.fail("it waits"))


def test_a_session_that_ends_meanwhile_is_not_waited_for(runs: Runs) -> None:
    file = runs(api="")
    with pytest.raises(NothingRuns):
        dev_target.dev_target(sleep=lambda _seconds: file.unlink(missing_ok=True))


def test_the_folder_says_which(home: Path, runs: Runs) -> None:
    runs()
    assert dev_target.dev_target(home / "bot").url == API
    with pytest.raises(NothingRuns):
        dev_target.dev_target(home)


def test_a_session_that_was_started_anew_is_found_by_its_folder(home: Path, runs: Runs) -> None:
    file = runs()
    target = dev_target.dev_target()
    assert found_again(target) == target
    file.unlink()
    assert found_again(target) is None
    runs(api="")
    assert found_again(target) is None
    runs(api="http://127.0.0.1:4712")
    again = found_again(target)
    assert again is not None
    assert (again.url, again.folder) == ("http://127.0.0.1:4712", str(home / "bot"))


def test_an_address_is_one_all_the_same(home: Path, runs: Runs) -> None:
    runs()
    with pytest.raises(InvalidInput, match="--api: should be an address"):
        at(home, "development")
