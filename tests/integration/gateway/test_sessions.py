"""Sessions kept in files and in Redis; neither store ever stops a shard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from flora_gateway.shards.sessions import (
    FileSessionStore,
    RedisSessionStore,
    Session,
    SessionStore,
    TwofoldSessionStore,
)
from tests.integration.redis_server import RedisServer

SESSION = Session("abc", "wss://gateway.example/", 42, 2)


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis; where it listens."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server.url
    server.kill()


@pytest.fixture(params=["file", "redis", "both"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, redis_url: str
) -> AsyncIterator[SessionStore]:
    file = FileSessionStore(tmp_path)
    redis = RedisSessionStore(redis_url, application=request.node.name)
    stores: dict[str, SessionStore] = {"file": file, "redis": redis, "both": TwofoldSessionStore(redis, file)}
    made = stores[request.param]
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


def twofold(folder: Path, redis: str) -> TwofoldSessionStore:
    return TwofoldSessionStore(RedisSessionStore(redis, application="1"), FileSessionStore(folder))


async def test_without_redis_the_file_has_the_session(tmp_path: Path) -> None:
    store = twofold(tmp_path, f"unix://{tmp_path}/nobody.sock")
    await store.save(0, SESSION)
    assert await store.load(0) == SESSION
    await store.close()


async def test_a_pod_without_a_file_finds_the_session_in_redis(tmp_path: Path, redis_url: str) -> None:
    there, here = (twofold(tmp_path / name, redis_url) for name in ("there", "here"))
    await there.save(5, SESSION)
    assert await here.load(5) == SESSION
    await here.save(5, None)
    assert await there.load(5) == SESSION, "its own file; Discord will say whether it can be resumed"
    await there.close()
    await here.close()


@pytest.mark.parametrize(("in_redis", "in_file"), [(10, 20), (20, 10)])
async def test_of_one_session_the_copy_that_is_further_on_counts(
    tmp_path: Path, redis_url: str, in_redis: int, in_file: int
) -> None:
    redis = RedisSessionStore(redis_url, application=f"further-{in_redis}")
    file = FileSessionStore(tmp_path)
    await redis.save(0, Session("abc", "wss://gateway.example/", in_redis, 1))
    await file.save(0, Session("abc", "wss://gateway.example/", in_file, 1))
    found = await TwofoldSessionStore(redis, file).load(0)
    assert found is not None
    assert found.sequence == 20
    await redis.close()


async def test_of_two_sessions_the_one_in_redis_counts(tmp_path: Path, redis_url: str) -> None:
    redis, file = RedisSessionStore(redis_url, application="two"), FileSessionStore(tmp_path)
    await redis.save(0, Session("newer", "wss://gateway.example/", 5, 1))
    await file.save(0, Session("older", "wss://gateway.example/", 500, 1))
    found = await TwofoldSessionStore(redis, file).load(0)
    assert found is not None
    assert found.session_id == "newer"
    await redis.close()


async def test_that_redis_is_gone_is_said_once_and_that_it_is_back_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = RedisServer(tmp_path)
    server.start()
    store = RedisSessionStore(server.url, application="1")
    try:
        await store.save(0, SESSION)
        server.kill()
        for sequence in range(5):
            await store.save(0, Session("abc", "wss://gateway.example/", sequence, 2))
        server.start()
        async with asyncio.timeout(20):  # a try that a slow machine gives up is followed by others
            while await store.load(0) != SESSION:
                await store.save(0, SESSION)
    finally:
        await store.close()
        server.kill()
    said = capsys.readouterr().out
    assert said.count("sessions_without_redis") == 1
    assert said.count("sessions_in_redis_again") == 1
