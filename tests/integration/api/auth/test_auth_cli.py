"""Logging a CLI in: over the browser, with a code for a program on this machine."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from flora_api.auth import pkce
from flora_api.redis_store import Store
from flora_simulator import SimulatorClient
from tests.integration.api.auth.conftest import ADA, Browser, bearer

REDIRECT = "http://127.0.0.1:40404/done?x=1"
VERIFIER = "v" * 50


async def come_back(browser: Browser, **changed: str) -> httpx.Response:
    """Where the CLI that waits is called."""
    query = {"redirect": REDIRECT, "state": "s t/å".encode().hex(), "challenge": pkce.challenge_of(VERIFIER)}
    ours = await browser.get("/api/auth/cli", params={**query, **changed})
    if ours.status_code != 303:
        return ours
    discord = await browser.get(ours.headers["location"])
    return await browser.get(discord.headers["location"])


def said(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 303, answer.text
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


async def test_a_cli_gets_a_token_for_its_code(browser: Browser, program: httpx.AsyncClient) -> None:
    back = said(await come_back(browser))
    assert (back["state"], back["x"]) == ("s t/å".encode().hex(), "1")
    answer = await program.post(
        "/api/auth/cli/token", json={"code": back["code"], "verifier": VERIFIER, "label": "laptop"}
    )
    got = answer.json()
    assert answer.status_code == 200, got
    assert got["user"]["id"] == ADA
    me = (await program.get("/api/auth/me", headers=bearer(got["token"]))).json()
    assert (me["type"], me["user"]["username"], me["csrf"]) == ("token", "ada", None)
    assert me["token"]["token_id"] == got["token_id"]
    assert me["token"]["label"] == "laptop"
    assert me["token"]["guilds"] is None
    assert me["token"]["scopes"] == ["deploy", "kv", "read", "secrets"]


async def test_a_cli_that_logged_in_manages_tokens_and_those_do_not(
    browser: Browser, program: httpx.AsyncClient
) -> None:
    code = said(await come_back(browser))["code"]
    got = (await program.post("/api/auth/cli/token", json={"code": code, "verifier": VERIFIER})).json()
    login = bearer(got["token"])
    made = (
        await program.post("/api/tokens", headers=login, json={"label": "ci", "scopes": ["deploy"]})
    ).json()
    assert (made["label"], made["scopes"]) == ("ci", ["deploy"])
    listed = (await program.get("/api/tokens", headers=login)).json()
    assert {row["token_id"] for row in listed} == {got["token_id"], made["token_id"]}
    refused = await program.get("/api/tokens", headers=bearer(made["token"]))
    assert (refused.status_code, refused.json()["code"]) == (403, "SESSION_NEEDED")
    path = f"/api/tokens/{made['token_id']}"
    assert (await program.delete(path, headers=login)).status_code == 204
    assert (await program.get("/api/auth/me", headers=bearer(made["token"]))).status_code == 401


async def test_a_cli_leaves_no_session_and_nothing_at_discord(
    browser: Browser, people: SimulatorClient
) -> None:
    await come_back(browser)
    assert browser.cookie() == ""
    tokens = await people.oauth()
    assert (tokens.issued, tokens.live) == (1, 0)


async def test_people_are_asked_again_before_a_cli_is_let_in(browser: Browser) -> None:
    query = {"redirect": REDIRECT, "state": "s", "challenge": pkce.challenge_of(VERIFIER)}
    location = (await browser.get("/api/auth/cli", params=query)).headers["location"]
    assert "prompt=consent" in location


async def test_a_code_is_good_once(browser: Browser, program: httpx.AsyncClient) -> None:
    wish = {"code": said(await come_back(browser))["code"], "verifier": VERIFIER}
    assert (await program.post("/api/auth/cli/token", json=wish)).status_code == 200
    again = await program.post("/api/auth/cli/token", json=wish)
    assert (again.status_code, again.json()["code"]) == (401, "CLI_CODE_INVALID")


async def test_a_code_with_another_verifier_is_spent(browser: Browser, program: httpx.AsyncClient) -> None:
    code = said(await come_back(browser))["code"]
    for verifier in ("w" * 50, VERIFIER):
        answer = await program.post("/api/auth/cli/token", json={"code": code, "verifier": verifier})
        assert answer.status_code == 401


async def test_a_code_is_good_for_a_minute(browser: Browser, redis: Store) -> None:
    await come_back(browser)
    (key,) = [key async for key in redis.scan_iter(match="flora:api:cli-code:*")]
    assert 0 < await redis.ttl(key) <= 60


@pytest.mark.parametrize(
    "redirect",
    [
        "https://127.0.0.1:4000/",
        "http://evil.test:4000/",
        "http://127.0.0.1.evil.test:4000/",
        "http://127.0.0.1@evil.test:4000/",
        "http://127.0.0.1/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:4000/#x",
        "http://127.0.0.1:4000/\\x",
        "http://[::1/",
        "javascript:alert(1)",
        "",
        "http://127.0.0.1:4000/" + "x" * 3000,
    ],
)
async def test_codes_go_to_programs_on_the_same_machine_alone(browser: Browser, redirect: str) -> None:
    answer = await come_back(browser, redirect=redirect)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REDIRECT")


@pytest.mark.parametrize("redirect", ["http://localhost:4000", "http://[::1]:4000/a/b"])
async def test_other_names_of_this_machine_do_too(browser: Browser, redirect: str) -> None:
    answer = await come_back(browser, redirect=redirect)
    assert answer.headers["location"].startswith(redirect)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"challenge": "plain"}, "INVALID_CHALLENGE"),
        ({"challenge": "é" * 43}, "INVALID_CHALLENGE"),
        ({"state": ""}, "INVALID_STATE"),
        ({"state": "x" * 501}, "INVALID_STATE"),
    ],
)
async def test_what_a_cli_gets_wrong_is_told(browser: Browser, wrong: dict[str, str], code: str) -> None:
    answer = await come_back(browser, **wrong)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_who_cancels_in_the_browser_lets_the_cli_know(
    browser: Browser, people: SimulatorClient
) -> None:
    await people.sit_at_browser("ada", refuses=True)
    back = said(await come_back(browser))
    assert back["error"] == "access_denied"
    assert "code" not in back


async def test_a_code_that_was_made_up_opens_nothing(program: httpx.AsyncClient) -> None:
    for code in ("", "x", "A" * 43):
        answer = await program.post("/api/auth/cli/token", json={"code": code, "verifier": VERIFIER})
        assert answer.status_code == 401
