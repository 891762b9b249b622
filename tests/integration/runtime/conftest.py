from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.runtime.worker_under_test import WorkerUnderTest


@pytest.fixture
async def worker() -> AsyncIterator[WorkerUnderTest]:
    """A running worker process with ordinary limits."""
    started = WorkerUnderTest()
    await started.start()
    yield started
    await started.stop()
