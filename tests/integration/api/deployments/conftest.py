"""An API of deployments on a real Postgres, with objects in memory and an operator that is played."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest

from flora_api.app import make_app
from flora_api.deployments import Deployments, DeploySettings, open_deployments, router
from flora_api.deployments.memory import MemoryDeployments
from flora_api.deployments.store import Put, StoreGone
from flora_core.database import Database
from flora_core.errors import BundleFailed
from flora_core.toolchain import Built, Bundle, Diagnostic, Project, Toolchain
from flora_core.wire.control import LogLine
from tests.integration.api.played_guard import GUILD, PlayedGuard
from tests.integration.database.conftest import postgres, url  # noqa: F401  fixtures
from tests.waiting import until

GOOD = "on('messageCreate', (ctx) => ctx.reply('pong'))"
PATH = f"/api/deployments/{GUILD}"


class PlayedToolchain(Toolchain):
    """Bundles at once; sources with ``syntax error`` in them are refused."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    async def bundle(self, project: Project) -> Built:
        self.asked += 1
        text = "\n".join(project.files.values())
        if "syntax error" in text:
            found = Diagnostic("Expected identifier", project.entrypoint, 1, 7)
            raise BundleFailed(f"{project.entrypoint}:1:7: error: Expected identifier", [found])
        return Built(Bundle(project.entrypoint, text, '{"version":3}'), [])


class Store(MemoryDeployments):
    """One that can be away."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.applied: list[dict[str, Any]] = []
        self.refuses: Exception | None = None

    async def apply(self, guild: Any, source: Any, *, revision: str, force: bool = False) -> Any:
        self._check()
        if self.refuses is not None and not force:
            raise self.refuses
        self.applied.append(dict(source))
        return await super().apply(guild, source, revision=revision, force=force)

    async def get(self, guild: Any) -> Any:
        self._check()
        return await super().get(guild)

    async def delete(self, guild: Any) -> bool:
        self._check()
        return await super().delete(guild)

    def _check(self) -> None:
        if self.away:
            raise StoreGone("it is away")


def status_of(generation: int, reason: str = "Loaded", **more: Any) -> dict[str, Any]:
    """As the operator writes it."""
    ready = "True" if reason == "Loaded" else "False"
    bundled = "False" if reason == "BundleFailed" else "True"
    at = "2026-01-02T03:04:05Z"

    def condition(kind: str, status: str, reason: str, message: str) -> dict[str, Any]:
        return {
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message,
            "observedGeneration": generation,
            "lastTransitionTime": at,
        }

    return {
        "observedGeneration": generation,
        "conditions": [
            condition("Bundled", bundled, "Bundled" if bundled == "True" else reason, "18 bytes"),
            condition("Assigned", "True", "Assigned", "revision 1 is flora-runtime-0's"),
            condition("Ready", ready, reason, more.pop("message", f"so it is: {reason}")),
        ],
        "assignment": {"pod": "flora-runtime-0", "worker": 1},
        "bundle": {"sha256": "ab" * 32, "bytes": 18},
        "loadedAt": at,
        "subscribedEvents": ["messageCreate"],
        **more,
    }


class Stage:
    """Everything that a test talks to."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.store = Store()
        self.toolchain = PlayedToolchain()
        self.notes: list[LogLine] = []
        """What replicas had written into guilds' logs."""
        self.operates = True
        """Whether the operator takes notice."""

    @asynccontextmanager
    async def replica(self, *, seconds: float = 60.0) -> AsyncIterator[tuple[Deployments, httpx.AsyncClient]]:
        """One of the API, and a client of its own."""
        settings = DeploySettings(seconds=seconds)
        opened = open_deployments(self.database, self.store, self.toolchain, settings, note=self.notes.append)
        async with opened as deployments:
            await until(lambda: deployments.trouble() is None)
            app = make_app(PlayedGuard.of_people(), [router(deployments)])
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app),
                base_url="http://flora.test",
                headers={"Authorization": "Bearer admin"},
            ) as client:
                yield deployments, client

    async def operate(self) -> None:
        """Report of everything that is applied: scripts that throw do not load."""
        async for change in self.store.watch():
            if isinstance(change, Put) and self.operates:
                self.look(change.deployment.guild)

    def look(self, guild: Any) -> None:
        document = self.store._objects[guild]
        generation = document["metadata"]["generation"]
        if document.get("status", {}).get("observedGeneration") == generation:
            return
        text = str(document["spec"]["source"].get("files"))
        if "throws" in text:
            error = {
                "message": "Error: no",
                "stack": "at main (src/main.ts:2:7)",
                "at": "2026-01-02T03:04:05Z",
            }
            self.store.report(guild, status_of(generation, "LoadFailed", lastError=error))
        else:
            self.store.report(guild, status_of(generation))


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:  # noqa: F811
    async with await Database.open(url) as database:
        yield database


@pytest.fixture
async def stage(database: Database) -> AsyncIterator[Stage]:
    stage = Stage(database)
    operating = asyncio.create_task(stage.operate())
    yield stage
    operating.cancel()
    await asyncio.gather(operating, return_exceptions=True)


@pytest.fixture
async def running(stage: Stage) -> AsyncIterator[tuple[Deployments, httpx.AsyncClient]]:
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(stage.replica())


@pytest.fixture
def client(running: tuple[Deployments, httpx.AsyncClient]) -> httpx.AsyncClient:
    return running[1]


@pytest.fixture
def deployments(running: tuple[Deployments, httpx.AsyncClient]) -> Deployments:
    return running[0]


def body(script: str = GOOD, **more: Any) -> dict[str, Any]:
    return {"entry": "src/main.ts", "files": [{"path": "src/main.ts", "contents": script}], **more}


async def deployed(client: httpx.AsyncClient, script: str = GOOD, **more: Any) -> str:
    """The id of a revision that is live."""
    answer = await client.post(PATH, json=body(script, **more))
    assert answer.status_code == 200, answer.text
    revision = answer.json()["revision_id"]
    assert (await settled(client, revision))["status"] == "success"
    return revision


async def settled(client: httpx.AsyncClient, revision: str) -> dict[str, Any]:
    """The revision, once it is pending no more."""
    async with asyncio.timeout(30):
        while True:
            found = (await client.get(f"{PATH}/revisions/{revision}")).json()
            if found["status"] != "pending":
                return found
            await asyncio.sleep(0.05)


def events_in(text: str) -> list[tuple[str, dict[str, Any]]]:
    """Server-sent events as (name, data)."""
    found: list[tuple[str, dict[str, Any]]] = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
        if lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found
