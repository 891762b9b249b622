"""OAuth2 of the simulated Discord, on raw HTTP."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from simulator_kit import BOB, GUILD

from flora_simulator import Fault, Simulator, SimulatorClient
from flora_simulator.oauth import CODE_SECONDS, Grants, OAuthRefused, s256
from flora_simulator.wire import OAuthState

BACK = "http://127.0.0.1:1/callback?a=b"
VERIFIER = "v" * 43


class App:
    """An application that people log in to."""

    def __init__(self, simulator: Simulator, http: aiohttp.ClientSession, client_id: str) -> None:
        self.simulator = simulator
        self.http = http
        self.client = {"client_id": client_id, "client_secret": simulator.settings.client_secret}

    async def authorize(self, **changed: str) -> tuple[int, dict[str, str]]:
        query = {
            "client_id": self.client["client_id"],
            "response_type": "code",
            "redirect_uri": BACK,
            "scope": "identify guilds",
            "state": "s",
            "code_challenge": s256(VERIFIER),
            "code_challenge_method": "S256",
            **changed,
        }
        url = f"{self.simulator.url}/oauth2/authorize"
        async with self.http.get(url, params=query, allow_redirects=False) as answer:
            said = parse_qs(urlsplit(answer.headers.get("Location", "")).query)
            return answer.status, {name: values[0] for name, values in said.items()}

    async def post(self, path: str, **form: str) -> tuple[int, Any]:
        async with self.http.post(self.simulator.api_url + path, data={**self.client, **form}) as answer:
            return answer.status, await answer.json()

    async def exchange(self, code: str, **changed: str) -> tuple[int, Any]:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
        return await self.post("/oauth2/token", **{**form, "code_verifier": VERIFIER, **changed})

    async def get(self, path: str, token: str) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}"}
        async with self.http.get(self.simulator.api_url + path, headers=headers) as answer:
            return answer.status, await answer.json()

    async def log_in(self, user: str, **changed: str) -> dict[str, Any]:
        _, said = await self.authorize(login=user, **changed)
        status, tokens = await self.exchange(said["code"])
        assert status == 200
        return tokens


@pytest.fixture
def app(simulator: Simulator, http: aiohttp.ClientSession) -> App:
    return App(simulator, http, str(simulator._backend.application_id))


async def test_a_person_lets_an_application_see_who_they_are(app: App) -> None:
    status, said = await app.authorize(login="bob")
    assert status == 302
    assert (said["state"], said["a"]) == ("s", "b")
    tokens = (await app.exchange(said["code"]))[1]
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 604_800)
    status, me = await app.get("/users/@me", tokens["access_token"])
    assert (status, me["id"], me["username"]) == (200, BOB, "bob")


async def test_and_where_they_are(app: App) -> None:
    ada, bob = [await app.log_in(name) for name in ("ada", "bob")]
    _, (hers,) = await app.get("/users/@me/guilds", ada["access_token"])
    _, (his,) = await app.get("/users/@me/guilds", bob["access_token"])
    assert (hers["id"], hers["owner"], his["owner"]) == (GUILD, True, False)
    assert int(hers["permissions"]) & 8
    assert not int(his["permissions"]) & 8


async def test_without_a_name_it_is_who_sits_at_the_browser(app: App, people: SimulatorClient) -> None:
    await people.sit_at_browser("bob")
    _, said = await app.authorize()
    tokens = (await app.exchange(said["code"]))[1]
    assert (await app.get("/users/@me", tokens["access_token"]))[1]["username"] == "bob"
    await people.sit_at_browser("bob", refuses=True)
    assert await app.authorize() == (
        302,
        {"a": "b", "error": "access_denied", "state": "s"}
        | {"error_description": "The resource owner denied the request"},
    )


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_grant"),
        ({"redirect_uri": "http://other"}, "invalid_grant"),
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_id": "1"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
async def test_a_code_takes_everything_that_belongs_to_it(
    app: App, changed: dict[str, str], error: str
) -> None:
    _, said = await app.authorize()
    status, body = await app.exchange(said["code"], **changed)
    assert (status, body["error"]) == (401 if error == "invalid_client" else 400, error)


async def test_a_code_is_good_once(app: App) -> None:
    _, said = await app.authorize()
    assert (await app.exchange(said["code"]))[0] == 200
    assert (await app.exchange(said["code"]))[0] == 400


async def test_a_refresh_token_is_good_once(app: App) -> None:
    first = await app.log_in("ada")
    status, second = await app.post(
        "/oauth2/token", grant_type="refresh_token", refresh_token=first["refresh_token"]
    )
    assert status == 200
    assert (await app.get("/users/@me", first["access_token"]))[0] == 401
    assert (await app.get("/users/@me", second["access_token"]))[0] == 200
    again = await app.post("/oauth2/token", grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert again[0] == 400


async def test_what_is_revoked_is_good_for_nothing(app: App, people: SimulatorClient) -> None:
    tokens = await app.log_in("ada")
    assert await app.post("/oauth2/token/revoke", token=tokens["access_token"]) == (200, {})
    assert (await app.get("/users/@me", tokens["access_token"]))[0] == 401
    assert await people.oauth() == OAuthState(issued=1, live=0, revoked=1)


def test_codes_and_tokens_end() -> None:
    now = 0.0
    grants = Grants(seconds=100, now=lambda: now)
    code, late = (grants.authorize(1, redirect=BACK, scope="identify", challenge="") for _ in range(2))
    access = grants.exchange(code, redirect=BACK, verifier="")["access_token"]
    now = CODE_SECONDS + 1
    with pytest.raises(OAuthRefused, match="invalid_grant"):
        grants.exchange(late, redirect=BACK, verifier="")
    assert grants.holder(access, scope="identify") == 1
    now = 100
    assert grants.holder(access, scope="identify") is None


async def test_a_token_that_is_too_old_can_be_renewed(app: App, people: SimulatorClient) -> None:
    tokens = await app.log_in("ada")
    await people.expire_oauth()
    assert (await app.get("/users/@me", tokens["access_token"]))[0] == 401
    refresh = tokens["refresh_token"]
    status, renewed = await app.post("/oauth2/token", grant_type="refresh_token", refresh_token=refresh)
    assert status == 200
    assert (await app.get("/users/@me", renewed["access_token"]))[0] == 200


async def test_each_scope_opens_its_own(app: App) -> None:
    tokens = await app.log_in("ada", scope="identify")
    assert (await app.get("/users/@me", tokens["access_token"]))[0] == 200
    assert (await app.get("/users/@me/guilds", tokens["access_token"]))[0] == 401


@pytest.mark.parametrize(
    "changed", [{"client_id": "1"}, {"redirect_uri": "javascript:x"}, {"login": "nobody"}]
)
async def test_what_cannot_be_trusted_sends_nobody_anywhere(app: App, changed: dict[str, str]) -> None:
    status, said = await app.authorize(**changed)
    assert (status, said) == (400, {})


async def test_the_bot_is_who_it_was(app: App, http: aiohttp.ClientSession) -> None:
    headers = {"Authorization": f"Bot {app.simulator.token}"}
    async with http.get(f"{app.simulator.api_url}/users/@me", headers=headers) as answer:
        assert (await answer.json())["username"] == "flora"
    async with http.get(f"{app.simulator.api_url}/users/@me") as answer:
        assert answer.status == 401


async def test_faults_happen_here_too(app: App, people: SimulatorClient) -> None:
    await people.add_fault(Fault(path="/oauth2/token", status=503))
    _, said = await app.authorize()
    assert (await app.exchange(said["code"]))[0] == 503
    assert (await app.exchange(said["code"]))[0] == 200
