"""Logging in and out, and who one is then."""

from __future__ import annotations

import socket
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pytest

from flora_cli import browser_login
from flora_cli.browser_login import LoginFailed, Pkce, log_in
from flora_cli.config import Target
from flora_cli.errors import NotLoggedIn
from tests.integration.cli.conftest import Command, process
from tests.integration.cli.played_api import GUILD, TOKEN, Fault, PlayedApi, refusal

Browser = Callable[[str], bool]


def stored(home: Path) -> bytes:
    return (home / "home" / "flora" / "config.json").read_bytes()


def browser(*, follow: bool = True) -> Browser:
    """A person who opens the address and lets it lead him where it wants."""
    return lambda address: bool(httpx.get(address, follow_redirects=follow).status_code)


@pytest.fixture
def somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sits at the terminal."""
    monkeypatch.setattr("flora_cli.login.can_ask", lambda: True)


# ---------------------------------------------------------------- a browser


@pytest.mark.parity(98)
def test_the_browser_brings_a_token(
    bare: Command, api: PlayedApi, somebody: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(webbrowser, "open", browser())
    ended = bare("login", "--api", api.url)
    assert (ended.code, ended.out) == (0, "")
    assert f"logged in at {api.url} as Ann" in ended.err
    assert "flora_t2_fresh" not in ended.err
    assert msgspec.json.decode(stored(tmp_path))["logins"][api.url]["token"] == "flora_t2_fresh"
    asked = api.last("GET", "/auth/cli").query
    assert urlsplit(asked["redirect"]).hostname == "127.0.0.1"
    assert len(asked["state"]) >= 40
    assert "Authorization" not in api.last("POST", "/auth/cli/token").headers
    who = bare("whoami", "--json").json
    assert (who["api"], who["user"]["username"], who["token"]["token_id"]) == (api.url, "ann", "t2")


def test_the_address_is_shown_where_no_browser_opens(
    bare: Command, api: PlayedApi, somebody: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []

    def no_browser(address: str) -> bool:
        shown.append(address)
        threading.Thread(target=browser(), args=(address,)).start()
        return False

    monkeypatch.setattr(webbrowser, "open", no_browser)
    ended = bare("login", "--api", api.url)
    assert ended.code == 0
    assert shown[0] in ended.err


def test_a_person_who_says_no_is_not_logged_in(
    bare: Command, api: PlayedApi, somebody: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    api.denies_logins = "access_denied"
    monkeypatch.setattr(webbrowser, "open", browser())
    ended = bare("login", "--api", api.url)
    assert (ended.code, "access_denied" in ended.err) == (3, True)
    assert not (tmp_path / "home").exists()


def test_an_answer_to_another_login_is_not_taken(api: PlayedApi, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def attacker(address: str) -> bool:
        back = parse_qs(urlsplit(address).query)["redirect"][0]
        wrong = [
            f"{back}?{query}" for query in ("code=theirs&state=guess", "code=theirs", "state=", "error=no")
        ]
        seen.extend(httpx.get(each).status_code for each in (*wrong, back.replace("/callback", "/")))
        return True

    monkeypatch.setattr(webbrowser, "open", attacker)
    with pytest.raises(LoginFailed, match="nobody logged in"):
        log_in(Target(api.url, "--api"), open_browser=True, seconds=0.2)
    assert seen == [404] * 5
    assert api.requests("POST", "/auth/cli/token") == []


def test_a_stolen_code_is_of_no_use(api: PlayedApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another's challenge belongs to the code that came back: the verifier does not fit."""
    monkeypatch.setattr(
        webbrowser, "open", lambda address: browser()(address.replace("challenge=", "challenge=x"))
    )
    with pytest.raises(NotLoggedIn, match="the code is not good"):
        log_in(Target(api.url, "--api"), open_browser=True, seconds=20)


