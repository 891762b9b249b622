"""A site, and a pod's fetch service that may reach it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.integration.fetch.world import Fetcher, Site


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    await site.start()
    yield site
    await site.stop()


@pytest.fixture
async def new_fetcher() -> AsyncIterator[Callable[..., Fetcher]]:
    fetchers: list[Fetcher] = []

    def make(**options: Any) -> Fetcher:
        fetchers.append(Fetcher(**options))
        return fetchers[-1]

    yield make
    for fetcher in fetchers:
        fetcher.service.close()


@pytest.fixture
def fetcher(new_fetcher: Callable[..., Fetcher]) -> Fetcher:
    return new_fetcher()
