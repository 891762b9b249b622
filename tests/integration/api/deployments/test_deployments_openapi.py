"""What the OpenAPI document says of these routes is what they do."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import uvicorn
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import response_schema_conformance

from flora_api import builds as builds_api
from flora_api import deployments as deployments_api
from flora_api.app import make_app
from flora_api.builds import open_builds
from flora_api.deployments import open_deployments
from flora_core.database import Database
from flora_core.database.pool import migrate_at
from tests.integration.api.deployments.conftest import PlayedToolchain, Store
from tests.integration.api.played_guard import GUILD, PlayedGuard
from tests.integration.postgres_server import PostgresServer
from tests.waiting import eventually


class Served:
    """The application on a port, in a thread with an event loop of its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.server: uvicorn.Server | None = None
        self.app: FastAPI | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> str:
        self._thread.start()
        eventually(lambda: self.server is not None and self.server.started)
        assert self.server is not None
        return f"http://127.0.0.1:{self.server.servers[0].sockets[0].getsockname()[1]}"

    def __exit__(self, *_error: object) -> None:
        assert self.server is not None
        self.server.should_exit = True
        self._thread.join(30)

    async def _serve(self) -> None:
        toolchain = PlayedToolchain()
        async with (
            await Database.open(self._url) as database,
            open_deployments(database, Store(), toolchain) as deployments,
            open_builds(database, toolchain) as builds,
        ):
            routers = [deployments_api.router(deployments, builds), builds_api.router(builds)]
            self.app = make_app(PlayedGuard.of_people(), routers)
            config = uvicorn.Config(self.app, port=0, log_level="critical", lifespan="off", ws="none")
            self.server = uvicorn.Server(config)
            await self.server.serve()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="flora-postgres-") as folder:
        Path(folder).chmod(0o755)
        postgres = PostgresServer(Path(folder) / "server")
        postgres.start()
        try:
            url = postgres.create("flora_openapi")
            asyncio.run(migrate_at(url, seconds=30))
            with Served(url) as address:
                yield address
        finally:
            postgres.kill()


@pytest.fixture(scope="module")
def schema(address: str) -> Any:
    return schemathesis.openapi.from_url(f"{address}/api-docs/openapi.json")


def test_no_request_makes_it_stumble(schema: Any) -> None:
    """A few requests of each operation, the same ones each time."""
    operations = [each.ok() for each in schema.get_all_operations()]
    assert len(operations) == 14
    for operation in operations:
        _try_out(operation)


def _try_out(operation: Any) -> None:
    @given(case=operation.as_strategy())
    @settings(
        max_examples=10,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def requests(case: Any) -> None:
        if "guild_id" in (case.path_parameters or {}) and case.method != "DELETE":
            case.path_parameters["guild_id"] = GUILD  # most that are made up nobody may see
        if isinstance(case.query, dict) and "wait" in case.query:
            case.query["wait"] = False  # nobody operates here: it would never be ready
        response = case.call(headers={"Authorization": "Bearer admin"}, timeout=30)
        assert response.status_code < 500 or response.status_code == 503, (case, response.text)
        if response.status_code >= 400:
            assert {"message", "code", "details"} == response.json().keys(), response.text
        else:
            case.validate_response(response, checks=[response_schema_conformance])

    requests()
