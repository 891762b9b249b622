from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.runtime.worker_under_test import WorkerUnderTest

PORTABLE = """
import flora_runtime.worker.main as worker
from flora_runtime.worker.reactor import PortableReactor
worker.make_reactor = PortableReactor
worker.main()
"""
PROGRAMS = {"eventfd": {}, "portable": {"program": ("-c", PORTABLE)}}


@pytest.fixture(params=PROGRAMS)
async def worker(request: pytest.FixtureRequest) -> AsyncIterator[WorkerUnderTest]:
    """A running worker process with ordinary limits, on either reactor."""
    started = WorkerUnderTest(**PROGRAMS[request.param])
    await started.start()
    yield started
    await started.stop()
