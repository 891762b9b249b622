"""Who dials, as a real control server says: for processes that cannot ask the API server themselves."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from flora_core.control.server import ControlServer
from flora_core.control.state import DesiredState
from flora_core.identity import CannotIdentify, Identity, Role
from flora_core.identity_cache import ReviewLimits
from flora_core.ids import PodName, Sha256
from flora_core.remote_identities import RemoteIdentities, TokenIs, WhoseToken
from flora_core.streams import Token
from flora_core.wire.control import GatewayNews, LogLine, PodReport
from flora_operator.server import make_app
from tests.integration.loopback import listening

RUNTIME, API = "token-of-the-pod", "token-of-the-api"
QUICK = ReviewLimits(seconds=1.0)


class Clock:
    """Time that a test moves on."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class Known:
    """Identities of a test: how often they were asked, and whether they can answer."""

    def __init__(self) -> None:
        self.tokens = {
            RUNTIME: Identity(Role.RUNTIME, "flora-runtime-0"),
            API: Identity(Role.API),
            "token-of-the-gateway": Identity(Role.GATEWAY),
        }
        self.asked: list[str] = []
        self.blind = False

    async def identify(self, token: str) -> Identity | None:
        self.asked.append(token)
        if self.blind and token not in (RUNTIME, API):
            raise CannotIdentify("nobody knows")
        return self.tokens.get(token)


class Nothing:
    """A controller with nothing to control."""

    async def bundle(self, sha256: Sha256) -> bytes | None:
        return None

    def on_report(self, pod: PodName, report: PodReport) -> None: ...

    def on_gateway_report(self, report: GatewayNews) -> None: ...

    def on_log(self, pod: PodName, line: LogLine) -> None: ...


class Operator:
    """A control server that can go away and come back."""

    def __init__(self) -> None:
        self.known = Known()
        self.answer: web.Response | None = None
        """What is answered to every question instead."""
        self._port = 0
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        @web.middleware
        async def instead(request: web.Request, handler: object) -> web.StreamResponse:
            if self.answer is not None:
                return web.Response(status=self.answer.status, body=self.answer.body)
            return await handler(request)  # type: ignore[operator]

        app = web.Application(middlewares=[instead])
        ControlServer(app, DesiredState(), Nothing(), self.known)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


@pytest.fixture
async def operator() -> AsyncIterator[Operator]:
    operator = Operator()
    await operator.start()
    yield operator
    await operator.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def remote(operator: Operator, clock: Clock) -> AsyncIterator[RemoteIdentities]:
    async with RemoteIdentities(operator.url, token=Token(RUNTIME), limits=QUICK, clock=clock) as remote:
        yield remote


def ending(seconds: float) -> str:
    """A token that says when it ends, as a ServiceAccount's does."""
    claims = json.dumps({"exp": time.time() + seconds}).encode()
    return f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.c2ln"


def asked_about(operator: Operator, token: str) -> int:
    return operator.known.asked.count(token)


async def test_a_token_is_whose_the_operator_says(remote: RemoteIdentities) -> None:
    assert await remote.identify(API) == Identity(Role.API)
    assert await remote.identify(RUNTIME) == Identity(Role.RUNTIME, "flora-runtime-0")
    assert await remote.identify("somebody") is None


async def test_an_answer_counts_for_a_while(
    remote: RemoteIdentities, operator: Operator, clock: Clock
) -> None:
    for _ in range(3):
        await remote.identify(API)
        await remote.identify("somebody")
    assert (asked_about(operator, API), asked_about(operator, "somebody")) == (1, 1)
    clock.ahead = 11
    await remote.identify(API)
    await remote.identify("somebody")
    assert (asked_about(operator, API), asked_about(operator, "somebody")) == (1, 2)
    clock.ahead = 61
    await remote.identify(API)
    assert asked_about(operator, API) == 2


async def test_calls_at_once_wait_for_one_answer(remote: RemoteIdentities, operator: Operator) -> None:
    found = await asyncio.gather(*[remote.identify(API) for _ in range(50)])
    assert set(found) == {Identity(Role.API)}
    assert asked_about(operator, API) == 1


