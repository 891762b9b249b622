"""Whole guilds out of LevelDB and into it: the same key by key, whole or not at all, and nobody else's business."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from flora_core.ids import GuildId
from flora_core.wire.control import Outcome
from flora_core.wire.export import NO_METADATA, ExportedConduct, ExportedCron, ExportedEntry, export
from flora_runtime.kv import layout, transfer
from flora_runtime.kv.database import Database, KvUnavailable
from flora_runtime.kv.service import KvService, WriteRates
from flora_runtime.kv.transfer import BadImport, Stopped
from flora_runtime.supervisor.crons import Plan
from flora_runtime.supervisor.exports import Besides, Retention, import_file, write_export

ONE, TWO = GuildId("1"), GuildId("2")
NOW = int(time.time() * 1000)
GO = threading.Event()


def value(number: int, *, store: str = "s", expires: int = 0, text: str = "") -> ExportedEntry:
    metadata = Raw(b'{"n":%d}' % number) if number % 2 else NO_METADATA
    return ExportedEntry(store, f"k{number:05}", text or str(number), expires, metadata)


def everything(database: Database, guild: GuildId) -> list[ExportedEntry]:
    return list(transfer.entries(database, guild, stop=GO))


def raw(database: Database) -> dict[bytes, bytes]:
    """Every key of the database."""
    with database.reading() as committed:
        return dict(committed.scan(b"\0", b"\xff"))


def put(database: Database, guild: GuildId, *new: ExportedEntry, tag: str = "h") -> int:
    return transfer.replace(database, guild, new, tag=tag, stop=GO)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "one")
    yield database
    database.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "other")
    yield database
    database.close()


@pytest.mark.parity(78)
def test_what_goes_in_comes_out(database: Database) -> None:
    entries = [value(number, expires=NOW + 10**8 * (number % 3)) for number in range(20)]
    entries[0] = msgspec.structs.replace(entries[0], expires=0)
    entries = [
        entry if entry.expires != NOW else msgspec.structs.replace(entry, expires=0) for entry in entries
    ]
    assert put(database, ONE, *entries) == 20
    assert everything(database, ONE) == entries
    assert transfer.imported(database, ONE) == "h"


def test_an_import_takes_the_place_of_what_was_there(database: Database) -> None:
    put(database, ONE, value(1, expires=NOW + 10**8), value(2, store="t"), tag="before")
    put(database, ONE, value(3), tag="after")
    assert everything(database, ONE) == [value(3)]
    assert transfer.imported(database, ONE) == "after"
    kinds = sorted(key[:1] for key in raw(database))
    assert kinds == [b"d", b"i", b"u", b"u"], "no usage, no expiry of what is gone"


def test_nothing_of_another_guild_is_touched(database: Database) -> None:
    put(database, TWO, value(7, expires=NOW + 10**8))
    before = raw(database)
    put(database, ONE, value(1))
    transfer.wipe(database, ONE)
    assert raw(database) == before


def test_a_wiped_guild_leaves_no_key(database: Database) -> None:
    put(database, ONE, *(value(number, expires=NOW + 10**8 + number) for number in range(100)))
    transfer.wipe(database, ONE)
    assert raw(database) == {}


def test_large_guilds_go_in_chunks(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "CHUNK_KEYS", 7)
    monkeypatch.setattr(transfer, "CHUNK_BYTES", 200)
    entries = [value(number, text="x" * (number % 90)) for number in range(1, 100)]
    put(database, ONE, *entries)
    assert everything(database, ONE) == entries
    transfer.wipe(database, ONE)
    assert raw(database) == {}


def test_what_has_expired_stays_behind(database: Database) -> None:
    put(database, ONE, value(1, expires=NOW - 1000), value(2))
    assert everything(database, ONE) == [value(2)]


BAD = {
    "out of order": [value(2), value(1)],
    "twice": [value(1), value(1)],
    "a store of no name": [value(1, store="")],
    "a store with a slash": [value(1, store="a/b")],
    "a key of no length": [ExportedEntry("s", "", "v")],
    "a key that is too long": [ExportedEntry("s", "k" * 513, "v")],
    "an entry that is too large": [value(1, text="x" * (2 << 20))],
    "an end before the beginning of time": [value(1, expires=-1)],
}


@pytest.mark.parametrize("entries", BAD.values(), ids=BAD)
def test_what_is_no_export_leaves_nothing(database: Database, entries: list[ExportedEntry]) -> None:
    put(database, ONE, value(9))
    with pytest.raises(BadImport):
        put(database, ONE, *entries)
    assert raw(database) == {}


def test_more_than_a_guild_may_have_is_refused(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flora_runtime.kv.limits.GUILD_TOTAL_BYTES", 100)
    with pytest.raises(BadImport, match="more in it than a guild may store"):
        put(database, ONE, *(value(number, text="x" * 30) for number in range(1, 5)))
    assert raw(database) == {}


def test_an_import_that_is_no_longer_wanted_leaves_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "CHUNK_KEYS", 2)
    stop = threading.Event()

    def entries() -> Iterator[ExportedEntry]:
        for number in range(20):
            if number == 10:
                stop.set()
            yield value(number)

    with pytest.raises(Stopped):
        transfer.replace(database, ONE, entries(), tag="h", stop=stop)
    assert raw(database) == {}
    assert transfer.imported(database, ONE) == ""


def test_an_import_that_a_death_cut_off_is_gone_when_the_database_is_opened(tmp_path: Path) -> None:
    """The process is killed in the middle of an import; kill -9, so that nothing is tidied up."""
    child = os.fork()
    if child == 0:
        database = Database(tmp_path / "kv")
        put(database, TWO, value(7))

        def entries() -> Iterator[ExportedEntry]:
            for number in range(20_000):
                if number == 15_000:
                    os.kill(os.getpid(), 9)
                yield value(number)

        transfer.replace(database, ONE, entries(), tag="h", stop=GO)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 9
    database = Database(tmp_path / "kv")
    assert len(raw(database)) > 5000
    assert transfer.imported(database, ONE) == ""
    assert transfer.clean_up(database) == [ONE]
    assert everything(database, ONE) == []
    assert everything(database, TWO) == [value(7)]
    assert transfer.clean_up(database) == []
    database.close()


async def test_a_script_finds_its_values_and_its_quota_where_they_were_brought(tmp_path: Path) -> None:
    one = KvService(tmp_path / "a", rates=WriteRates(writes=10_000))
    for number in range(50):
        await call(one, "kvSet", store="s", key=f"k{number}", value="ü" * number, metadata={"n": number})
    await call(one, "kvSet", store="later", key="x", value="1", ttl=3600)
    await one.settled(ONE)
    file = tmp_path / "export.ndjson"
    await asyncio.to_thread(write_export, file, one.database, ONE, Besides(), stop=GO)
    two = KvService(tmp_path / "b")
    await asyncio.to_thread(
        lambda: import_file(file, two.database, ONE, tag="h", keep=lambda _besides: None, stop=GO)
    )
    for question, args in (
        ("kvStores", {}),
        ("kvList", {"store": "s", "limit": 1000}),
        ("kvList", {"store": "later"}),
        ("kvGet", {"store": "s", "key": "k49"}),
    ):
        assert await call(two, question, **args) == await call(one, question, **args)
    assert await call(two, "kvIncr", store="later", key="x") == 2
    await one.close()
    await two.close()


async def call(service: KvService, name: str, **args: Any) -> Any:
    answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def answer(ok: bool, body: bytes) -> None:
        assert ok, body
        answered.set_result(msgspec.json.decode(body))

    service.call(ONE, name, msgspec.json.encode(args), answer)
    async with asyncio.timeout(5):
        return await answered


async def test_others_write_while_a_large_guild_comes_and_goes(tmp_path: Path) -> None:
    service = KvService(tmp_path / "kv", rates=WriteRates(writes=10_000))
    entries = [value(number, text="x" * 500) for number in range(20_000)]
    bringing = asyncio.create_task(asyncio.to_thread(put, service.database, TWO, *entries))
    written = 0
    while not bringing.done():
        await call(service, "kvSet", store="s", key=f"k{written}", value="x")
        written += 1
    assert await bringing == 20_000
    assert written > 3, "it was not kept waiting for all of it"
    await service.close()


def test_a_closed_database_says_so(tmp_path: Path) -> None:
    database = Database(tmp_path / "kv")
    database.close()
    with pytest.raises(KvUnavailable):
        put(database, ONE, value(1))


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)
jsons = st.recursive(
    st.none() | st.booleans() | st.text(max_size=5),
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.dictionaries(
        texts,
        st.tuples(texts, st.sampled_from([0, NOW + 10**9, NOW + 2 * 10**9]), jsons),
        max_size=15,
    )
)
def test_a_file_brings_every_key_as_it_was(
    database: Database, other: Database, tmp_path: Path, kept: dict[str, tuple[str, int, Any]]
) -> None:
    def entry(key: str) -> ExportedEntry:
        text, expires, metadata = kept[key]
        # as a script's JSON may be: with newlines between its tokens
        pretty = msgspec.json.format(msgspec.json.encode(metadata), indent=2)
        return ExportedEntry("s", key, text, expires, Raw(pretty) if metadata is not None else NO_METADATA)

    put(database, ONE, *(entry(key) for key in sorted(kept, key=str.encode)))
    file = tmp_path / "file.ndjson"
    plans = {"job": Plan("0 8 * * *", 17.0, 3.0, skip=True)}
    conduct = ExportedConduct(3, "ab" * 32, [1700000000.125], Outcome.EXCEEDED_CPU)
    besides = Besides(plans, {"session": 42}, conduct)
    written = write_export(file, database, ONE, besides, stop=GO)
    assert written.bytes == file.stat().st_size
    got = import_file(file, other, ONE, tag="h", keep=lambda _besides: None, stop=GO)
    assert got == besides
    assert written.entries == len(kept)
    brought = {found.key: found for found in everything(other, ONE)}
    assert set(brought) == set(kept)
    for key, (text, expires, metadata) in kept.items():
        assert (brought[key].value, brought[key].expires) == (text, expires)
        assert msgspec.json.decode(bytes(brought[key].metadata) or b"null") == metadata
    assert beside(other) == beside(database)


def beside(database: Database) -> list[bytes]:
    """Usages and expiries, by key: metadata loses its newlines on the way, and with them some bytes."""
    return [key for key in raw(database) if key[:1] in (layout.USAGE, layout.EXPIRY)]


# ------------------------------------------------------------------------------------------------- files


def spoiled(lines: list[bytes]) -> dict[str, bytes]:
    cron = export.encode(ExportedCron("a", "* * * * *", 1.0))
    return {
        "cut off": b"".join(lines[:-1]),
        "empty": b"",
        "an entry short": b"".join([lines[0], *lines[2:]]),
        "another guild's": b"".join(lines).replace(b'"guild":"1"', b'"guild":"2"'),
        "another version": b"".join(lines).replace(b'"version":1', b'"version":2'),
        "no head": b"".join(lines[1:]),
        "no lines": b"{}",
        "garbage": cron + b"\xff\xfe\n",
    }


@pytest.mark.parametrize("how", spoiled([b"", b"", b""]))
def test_a_file_that_is_no_whole_export_is_refused(database: Database, tmp_path: Path, how: str) -> None:
    put(database, ONE, value(1), value(2))
    file = tmp_path / "file.ndjson"
    write_export(file, database, ONE, Besides(), stop=GO)
    file.write_bytes(spoiled(file.read_bytes().splitlines(keepends=True))[how])
    kept: list[Besides] = []
    with pytest.raises(BadImport):
        import_file(file, database, ONE, tag="x", keep=kept.append, stop=GO)
    assert (raw(database), kept) == ({}, [])


def test_what_is_retained_goes_when_its_time_is_over(database: Database, tmp_path: Path) -> None:
    retention = Retention(tmp_path / "retained")
    put(database, ONE, value(1))
    soon, late = retention.file(ONE, hours=1), retention.file(ONE, hours=2)
    for file in (soon, late):
        write_export(file, database, ONE, Besides(), stop=GO)
    assert set(retention.kept()) == {soon, late}
    retention.expire(time.time() + 3600 * 1.5)
    assert set(retention.kept()) == {late}
    import_file(late, database, ONE, tag="back", keep=lambda _besides: None, stop=GO)
    assert everything(database, ONE) == [value(1)]
