from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.api.auth.conftest import redis_server
from tests.integration.api.whole.whole_api import WholeApi
from tests.integration.cli.conftest import bare
from tests.integration.database.conftest import TEMPLATE, postgres
from tests.integration.postgres_server import PostgresServer
from tests.integration.redis_server import RedisServer

__all__ = ["bare", "postgres", "redis_server"]


@pytest.fixture(scope="module")
def whole(postgres: PostgresServer, redis_server: RedisServer) -> Iterator[WholeApi]:
    """One for all tests of a module, which leave nothing behind that others would meet."""
    folder = Path(tempfile.mkdtemp(prefix="flora-whole-"))
    name = f"flora_{secrets.token_hex(4)}"
    url = postgres.create(name, like=TEMPLATE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "flora_api.redis_store.SECONDS", 30.0
        )  # a machine that is busy is no Redis that is away
        with WholeApi(folder, database_url=url, redis=redis_server) as api:
            yield api
    postgres.drop(name)
    shutil.rmtree(folder)