async def test_a_yes_counts_on_while_the_operator_is_away(
    remote: RemoteIdentities, operator: Operator, clock: Clock
) -> None:
    token = ending(600)
    operator.known.tokens[token] = Identity(Role.API)
    assert await remote.identify(token) == Identity(Role.API)
    await operator.stop()
    clock.ahead = 300
    assert await remote.identify(token) == Identity(Role.API)
    with pytest.raises(CannotIdentify):
        await remote.identify("never-seen")
    clock.ahead = 595
    with pytest.raises(CannotIdentify):
        await remote.identify(token)


async def test_an_operator_that_is_back_is_asked_again(remote: RemoteIdentities, operator: Operator) -> None:
    await operator.stop()
    with pytest.raises(CannotIdentify):
        await remote.identify(API)
    await operator.start()
    assert await remote.identify(API) == Identity(Role.API)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (web.Response(status=401), "FLORA_SERVICE_ACCOUNTS"),
        (web.Response(status=403), "FLORA_SERVICE_ACCOUNTS"),
        (web.Response(status=404), "404"),
        (web.Response(status=503), "503"),
        (web.Response(body=b"{"), "cannot be read"),
        (web.Response(body=b'{"role":"king"}'), "cannot be read"),
    ],
)
async def test_what_is_no_answer_lets_nobody_in_and_turns_nobody_away(
    remote: RemoteIdentities, operator: Operator, answer: web.Response, says: str
) -> None:
    operator.answer = answer
    with pytest.raises(CannotIdentify, match=says):
        await remote.identify(API)
    operator.answer = None
    assert await remote.identify(API) == Identity(Role.API)


@pytest.mark.parametrize("token", ["ä", "a\nb", "\udcff", "x" * 20_000])
async def test_what_cannot_be_a_token_is_not_asked_about(
    remote: RemoteIdentities, operator: Operator, token: str
) -> None:
    assert await remote.identify(token) is None
    assert operator.known.asked == []


async def test_our_own_token_is_read_anew(operator: Operator, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old")
    async with RemoteIdentities(operator.url, token=Token(file=file), limits=QUICK) as remote:
        with pytest.raises(CannotIdentify):
            await remote.identify(API)
        file.write_text(RUNTIME)
        assert await remote.identify(API) == Identity(Role.API)


# ---------------------------------------------------------------- the operator's side


async def ask(url: str, token: str, body: bytes = b'{"token":"x"}') -> tuple[int, bytes]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/v1/identities", data=body, headers=headers) as response,
    ):
        return response.status, await response.read()


@pytest.mark.parametrize(
    ("token", "status"), [("", 401), ("who", 401), ("token-of-the-gateway", 403), (RUNTIME, 200), (API, 200)]
)
async def test_runtime_pods_and_the_api_may_ask(operator: Operator, token: str, status: int) -> None:
    assert (await ask(operator.url, token))[0] == status


async def test_nobodys_token_has_no_role(operator: Operator) -> None:
    assert await ask(operator.url, RUNTIME) == (200, b'{"role":null,"pod":""}')


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"token":1}', b"\xff"])
async def test_a_question_without_a_token_is_refused(operator: Operator, body: bytes) -> None:
    assert (await ask(operator.url, RUNTIME, body))[0] == 400


async def test_what_cannot_be_known_now_is_no_no(operator: Operator) -> None:
    operator.known.blind = True
    assert (await ask(operator.url, RUNTIME))[0] == 503


def test_a_question_does_not_show_its_token() -> None:
    assert "secret" not in repr(WhoseToken("secret"))
    assert TokenIs() == TokenIs(None, "")


async def test_the_api_may_follow_the_routes(operator: Operator) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{operator.url}/v1/routes", headers={"Authorization": f"Bearer {API}"}) as response,
    ):
        assert response.status == 200
        assert b'"k":"routes"' in await response.content.readline()


async def test_an_operator_that_does_not_know_the_cluster_yet_knows_tokens_all_the_same() -> None:
    app, _ = make_app(DesiredState(), Nothing(), Known(), unsynced=lambda: "not yet", healthy=lambda: None)
    async with listening(app) as url, aiohttp.ClientSession() as session:
        assert (await ask(url, RUNTIME))[0] == 200
        headers = {"Authorization": f"Bearer {API}"}
        async with session.get(f"{url}/v1/routes", headers=headers) as response:
            assert response.status == 503
