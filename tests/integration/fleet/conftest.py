from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.fleet.fleet import Fleet


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    """Everything up, with the echo script in the one guild."""
    running = Fleet(tmp_path)
    await running.start()
    await running.deploy(
        "on('messageCreate', async (ctx) => { await ctx.reply('re: ' + ctx.msg.content); });"
    )
    await running.ready()
    yield running
    await running.stop()
