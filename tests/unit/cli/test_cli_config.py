"""Which API is meant, and that a token goes to no other."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_cli import config, keys
from flora_cli.config import Login, Target, find_project, parse_url, resolve
from flora_cli.errors import CliError
from flora_core.errors import InvalidInput

FLAG, VARIABLE, STAGING, USER = (
    f"https://{name}.example.com" for name in ("flag", "variable", "staging", "user")
)
TOML = f'[env.staging]\napi = "{STAGING}"\nguilds = ["5"]\n[env.production]\nguilds = ["6", "7"]\n'


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setattr(keys, "put", lambda _url, _token: False)
    return tmp_path / "home"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (folder := tmp_path / "bot" / "src").mkdir(parents=True)
    (tmp_path / "bot" / "flora.toml").write_text(TOML)
    return folder


def url(folder: Path, *, api: str | None = None, env: str | None = None, **environ: str) -> str | None:
    target = resolve(api=api, env=env, environ=environ, folder=folder)
    return target.url if target else None


@pytest.mark.parity(103)
def test_the_nearest_word_counts(project: Path) -> None:
    config.remember(USER, Login(), "token")
    outside = project.parents[1]
    assert url(project, api=FLAG, env="staging", FLORA_API_URL=VARIABLE) == FLAG
    assert url(project, env="staging", FLORA_API_URL=VARIABLE) == VARIABLE
    assert url(project, env="staging") == STAGING
    assert url(project, FLORA_ENV="staging") == STAGING
    assert url(project, env="production") == USER, "an environment without an address"
    assert url(project) == url(outside) == USER


def test_without_any_word_there_is_no_api(tmp_path: Path) -> None:
    assert resolve(api=None, env=None, environ={}, folder=tmp_path) is None


def test_an_environment_brings_its_guilds(project: Path) -> None:
    target = resolve(api=FLAG, env="production", environ={}, folder=project)
    assert target is not None
    assert target.guilds == ("6", "7")


def test_an_environment_without_a_project_is_a_mistake(tmp_path: Path, project: Path) -> None:
    with pytest.raises(InvalidInput, match=r"no flora.toml here or above"):
        resolve(api=None, env="staging", environ={}, folder=tmp_path)
    with pytest.raises(InvalidInput, match="there are: production, staging"):
        resolve(api=None, env="stagin", environ={}, folder=project)


def test_the_project_is_found_from_below(tmp_path: Path, project: Path) -> None:
    assert find_project(tmp_path) is None
    assert find_project(project) == (tmp_path / "bot").resolve()
    (project / "flora.toml").write_text("")
    assert find_project(project) == project.resolve(), "the nearest"


def test_a_token_is_shown_only_where_it_was_given(project: Path) -> None:
    config.remember(USER, Login("ann"), "secret-of-user")
    config.remember(STAGING, Login("ann"), "secret-of-staging")

    def token(api: str) -> str:
        target = resolve(api=api, env=None, environ={}, folder=project)
        assert target is not None
        return target.token

    assert token(USER) == "secret-of-user"
    assert token(f"{STAGING}/api/") == "secret-of-staging"
    assert token(FLAG) == ""
    assert token(USER.replace("https", "http")) == ""
    assert token(f"{USER}:8443") == ""


def test_the_variable_comes_before_a_login(tmp_path: Path) -> None:
    config.remember(USER, Login(), "stored")
    target = resolve(api=USER, env=None, environ={"FLORA_TOKEN": " given\n"}, folder=tmp_path)
    assert target == Target(USER, "--api", "given")


@pytest.mark.parametrize(
    ("api", "allowed"),
    [
        ("https://flora.example.com", True),
        ("http://127.0.0.1:8404", True),
        ("http://[::1]:8404", True),
        ("http://localhost:8404", True),
        ("http://flora.example.com", False),
        ("http://10.0.0.1", False),
        ("http://127.0.0.1.example.com", False),
    ],
)
def test_a_token_does_not_leave_the_machine_without_tls(tmp_path: Path, api: str, allowed: bool) -> None:
    environ = {"FLORA_TOKEN": "s3cret"}
    if allowed:
        assert resolve(api=api, env=None, environ=environ, folder=tmp_path)
        return
    with pytest.raises(InvalidInput, match="FLORA_PLAIN_HTTP=1") as caught:
        resolve(api=api, env=None, environ=environ, folder=tmp_path)
    assert "s3cret" not in str(caught.value)
    assert resolve(api=api, env=None, environ={}, folder=tmp_path), "without a token there is nothing to lose"
    assert resolve(api=api, env=None, environ={**environ, "FLORA_PLAIN_HTTP": "1"}, folder=tmp_path)


def test_the_file_is_for_its_user_alone(home: Path) -> None:
    before = os.umask(0)
    try:
        config.remember(USER, Login("ann", "t1"), "s3cret")
    finally:
        os.umask(before)
    file = home / "flora" / "config.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [path.name for path in file.parent.iterdir()] == ["config.json"]


def test_what_the_keyring_has_is_not_in_the_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring: dict[str, str] = {}
    monkeypatch.setattr(keys, "put", lambda url, token: ring.update({url: token}) or True)
    monkeypatch.setattr(keys, "get", lambda url: ring[url])
    monkeypatch.setattr(keys, "delete", ring.pop)
    assert config.remember(USER, Login("ann"), "s3cret")
    assert "s3cret" not in (home / "flora" / "config.json").read_text()
    target = resolve(api=None, env=None, environ={}, folder=home)
    assert target is not None
    assert target.token == "s3cret"
    config.forget(USER)
    assert ring == {}
    assert resolve(api=None, env=None, environ={}, folder=home) is None


def test_forgetting_one_login_leaves_the_others() -> None:
    config.remember(FLAG, Login(), "a")
    config.remember(USER, Login(), "b")
    config.forget(FLAG)
    user = config.read_user()
    assert (user.api, set(user.logins)) == (USER, {USER})
    config.forget(USER)
    assert config.read_user().api == ""


def test_a_broken_file_says_what_to_do(home: Path) -> None:
    (home / "flora").mkdir(parents=True)
    (home / "flora" / "config.json").write_text("{")
    with pytest.raises(CliError, match="remove the file and log in again"):
        config.read_user()


def test_no_token_shows() -> None:
    assert "s3cret" not in repr(Target(USER, "--api", "s3cret"))
    assert "s3cret" not in repr(Login(token="s3cret"))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://flora.example.com", "https://flora.example.com"),
        ("https://flora.example.com/", "https://flora.example.com"),
        ("https://Flora.Example.com/api/", "https://flora.example.com"),
        ("http://127.0.0.1:8404/api", "http://127.0.0.1:8404"),
        ("https://example.com/flora/api", "https://example.com/flora"),
    ],
)
def test_an_address_is_known_in_several_forms(text: str, address: str) -> None:
    assert parse_url(text, source="--api") == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "flora.example.com",
        "ftp://flora.example.com",
        "https://",
        "https://ann:pw@flora.example.com",
        "https://h:99999",
        "https://h?x=1",
        "https://[::1",
    ],
)
def test_what_is_no_address_is_named(text: str) -> None:
    with pytest.raises(InvalidInput, match="FLORA_API_URL: should be an address") as caught:
        parse_url(text, source="FLORA_API_URL")
    assert "pw" not in str(caught.value)


@given(st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        assert parse_url(text, source="--api").startswith(("http://", "https://"))
    except InvalidInput:
        return


class Ring:
    """A keyring that answers, or does not."""

    def __init__(self, error: Exception | None = None) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.error = error

    def set_password(self, service: str, name: str, value: str) -> None:
        if self.error:
            raise self.error
        self.kept[service, name] = value

    def get_password(self, service: str, name: str) -> str | None:
        if self.error:
            raise self.error
        return self.kept.get((service, name))

    def delete_password(self, service: str, name: str) -> None:
        del self.kept[service, name]


class TestKeys:
    def test_a_keyring_keeps_and_forgets(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.undo()
        ring = Ring()
        monkeypatch.setattr(keys, "_ring", lambda: ring)
        assert keys.put(USER, "s3cret")
        assert ring.kept == {("flora", USER): "s3cret"}
        assert keys.get(USER) == "s3cret"
        keys.delete(USER)
        keys.delete(USER)
        assert keys.get(USER) == ""

    def test_one_that_fails_is_as_good_as_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.undo()
        monkeypatch.setattr(keys, "_ring", lambda: Ring(RuntimeError("locked")))
        assert not keys.put(USER, "s3cret")
        assert keys.get(USER) == ""

    def test_none_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.undo()
        monkeypatch.setattr(keys, "_ring", lambda: None)
        assert not keys.put(USER, "s3cret")
        assert keys.get(USER) == ""
        keys.delete(USER)
