"""Logging in through Discord, as a browser meets it."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from flora_api.redis_store import Store
from flora_simulator import Fault, Simulator, SimulatorClient
from tests.integration.api.auth.conftest import (
    ADA,
    BOT,
    HERE,
    ApiUnderTest,
    Browser,
    MakeApi,
    bearer,
    browsing,
)


async def to_discord(browser: Browser, path: str = "/api/auth/login") -> httpx.Response:
    """The answer of Discord that sends the browser back."""
    ours = await browser.get(path)
    assert ours.status_code == 303, ours.text
    return await browser.get(ours.headers["location"])


async def test_a_person_who_logs_in_is_known(browser: Browser) -> None:
    answer = await browser.log_in("ada")
    assert (answer.status_code, answer.text) == (200, "ok")
    assert str(answer.url) == f"{HERE}/api/health"
    me = (await browser.get("/api/auth/me")).json()
    assert me["type"] == "session"
    assert me["user"] == {"id": ADA, "username": "ada", "global_name": "ada", "avatar": None}
    assert me["csrf"] == browser.csrf != ""
    assert me["token"] is None


async def test_discord_is_asked_for_no_more_than_is_needed_with_pkce_and_state(browser: Browser) -> None:
    location = (await browser.get("/api/auth/login")).headers["location"]
    asked = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
    assert asked.pop("state") != asked.pop("code_challenge")
    assert asked == {
        "response_type": "code",
        "client_id": BOT,
        "redirect_uri": f"{HERE}/api/auth/callback",
        "scope": "identify guilds",
        "code_challenge_method": "S256",
        "prompt": "none",
    }


async def test_the_cookie_is_kept_from_scripts_and_other_sites(browser: Browser) -> None:
    back = await to_discord(browser)
    answer = await browser.get(back.headers["location"])
    (cookie,) = [line for line in answer.headers.get_list("set-cookie") if line.startswith("flora_session=")]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/;" in cookie
    assert "Secure" not in cookie
    assert len(browser.cookie()) == 43


async def test_over_https_the_cookies_are_for_https_alone(make_api: MakeApi, people: SimulatorClient) -> None:
    async with browsing(await make_api(public_url="https://flora.test"), people) as browser:
        first = await browser.get("/api/auth/login")
        assert "; Secure" in first.headers["set-cookie"]
        await browser.log_in("ada")
        assert (await browser.get("/api/auth/me")).status_code == 200


async def test_without_a_public_url_the_request_says_where_we_are(
    make_api: MakeApi, people: SimulatorClient
) -> None:
    async with browsing(await make_api(public_url=""), people) as browser:
        answer = await browser.log_in("ada")
        assert answer.status_code == 200
        assert (await browser.change("POST", "/api/tokens", json={})).status_code == 200


async def test_each_login_has_a_session_of_its_own_and_ends_the_one_before(browser: Browser) -> None:
    await browser.log_in("ada")
    first = browser.cookie()
    await browser.log_in("bob")
    assert browser.cookie() != first
    async with httpx.AsyncClient(transport=browser.api.transport(), base_url=HERE) as other:
        stale = await other.get("/api/auth/me", headers={"Cookie": f"flora_session={first}"})
    assert (stale.status_code, stale.json()["code"]) == (401, "LOGIN_ENDED")


@pytest.mark.parametrize(
    ("wanted", "got"),
    [
        ("/console?guild=1", "/console?guild=1"),
        ("//evil.test", "/"),
        ("https://evil.test", "/"),
        ("/\\evil.test", "/"),
        ("", "/"),
        ("/a\r\nSet-Cookie: x=y", "/"),
    ],
)
async def test_a_login_ends_on_a_page_of_ours(browser: Browser, wanted: str, got: str) -> None:
    ours = await browser.get("/api/auth/login", params={"next": wanted})
    back = await browser.get(ours.headers["location"])
    answer = await browser.get(back.headers["location"])
    assert answer.headers["location"] == got


async def test_a_state_is_good_once(browser: Browser) -> None:
    back = await to_discord(browser)
    assert (await browser.get(back.headers["location"])).status_code == 303
    again = await browser.get(back.headers["location"])
    assert (again.status_code, again.json()["code"]) == (401, "LOGIN_STALE")
    assert again.headers["www-authenticate"] == "Bearer"


async def test_a_login_ends_in_the_browser_that_began_it(
    api: ApiUnderTest, people: SimulatorClient, browser: Browser
) -> None:
    back = await to_discord(browser)
    async with browsing(api, people) as victim:
        await victim.get("/api/auth/login")  # has a cookie, of another login
        answer = await victim.get(back.headers["location"])
        assert (answer.status_code, answer.json()["code"]) == (401, "LOGIN_STALE")
        assert victim.cookie() == ""


async def test_two_logins_in_one_browser_both_end(browser: Browser) -> None:
    first, second = await to_discord(browser), await to_discord(browser)
    assert (await browser.get(first.headers["location"])).status_code == 303
    assert (
        await browser.get(second.headers["location"])
    ).status_code == 401  # the cookie went with the first


async def test_a_state_that_was_made_up_is_refused(browser: Browser) -> None:
    for state in ("", "x", "A" * 43, "ä" * 43, "A" * 5000):
        answer = await browser.get("/api/auth/callback", params={"state": state, "code": "c"})
        assert (answer.status_code, answer.json()["code"]) == (401, "LOGIN_STALE")


async def test_a_code_of_another_login_is_refused(browser: Browser) -> None:
    first, second = await to_discord(browser), await to_discord(browser)
    code = parse_qs(urlsplit(first.headers["location"]).query)["code"][0]
    state = parse_qs(urlsplit(second.headers["location"]).query)["state"][0]
    answer = await browser.get("/api/auth/callback", params={"state": state, "code": code})
    assert (answer.status_code, answer.json()["code"]) == (401, "LOGIN_REFUSED")


async def test_who_presses_cancel_is_told(browser: Browser, people: SimulatorClient) -> None:
    await people.sit_at_browser("ada", refuses=True)
    answer = await browser.get("/api/auth/login", follow_redirects=True)
    assert (answer.status_code, answer.json()["code"]) == (403, "LOGIN_DENIED")


@pytest.mark.parametrize("path", ["/oauth2/token", "/users/@me"])
async def test_a_discord_that_is_away_is_no_failed_login(
    browser: Browser, people: SimulatorClient, path: str
) -> None:
    await people.add_fault(Fault(path=path, status=503))
    answer = await browser.log_in("ada")
    assert (answer.status_code, answer.json()["code"]) == (503, "DISCORD_UNAVAILABLE")
    assert int(answer.headers["retry-after"]) >= 1
    assert (await browser.log_in("ada")).status_code == 200


async def test_a_discord_that_cuts_the_line_is_away_too(browser: Browser, people: SimulatorClient) -> None:
    await people.add_fault(Fault(path="/oauth2/token", reset=True))
    assert (await browser.log_in("ada")).status_code == 503


async def test_a_login_does_not_fail_for_want_of_the_guilds(
    browser: Browser, people: SimulatorClient
) -> None:
    await people.add_fault(Fault(path="/users/@me/guilds", status=500))
    assert (await browser.log_in("ada")).status_code == 200


async def test_without_a_client_id_it_says_what_to_set(make_api: MakeApi, people: SimulatorClient) -> None:
    async with browsing(await make_api(discord_client_id=""), people) as browser:
        answer = await browser.get("/api/auth/login")
        assert answer.status_code == 503
        assert "API_DISCORD_CLIENT_ID" in answer.json()["message"]


async def test_a_wrong_client_secret_lets_nobody_in_and_is_not_shown(
    make_api: MakeApi, people: SimulatorClient
) -> None:
    async with browsing(await make_api(discord_client_secret="wr0ng-secret"), people) as browser:
        answer = await browser.log_in("ada")
        assert (answer.status_code, answer.json()["code"]) == (401, "LOGIN_REFUSED")
        assert "wr0ng" not in answer.text


async def test_redis_holds_nothing_that_opens_a_session(browser: Browser, redis: Store) -> None:
    await browser.get("/api/auth/login")  # one under way
    await browser.log_in("ada")
    secret = browser.cookie().encode()
    held = b""
    async for key in redis.scan_iter():
        held += key + (await redis.get(key) or b"")
    assert b"session" in held
    for word in (secret, b"ada", ADA.encode(), b"access", browser.csrf.encode()):
        assert word not in held


# ---- logging out


async def test_who_logs_out_is_out_here_and_at_discord(browser: Browser, people: SimulatorClient) -> None:
    await browser.log_in("ada")
    secret = browser.cookie()
    assert (await people.oauth()).live == 1
    answer = await browser.change("POST", "/api/auth/logout")
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await people.oauth()).live == 0
    assert browser.cookie() == ""
    stale = await browser.client.get(f"{HERE}/api/auth/me", headers={"Cookie": f"flora_session={secret}"})
    assert stale.status_code == 401


async def test_who_logs_out_while_discord_is_away_is_out_here(
    browser: Browser, people: SimulatorClient
) -> None:
    await browser.log_in("ada")
    await people.add_fault(Fault(path="/oauth2/token/revoke", status=503))
    assert (await browser.change("POST", "/api/auth/logout")).status_code == 204
    assert (await browser.get("/api/auth/me")).status_code == 401


async def test_a_token_that_logs_out_is_revoked(browser: Browser, program: httpx.AsyncClient) -> None:
    await browser.log_in("ada")
    token = await browser.new_token()
    assert (await program.post("/api/auth/logout", headers=bearer(token))).status_code == 204
    assert (await program.get("/api/auth/me", headers=bearer(token))).status_code == 401


async def test_logging_out_takes_a_login(program: httpx.AsyncClient) -> None:
    assert (await program.post("/api/auth/logout")).status_code == 401


async def test_the_simulators_address_is_asked_alone(simulator: Simulator, browser: Browser) -> None:
    location = (await browser.get("/api/auth/login")).headers["location"]
    assert location.startswith(f"{simulator.url}/oauth2/authorize?")
