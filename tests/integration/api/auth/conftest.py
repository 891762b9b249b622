"""The API's auth in front of a simulated Discord, what of the gateway it needs, a real Postgres and Redis."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import httpx
import pytest
from aiohttp import web
from pydantic import SecretStr

from flora_api import installation
from flora_api.app import make_app
from flora_api.auth.open import Auth, open_auth
from flora_api.edge.edge import with_edge
from flora_api.edge.limits import Limits, Rate, RedisLimits
from flora_api.redis_store import Store, open_redis
from flora_api.settings import ApiSettings
from flora_core.database import Database
from flora_core.identity import Identity, Role, StaticIdentities
from flora_core.streams import Token
from flora_gateway.guild_routes import GuildRoutes
from flora_gateway.rest import Proxy, RestSettings, ScopeMap
from flora_gateway.standings import Standings
from flora_simulator import Simulator, SimulatorClient, SimulatorSettings, WorldSpec
from flora_simulator.world_spec import BotSpec, GuildSpec, MemberSpec, RoleSpec
from tests.integration.database.conftest import empty_url, postgres, url  # noqa: F401
from tests.integration.loopback import listening
from tests.integration.redis_server import RedisServer

GARDEN, ORCHARD, MEADOW, ELSEWHERE = (f"10000000000000010{n}" for n in range(4))
ADA, BOB, EVE, MOD = (f"10000000000000020{n}" for n in range(4))
BOT = "100000000000000004"
OPERATOR = "the-secret-of-who-runs-this"
HERE = "http://flora.test"

_PEOPLE = tuple(MemberSpec(name, id=user) for name, user in (("ada", ADA), ("bob", BOB), ("eve", EVE)))
WORLD = WorldSpec(
    bot=BotSpec(BOT),
    guilds=(
        GuildSpec(
            "garden",
            id=GARDEN,
            owner="ada",
            roles=(RoleSpec("gardeners", permissions="32"), RoleSpec("admins", permissions="8")),
            members=(*_PEOPLE, MemberSpec("mod", id=MOD, roles=("gardeners",))),
        ),
        GuildSpec("orchard", id=ORCHARD, owner="bob", members=_PEOPLE),
        GuildSpec("meadow", id=MEADOW, owner="ada", members=_PEOPLE),
    ),
)
"""ada owns garden and meadow, bob the orchard; mod may manage garden; eve is a member everywhere."""


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    settings = SimulatorSettings(port=0, identify_window_secs=0, rate_limits=False)
    async with Simulator(settings, world=WORLD) as running:
        yield running


@pytest.fixture
async def people(simulator: Simulator) -> AsyncIterator[SimulatorClient]:
    async with SimulatorClient(simulator.url) as client:
        yield client


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    folder = Path(tempfile.mkdtemp(prefix="flora-redis-"))
    server = RedisServer(folder)
    server.start()
    yield server
    server.kill()
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def patient_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy is no Redis that is away."""
    monkeypatch.setattr("flora_api.redis_store.SECONDS", 30.0)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:  # noqa: F811
    """With the deadlines of everyday."""
    async with await Database.open(url) as opened:
        yield opened


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Store]:
    store = open_redis(SecretStr(redis_server.url))
    await store.flushall()
    yield store
    await store.aclose()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


@dataclass
class PlayedGateway:
    """The gateway's answers about guilds; without its shards."""

    standings: Standings
    url: str = ""
    token: str = "token-of-the-api"
    calls: int = 0
    failing: int = 0
    """Answered instead, when it is not 0."""


