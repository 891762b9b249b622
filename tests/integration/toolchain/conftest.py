from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from v8_process import V8

from flora_core.toolchain import Toolchain


@pytest.fixture(scope="session")
def v8() -> Iterator[V8]:
    with V8.started() as isolates:
        yield isolates


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tools() -> AsyncIterator[Toolchain]:
    """Shared by the tests of a module, which therefore run in its loop (``loop_scope="module"``)."""
    async with Toolchain() as toolchain:
        yield toolchain
