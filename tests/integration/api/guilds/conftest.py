from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from flora_core.database import Database
from tests.integration.api.guilds.fleet_of_pods import Api, FleetOfPods
from tests.integration.database.conftest import database, postgres, url

__all__ = ["database", "postgres", "url"]


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[FleetOfPods]:
    """A pod as a process, with nothing deployed."""
    async with FleetOfPods(tmp_path, RUNTIME_CRON_TIMEOUT_SECS="2") as fleet:
        yield fleet


@pytest.fixture
async def api(fleet: FleetOfPods, database: Database) -> AsyncIterator[Api]:
    """The API before it; guild 1 runs a script."""
    await fleet.deploy("1")
    async with fleet.api(database) as api:
        yield api
