from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.handoff.moving_fleet import MovingFleet


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[MovingFleet]:
    """Everything up, with the echo script in the one guild, on the first pod."""
    running = MovingFleet(tmp_path)
    try:
        await running.start()
        await running.ready()
        await running.place()
        yield running
    finally:
        await running.stop()
