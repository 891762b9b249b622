"""The API's port to deployments, where ``flora dev`` has them: over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from flora_api.deployments.store import Change, Complete, Gone, Put, Rejected, StoreGone
from flora_core.control.server import ControlServer
from flora_core.errors import DatabaseGone
from flora_core.ids import GuildId, Sha256
from flora_core.streams import Token, make_session
from flora_core.toolchain import Bundle, Project
from flora_dev.control_app import Tokens
from flora_dev.deployment_routes import DeploymentRoutes
from flora_dev.deployment_wire import PATH
from flora_dev.local_api.store import DevDeployments
from flora_dev.sources import Wanted
from tests.integration.loopback import listening
from tests.unit.dev.test_laptop_deployments import Session
from tests.waiting import until

ONE = GuildId("100000000000000001")
FILES = {"entrypoint": "main.ts", "files": {"main.ts": "one"}}


@dataclass
class PlayedBundles:
    """Bundles without a database."""

    kept: dict[str, bytes] = field(default_factory=dict)
    away: bool = False

    async def get(self, sha256: Sha256) -> bytes | None:
        if self.away:
            raise DatabaseGone("it is away")
        return self.kept.get(sha256)

    async def put(self, bundle: Bundle) -> None:
        self.kept[bundle.sha256] = bundle.to_bytes()


@dataclass
class Both:
    """A session, and the API's side of it."""

    session: Session
    store: DevDeployments
    bundles: PlayedBundles
    url: str
    http: aiohttp.ClientSession
    tokens: Tokens

    async def changes(self, count: int) -> list[Change]:
        found: list[Change] = []
        async with asyncio.timeout(20), aclosing(self.store.watch()) as watched:  # pyright: ignore[reportArgumentType]
            async for change in watched:
                found.append(change)
                if len(found) == count:
                    break
        return found


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Both]:
    session, tokens, bundles = Session(tmp_path), Tokens(), PlayedBundles()
    app = web.Application(client_max_size=8 << 20)
    ControlServer(app, session.controller.state, session.controller, tokens.identities())
    DeploymentRoutes(app, session.it, tokens.identities())
    async with listening(app) as url, make_session() as http:
        store = DevDeployments(http, url, token=Token(tokens.api), bundles=bundles)  # pyright: ignore[reportArgumentType]
        yield Both(session, store, bundles, url, http, tokens)
    await session.it.close()


async def test_what_is_applied_runs_and_is_got_with_its_files(both: Both) -> None:
    applied = await both.store.apply(ONE, FILES, revision="r1", force=True)
    assert (applied.guild, applied.generation, applied.revision) == (ONE, 1, "r1")
    await until(lambda: both.session.controller.state.assignment(ONE))
    found = await both.store.get(ONE)
    assert found is not None
    assert (found[0].uid, found[1]) == (applied.uid, {"main.ts": "one"})
    assert await both.store.delete(ONE)
    assert not await both.store.delete(ONE)
    assert await both.store.get(ONE) is None


async def test_a_bundle_goes_along_with_its_reference(both: Both) -> None:
    bundle = Bundle("main.ts", "given")
    source = {"entrypoint": "main.ts", "bundleRef": {"sha256": bundle.sha256}}
    with pytest.raises(Rejected, match="not kept any more"):
        await both.store.apply(ONE, source, revision="r")
    await both.bundles.put(bundle)
    assert (await both.store.apply(ONE, source, revision="r")).bundle == bundle.sha256
    both.bundles.away = True
    with pytest.raises(StoreGone, match="cannot be read"):
        await both.store.apply(ONE, source, revision="r")


async def test_what_cannot_run_is_rejected_with_the_reason(both: Both) -> None:
    with pytest.raises(Rejected, match="source: "):
        await both.store.apply(ONE, {"entrypoint": "x.ts", "files": {"main.ts": ""}}, revision="r")


async def test_a_large_project_goes_through(both: Both) -> None:
    text = "\N{SNOWMAN}" * 340_000
    await both.store.apply(ONE, {"entrypoint": "main.ts", "files": {"main.ts": text}}, revision="r")
    (put, _) = await both.changes(2)
    assert isinstance(put, Put)
    found = await both.store.get(ONE)
    assert found is not None
    assert found[1] == {"main.ts": text}


async def test_the_watch_tells_what_is_and_what_changes(both: Both) -> None:
    applied = await both.store.apply(ONE, FILES, revision="r1")
    await until(lambda: both.session.controller.state.assignment(ONE))

    async def changes() -> None:
        await asyncio.sleep(0)
        both.session.it.delete(ONE)

    task = asyncio.create_task(both.changes(3))
    await until(lambda: both.session.it._followers)
    await changes()
    put, complete, gone = await task
    assert isinstance(put, Put)
    assert (complete, gone) == (Complete(frozenset({ONE})), Gone(ONE, applied.uid))


async def test_a_watch_that_breaks_begins_anew(both: Both) -> None:
    task = asyncio.create_task(both.changes(2))
    await until(lambda: both.session.it._followers)
    for queue in both.session.it._followers:
        queue.put_nowait(None)  # too far behind
    assert await task == [Complete(frozenset()), Complete(frozenset())]


async def test_a_folders_bundle_is_kept_for_the_history(both: Both) -> None:
    project = Project({"main.ts": "one"}, "main.ts", dependencies={"node_modules/a/index.js": "1"})
    await both.session.it.save(Wanted(ONE, "bot", lambda: project))
    sha256 = Bundle("main.ts", "one").sha256
    (put, _) = await both.changes(2)
    assert isinstance(put, Put)
    assert both.bundles.kept == {sha256: Bundle("main.ts", "one").to_bytes()}


async def test_nobody_there_is_a_store_that_is_gone(both: Both) -> None:
    nobody = DevDeployments(both.http, "http://127.0.0.1:9", token=Token("t"), bundles=both.bundles)  # pyright: ignore[reportArgumentType]
    for call in (nobody.get(ONE), nobody.delete(ONE), nobody.apply(ONE, FILES, revision="r")):
        with pytest.raises(StoreGone):
            await call


@pytest.mark.parametrize("path", ["", f"/{ONE}", f"/{ONE}/bundle"])
async def test_only_the_api_may_ask(both: Both, path: str) -> None:
    for token, status in (("", 401), ("guess", 401), (both.tokens.runtime, 403), (both.tokens.gateway, 403)):
        async with both.http.get(f"{both.url}{PATH}{path}", headers=Token(token).headers()) as response:
            assert response.status == status


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/x", b"{}", 400),
        ("PUT", f"/{ONE}", b"{", 400),
        ("PUT", f"/{ONE}", b'{"source": {}, "revision": "r"}', 400),
        ("PUT", f"/{ONE}", b'{"source": {}, "revision": "r", "bundle": "%"}', 400),
        ("GET", f"/{ONE}", None, 404),
        ("GET", f"/{ONE}/bundle", None, 404),
        ("DELETE", f"/{ONE}", None, 200),
    ],
)
async def test_odd_requests_are_answered(
    both: Both, method: str, path: str, body: bytes | None, status: int
) -> None:
    headers = Token(both.tokens.api).headers()
    async with both.http.request(method, f"{both.url}{PATH}{path}", data=body, headers=headers) as response:
        assert response.status == status