@asynccontextmanager
async def playing_gateway(simulator: Simulator) -> AsyncIterator[PlayedGateway]:
    """On a port, for as long as the block lasts."""
    settings = RestSettings(api_url=simulator.api_url)
    proxy = Proxy(settings, token=SecretStr(simulator.token), application=BOT, scope=ScopeMap())
    played = PlayedGateway(Standings(proxy.look_up))

    @web.middleware
    async def count(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        played.calls += 1
        if played.failing:
            return web.Response(status=played.failing)
        return await handler(request)

    app = web.Application(middlewares=[count])
    known = StaticIdentities({played.token: Identity(Role.API)})
    GuildRoutes(app, lambda: played.standings, known)
    async with listening(app) as played.url:
        yield played
    await proxy.close()


@pytest.fixture
async def gateway(simulator: Simulator) -> AsyncIterator[PlayedGateway]:
    async with playing_gateway(simulator) as played:
        yield played


@dataclass
class ApiUnderTest:
    """One replica."""

    auth: Auth
    app: Any
    origin: str

    def transport(self, *, address: str = "127.0.0.1") -> httpx.ASGITransport:
        return httpx.ASGITransport(self.app, raise_app_exceptions=True, client=(address, 40_000))


MakeApi = Callable[..., Awaitable[ApiUnderTest]]
Browse = Callable[..., "Browser"]


@pytest.fixture
async def make_api(
    database: Database,
    redis: Store,
    http: aiohttp.ClientSession,
    simulator: Simulator,
    gateway: PlayedGateway,
) -> AsyncIterator[MakeApi]:
    async with AsyncExitStack() as stack:

        async def make(
            *, limits: Limits | None = None, edge: dict[str, Any] | None = None, **given: Any
        ) -> ApiUnderTest:
            usual: dict[str, Any] = {
                "public_url": HERE,
                "gateway_url": gateway.url,
                "discord_url": simulator.url,
                "discord_client_id": BOT,
                "discord_client_secret": simulator.settings.client_secret,
                "operator_secret": OPERATOR,
            }
            settings = ApiSettings(**{**usual, **given})
            counted = limits or RedisLimits(redis)
            auth = await stack.enter_async_context(
                open_auth(
                    settings,
                    database=database,
                    redis=redis,
                    http=http,
                    limits=counted,
                    token=Token(gateway.token),
                )
            )
            app = make_app(auth.guard, [*auth.routers, installation.router()])
            around = with_edge(
                app,
                limits=counted,
                per_address=Rate("address", settings.rate_address),
                trusted_proxies=settings.trusted_proxies,
                **(edge or {}),
            )
            return ApiUnderTest(auth, around, settings.public_url or HERE)

        yield make


@pytest.fixture
async def api(make_api: MakeApi) -> ApiUnderTest:
    return await make_api()


class Browser:
    """What a person has open: cookies, and redirects that are followed."""

    def __init__(self, api: ApiUnderTest, people: SimulatorClient, client: httpx.AsyncClient) -> None:
        self.api = api
        self.people = people
        self.client = client
        self.csrf = ""

    async def log_in(self, user: str) -> httpx.Response:
        """Through Discord; the page that the browser ends on."""
        await self.people.sit_at_browser(user)
        answer = await self.get("/api/auth/login", params={"next": "/api/health"}, follow_redirects=True)
        if answer.status_code == 200:
            self.csrf = (await self.get("/api/auth/me")).json()["csrf"]
        return answer

    async def get(self, path: str, **more: Any) -> httpx.Response:
        return await self.client.get(self._at(path), **more)

    async def change(self, method: str, path: str, **more: Any) -> httpx.Response:
        """As our pages do it: with the header."""
        headers = {"X-Flora-CSRF": self.csrf, "Origin": self.api.origin, **more.pop("headers", {})}
        return await self.client.request(method, self._at(path), headers=headers, **more)

    async def new_token(self, **wish: Any) -> str:
        answer = await self.change("POST", "/api/tokens", json=wish)
        assert answer.status_code == 200, answer.text
        return answer.json()["token"]

    def cookie(self, name: str = "flora_session") -> str:
        return next((cookie.value or "" for cookie in self.client.cookies.jar if cookie.name == name), "")

    def _at(self, path: str) -> str:
        return path if path.startswith("http") else self.api.origin + path


@asynccontextmanager
async def browsing(api: ApiUnderTest, people: SimulatorClient) -> AsyncIterator[Browser]:
    host = urlsplit(api.origin).netloc
    mounts: dict[str, Any] = {f"all://{host}": api.transport(), "all://": httpx.AsyncHTTPTransport()}
    async with httpx.AsyncClient(mounts=mounts, trust_env=False) as client:
        yield Browser(api, people, client)


@pytest.fixture
async def browser(api: ApiUnderTest, people: SimulatorClient) -> AsyncIterator[Browser]:
    async with browsing(api, people) as open_browser:
        yield open_browser


@pytest.fixture
async def program(api: ApiUnderTest) -> AsyncIterator[httpx.AsyncClient]:
    """Something without cookies."""
    async with httpx.AsyncClient(transport=api.transport(), base_url=HERE) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
