"""Guilds for tests of the SDK. Each test has an isolate of its own; V8 starts once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from harness import BARE, BOT_ID, GuildUnderTest

NewGuild = Callable[..., GuildUnderTest]


@pytest.fixture
def new_guild() -> Iterator[NewGuild]:
    """Makes guilds with a configuration of the test's choice."""
    guilds: list[GuildUnderTest] = []

    def make(**configuration: Any) -> GuildUnderTest:
        guilds.append(GuildUnderTest(**configuration))
        return guilds[-1]

    yield make
    for guild in guilds:
        guild.close()


@pytest.fixture
def guild(new_guild: NewGuild) -> GuildUnderTest:
    """A guild without a script, whose bot knows itself."""
    return new_guild(userId=BOT_ID)


@pytest.fixture(scope="module")
def page() -> Iterator[GuildUnderTest]:
    """An isolate that the tests of one module share, for pure functions of the prelude."""
    shared = GuildUnderTest()
    yield shared
    shared.close()


@pytest.fixture(scope="module")
def bare() -> Iterator[GuildUnderTest]:
    """V8 as it comes, to compare with."""
    guild = GuildUnderTest(program=BARE)
    yield guild
    guild.close()
