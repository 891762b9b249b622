"""Discord as people's logins meet it: what is sent, what errors mean, and what is never shown."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr

from flora_api.auth import discord as module
from flora_api.auth.discord import DiscordGone, DiscordOAuth, DiscordRefused, DiscordTokens, User
from tests.integration.loopback import listening

SECRET = "cl1ent-s3cret"
TOKENS = DiscordTokens("acc3ss", "r3fresh", 0.0)


class PlayedDiscord:
    """Answers every path with what the test says."""

    def __init__(self) -> None:
        self.status = 200
        self.body: bytes = b"{}"
        self.headers: dict[str, str] = {}
        self.asked: list[tuple[str, str, dict[str, Any], str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        form = dict(await request.post())
        self.asked.append((request.method, request.path, form, request.headers.get("Authorization", "")))
        return web.Response(status=self.status, body=self.body, headers=self.headers)


@pytest.fixture
def played() -> PlayedDiscord:
    return PlayedDiscord()


@pytest.fixture
async def oauth(played: PlayedDiscord, http: aiohttp.ClientSession) -> AsyncIterator[DiscordOAuth]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", played.answer)
    async with listening(app) as url:
        yield DiscordOAuth(http, url=url, client_id="42", client_secret=SecretStr(SECRET))


async def test_a_code_is_exchanged_with_all_that_belongs_to_it(
    oauth: DiscordOAuth, played: PlayedDiscord
) -> None:
    played.body = b'{"access_token": "a", "refresh_token": "r", "expires_in": 100}'
    tokens = await oauth.exchange("c0de", redirect="http://h/cb", verifier="v")
    assert (tokens.access, tokens.refresh) == ("a", "r")
    assert 90 < tokens.ends_at - time.time() <= 100
    (asked,) = played.asked
    form = {
        "client_id": "42",
        "client_secret": SECRET,
        "grant_type": "authorization_code",
        "code": "c0de",
        "redirect_uri": "http://h/cb",
        "code_verifier": "v",
    }
    assert asked == ("POST", "/api/v10/oauth2/token", form, "")


async def test_tokens_are_renewed_and_revoked(oauth: DiscordOAuth, played: PlayedDiscord) -> None:
    played.body = b'{"access_token": "a2", "refresh_token": "r2", "expires_in": 1}'
    assert (await oauth.refresh(TOKENS)).access == "a2"
    await oauth.revoke(TOKENS)
    (_, _, renewed, _), (_, path, revoked, _) = played.asked
    assert (renewed["grant_type"], renewed["refresh_token"]) == ("refresh_token", "r3fresh")
    assert (path, revoked["token"]) == ("/api/v10/oauth2/token/revoke", "acc3ss")


async def test_a_person_and_his_guilds_are_read(oauth: DiscordOAuth, played: PlayedDiscord) -> None:
    played.body = (
        b'{"id": "1", "username": "ada", "global_name": null, "avatar": "x", "email": "not asked for"}'
    )
    assert await oauth.user(TOKENS) == User("1", "ada", None, "x")
    played.body = (
        b'[{"id": "7", "name": "g", "icon": null, "owner": true, "permissions": "8", "features": []}]'
    )
    (guild,) = await oauth.guilds(TOKENS)
    assert (guild.id, guild.owner, guild.permissions) == ("7", True, "8")
    assert [(path, shown) for _, path, _, shown in played.asked] == [
        ("/api/v10/users/@me", "Bearer acc3ss"),
        ("/api/v10/users/@me/guilds", "Bearer acc3ss"),
    ]


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_refusal_is_a_refusal(oauth: DiscordOAuth, played: PlayedDiscord, status: int) -> None:
    played.status, played.body = status, b'{"error": "invalid_grant"}'
    with pytest.raises(DiscordRefused, match="invalid_grant"):
        await oauth.refresh(TOKENS)


@pytest.mark.parametrize("status", [302, 404, 429, 500, 503])
async def test_anything_else_is_no_answer(oauth: DiscordOAuth, played: PlayedDiscord, status: int) -> None:
    played.status, played.headers = status, {"Location": "http://127.0.0.1:1/"}
    with pytest.raises(DiscordGone):
        await oauth.user(TOKENS)


@pytest.mark.parametrize(("said", "seconds"), [("7", 7), ("0.2", 1), ("9999", 60), ("soon", 2)])
async def test_how_long_to_wait_is_believed_within_bounds(
    oauth: DiscordOAuth, played: PlayedDiscord, said: str, seconds: float
) -> None:
    played.status, played.headers = 429, {"Retry-After": said}
    with pytest.raises(DiscordGone) as error:
        await oauth.user(TOKENS)
    assert error.value.retry_after == seconds


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"id": 5}', b"\xff", b"[" * 100_000])
async def test_an_answer_that_is_none_of_discords_is_no_answer(
    oauth: DiscordOAuth, played: PlayedDiscord, body: bytes
) -> None:
    played.body = body
    with pytest.raises(DiscordGone, match="cannot be read"):
        await oauth.user(TOKENS)


async def test_a_discord_that_takes_too_long_is_given_up(
    oauth: DiscordOAuth, monkeypatch: pytest.MonkeyPatch, http: aiohttp.ClientSession
) -> None:
    monkeypatch.setattr(module, "CALL_SECONDS", 0.05)

    async def hang(reader: Any, writer: Any) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    slow = DiscordOAuth(http, url=f"http://127.0.0.1:{port}", client_id="4", client_secret=SecretStr("s"))
    with pytest.raises(DiscordGone, match="TimeoutError"):
        await slow.user(TOKENS)
    server.close()


async def test_no_error_shows_a_token_or_the_secret(oauth: DiscordOAuth, played: PlayedDiscord) -> None:
    shown = repr(TOKENS) + repr(oauth)
    for status in (400, 500):
        played.status = status
        played.body = f'{{"error": "{SECRET} acc3ss r3fresh"}}'.encode()
        try:
            await oauth.refresh(TOKENS)
        except module.DiscordError as error:
            shown += str(error)
    for secret in (SECRET, "acc3ss", "r3fresh"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("client_id", "secret", "configured"), [("1", "s", True), ("", "s", False), ("1", "", False)]
)
async def test_it_takes_both_to_be_configured(
    http: aiohttp.ClientSession, client_id: str, secret: str, configured: bool
) -> None:
    made = DiscordOAuth(http, url="http://h", client_id=client_id, client_secret=SecretStr(secret))
    assert made.configured is configured


@pytest.mark.parametrize(("browsers", "host"), [("", "inside"), ("http://outside/", "outside")])
async def test_a_browser_is_sent_where_it_can_get(
    http: aiohttp.ClientSession, browsers: str, host: str
) -> None:
    secret = SecretStr("s")
    oauth = DiscordOAuth(http, url="http://inside", browser_url=browsers, client_id="1", client_secret=secret)
    sent = oauth.authorize_url(redirect="http://h/cb", state="s", challenge="c", ask_again=False)
    assert sent.startswith(f"http://{host}/oauth2/authorize?")
