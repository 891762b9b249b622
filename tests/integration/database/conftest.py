"""One Postgres for all tests of this folder, and for each test a database of its own."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from flora_core.database import Bundles, Database, DatabaseLimits
from flora_core.database.pool import migrate_at
from tests.integration.postgres_server import PostgresServer

TEMPLATE = "flora_template"
QUICK = DatabaseLimits(seconds=2.0, try_seconds=1.0)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Not in pytest's own temporary folder, which nobody but its owner may enter."""
    folder = Path(tempfile.mkdtemp(prefix="flora-postgres-"))
    folder.chmod(0o755)
    server = PostgresServer(folder / "server")
    server.start()
    asyncio.run(migrate_at(server.create(TEMPLATE), seconds=30))
    yield server
    server.kill()
    shutil.rmtree(folder)


@pytest.fixture
def empty_url(postgres: PostgresServer) -> Iterator[str]:
    """A database without anything of flora's."""
    name = f"flora_{secrets.token_hex(4)}"
    yield postgres.create(name)
    postgres.drop(name)


@pytest.fixture
def url(postgres: PostgresServer) -> Iterator[str]:
    """A migrated database."""
    name = f"flora_{secrets.token_hex(4)}"
    yield postgres.create(name, like=TEMPLATE)
    postgres.drop(name)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    async with await Database.open(url, limits=QUICK) as database:
        yield database


@pytest.fixture
def bundles(database: Database) -> Bundles:
    return Bundles(database)
