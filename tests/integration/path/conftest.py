from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.path.path_under_test import PathUnderTest


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[PathUnderTest]:
    """The whole path, up."""
    async with PathUnderTest(tmp_path) as under_test:
        yield under_test