def test_a_page_that_is_kept_open_holds_nothing_up(api: PlayedApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Browsers open connections ahead, and send nothing on them."""
    held: list[socket.socket] = []

    def eager(address: str) -> bool:
        back = urlsplit(parse_qs(urlsplit(address).query)["redirect"][0])
        held.append(socket.create_connection((back.hostname or "", back.port or 0)))
        return browser()(address)

    monkeypatch.setattr(webbrowser, "open", eager)
    try:
        assert log_in(Target(api.url, "--api"), open_browser=True, seconds=20) == "flora_t2_fresh"
    finally:
        held[0].close()


def test_a_verifier_is_long_and_new_each_time() -> None:
    made = [Pkce.new() for _ in range(20)]
    assert len({pkce.verifier for pkce in made}) == 20
    assert all(43 <= len(pkce.verifier) <= 128 and len(pkce.challenge) == 43 for pkce in made)
    assert len(browser_login.label()) <= 100


# ---------------------------------------------------------------- a token


@pytest.mark.parity(98, 103)
def test_a_token_is_taken_from_standard_input(bare: Command, api: PlayedApi, tmp_path: Path) -> None:
    ended = bare("login", "--api", f"{api.url}/api", "--token", "-", stdin=f"{TOKEN}\n".encode())
    assert (ended.code, ended.out) == (0, "")
    assert TOKEN not in ended.err
    kept = msgspec.json.decode(stored(tmp_path))
    assert (kept["api"], kept["logins"][api.url]) == (
        api.url,
        {"user": "Ann", "token_id": "t1", "token": TOKEN},
    )


def test_a_token_that_is_not_good_is_not_kept(bare: Command, api: PlayedApi, tmp_path: Path) -> None:
    ended = bare("login", "--api", api.url, "--token", "-", stdin=b"flora_x_wrong")
    assert (ended.code, "the token is not good" in ended.err) == (3, True)
    assert "flora_x_wrong" not in ended.err
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("given", [b"", b"  \n", b"two words", b"\xff"])
def test_what_is_no_token_is_refused(bare: Command, api: PlayedApi, given: bytes) -> None:
    assert bare("login", "--api", api.url, "--token", "-", stdin=given).code == 2
    assert api.asked == []


def test_a_token_on_the_command_line_is_refused_and_not_repeated(bare: Command, api: PlayedApi) -> None:
    ended = bare("login", "--api", api.url, "--token", TOKEN)
    assert (ended.code, "does not belong on a command line" in ended.err) == (2, True)
    assert TOKEN not in ended.err
    assert api.asked == []


def test_nobody_is_asked_where_there_is_nobody(api: PlayedApi, tmp_path: Path) -> None:
    ended = process("login", "--api", api.url, env={}, cwd=tmp_path)
    assert (ended.code, "--token -" in ended.err) == (2, True)
    assert api.asked == []


def test_a_token_does_not_travel_in_the_clear(bare: Command) -> None:
    ended = bare("login", "--api", "http://flora.example.com", "--token", "-", stdin=TOKEN.encode())
    assert (ended.code, "does not travel without TLS" in ended.err) == (2, True)


def test_the_variable_that_wins_is_named(
    bare: Command, api: PlayedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLORA_TOKEN", TOKEN)
    ended = bare("login", "--api", api.url, "--token", "-", stdin=TOKEN.encode())
    assert "FLORA_TOKEN is set and comes before this login" in ended.err


# ---------------------------------------------------------------- afterwards


def test_logging_out_ends_the_token_on_both_sides(bare: Command, api: PlayedApi, tmp_path: Path) -> None:
    bare("login", "--api", api.url, "--token", "-", stdin=TOKEN.encode())
    assert bare("logout").code == 0
    assert TOKEN not in api.tokens
    assert TOKEN.encode() not in stored(tmp_path)
    assert (bare("whoami").code, "no API is configured" in bare("whoami").err) == (1, True)


def test_logging_out_forgets_although_the_api_is_away(bare: Command, api: PlayedApi, tmp_path: Path) -> None:
    bare("login", "--api", api.url, "--token", "-", stdin=TOKEN.encode())
    api.faults_at["/auth/logout"] = refusal(500, "INTERNAL", "broken")
    ended = bare("logout")
    assert (ended.code, "could not be revoked" in ended.err) == (0, True)
    assert TOKEN.encode() not in stored(tmp_path)


def test_who_is_not_logged_in_is_told_how(bare: Command, api: PlayedApi) -> None:
    assert (bare("whoami").code, bare("whoami", "--api", api.url).code) == (1, 3)
    ended = bare("logout", "--api", api.url)
    assert (ended.code, "nobody is logged in" in ended.err) == (3, True)


def test_what_a_token_may_do_is_shown(known: Command, api: PlayedApi) -> None:
    api.tokens[TOKEN] |= {"guilds": [GUILD], "scopes": ["deploy"], "expires_at": "2027-01-01T00:00:00Z"}
    ended = known("whoami")
    assert f"Ann (42) at {api.url}" in ended.out
    assert f"token test: deploy; guilds {GUILD}; expires 2027-01-01T00:00:00Z" in ended.out
    assert TOKEN not in ended.out + ended.err


def test_a_revoked_token_says_so(known: Command, api: PlayedApi) -> None:
    api.tokens.clear()
    ended = known("whoami")
    assert (ended.code, f"flora login --api {api.url}" in ended.err) == (3, True)
    assert TOKEN not in ended.err


def test_an_api_that_is_none_is_named(known: Command, api: PlayedApi) -> None:
    api.faults_at["/auth/me"] = Fault(200, b"<html>hello</html>")
    ended = known("whoami")
    assert (ended.code, "is it an API of flora" in ended.err) == (5, True)
