"""Backups of a guild and the way back: whole or not at all, whoever dies, and the script waits meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flora_core.ids import GuildId
from flora_core.wire.export import ExportedEntry
from flora_runtime.kv import layout, transfer
from flora_runtime.kv.database import Committed, KvUnavailable
from flora_runtime.kv.service import KvService, WriteRates
from flora_runtime.kv.transfer import BadImport, OverQuota
from flora_runtime.supervisor import backups as backups_module
from flora_runtime.supervisor.backups import Backups, Busy, Elsewhere, Mode, NoRoom, TooLong
from flora_runtime.supervisor.exports import encode_lines
from tests.waiting import until

ONE, TWO = GuildId("1"), GuildId("2")
GO = threading.Event()


def entry(key: str, value: str = "v", *, store: str = "s", expires: int = 0) -> ExportedEntry:
    return ExportedEntry(store, key, value, expires)


def exported(*entries: ExportedEntry, guild: GuildId = ONE) -> bytes:
    ordered = sorted(entries, key=lambda e: (e.store.encode(), e.key.encode()))
    return b"".join(encode_lines(guild, ordered))


class Sent:
    """What comes up, in pieces; the first when the test says so."""

    def __init__(self, data: bytes, *, waits: bool = False) -> None:
        self._pieces = [data[start : start + 100_000] for start in range(0, len(data), 100_000)]
        self.begins = asyncio.Event()
        if not waits:
            self.begins.set()

    async def readany(self) -> bytes:
        await self.begins.wait()
        return self._pieces.pop(0) if self._pieces else b""


class Kept:
    """A pod's storage with its backups; can be ended and begun anew."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self._options = {"every": 0.0001, **options}
        self.away: set[GuildId] = set()
        """Guilds that have left, or are about to."""
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.kv = KvService(self.folder / "kv", rates=WriteRates(writes=100_000))
        self.backups = Backups(self.folder / "backups", self.kv, here=self._here, **self._options)

    def _here(self, guild: GuildId) -> bool:
        return guild not in self.away

    def run(self) -> None:
        self._running = asyncio.create_task(self.backups.run())

    async def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
            self._running = None
        await self.kv.close()

    def begin(self, name: str, guild: GuildId = ONE, **args: Any) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def answer(ok: bool, value: bytes) -> None:
            told = json.loads(value)
            future.set_result(told if ok else RuntimeError(told["code"]))

        self.kv.call(guild, name, json.dumps(args).encode(), answer)
        return future

    async def put(self, *pairs: tuple[str, str], guild: GuildId = ONE, store: str = "s") -> None:
        for key, value in pairs:
            assert await self.begin("kvSet", guild, store=store, key=key, value=value) is True

    async def all(self, guild: GuildId = ONE) -> dict[str, str]:
        found: dict[str, str] = {}
        for store in await self.begin("kvStores", guild):
            page = await self.begin("kvList", guild, store=store["name"], limit=1000)
            for key in page["keys"]:
                got = await self.begin("kvGet", guild, store=store["name"], key=key["name"])
                found[f"{store['name']}/{key['name']}"] = got["value"]
        return found

    async def restore(self, data: bytes, mode: Mode = "merge", guild: GuildId = ONE) -> int:
        return (await self.backups.restore(guild, Sent(data), mode)).keys

    def left_over(self) -> list[str]:
        """Files that are no backups."""
        return [path.name for path in (self.folder / "backups").glob("*/*") if path.suffix != ".ndjson"]


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    kept = Kept(tmp_path)
    kept.start()
    yield kept
    await kept.stop()


# ---------------------------------------------------------------- backups


async def test_a_backup_restores_what_was_there(kept: Kept) -> None:
    await kept.put(("a", "1"), ("b", "2"))
    backup = await kept.backups.create(ONE)
    await kept.put(("a", "changed"), ("c", "new"))
    assert backup.keys == 2
    assert await kept.restore(backup.path.read_bytes(), "replace") == 2
    assert await kept.all() == {"s/a": "1", "s/b": "2"}
    assert kept.left_over() == []


async def test_what_is_written_meanwhile_is_not_in_it(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first chunk is read, then others write: the second has nothing of that."""
    monkeypatch.setattr(transfer, "CHUNK_KEYS", 1)
    await kept.put(("a", "1"), ("b", "1"), ("c", "1"))
    database = kept.kv.database
    with database.snapshot() as snapshot:
        entries = transfer.entries(snapshot, ONE, stop=GO)
        assert next(entries).value == "1"
        await kept.put(("b", "2"), ("d", "2"))
        assert [(found.key, found.value) for found in entries] == [("b", "1"), ("c", "1")]


async def test_a_snapshot_of_a_database_that_was_opened_anew_says_so(kept: Kept) -> None:
    await kept.put(("a", "1"))
    database = kept.kv.database
    with database.snapshot() as snapshot:
        await asyncio.to_thread(database.exclusively, Committed.recover)
        with pytest.raises(KvUnavailable):
            list(transfer.entries(snapshot, ONE, stop=GO))
    assert await kept.all() == {"s/a": "1"}


async def test_the_newest_are_kept(tmp_path: Path) -> None:
    kept = Kept(tmp_path, kept=3)
    kept.start()
    made: list[str] = []
    for number in range(5):
        await kept.put(("n", str(number)))
        made.append((await kept.backups.create(ONE)).id)
        await asyncio.sleep(0.003)  # ids begin with milliseconds
    assert [backup.id for backup in kept.backups.kept(ONE)] == made[:1:-1]
    await kept.stop()


async def test_a_backup_is_found_and_deleted_by_its_id_alone(kept: Kept) -> None:
    backup = await kept.backups.create(ONE)
    assert kept.backups.find(ONE, backup.id) == backup
    assert kept.backups.find(TWO, backup.id) is None
    assert not kept.backups.delete(TWO, backup.id)
    for wrong in ("", "*", "../1", backup.path.name, f"{backup.id}.0"):
        assert kept.backups.find(ONE, wrong) is None
    assert kept.backups.delete(ONE, backup.id)
    assert kept.backups.kept(ONE) == []


async def test_a_guild_that_is_forgotten_leaves_none(kept: Kept) -> None:
    await kept.backups.create(ONE)
    await kept.backups.create(TWO)
    kept.backups.forget(ONE)
    assert (kept.backups.kept(ONE), len(kept.backups.kept(TWO))) == ([], 1)


async def test_backups_have_a_pace(tmp_path: Path) -> None:
    kept = Kept(tmp_path, every=60.0)
    kept.start()
    await kept.backups.create(ONE)
    with pytest.raises(Busy) as busy:
        await kept.backups.create(ONE)
    assert 0 < busy.value.retry_after <= 60
    await kept.backups.create(TWO)
    await kept.restore(exported(entry("a")))  # the pace of restores is another
    with pytest.raises(Busy):
        await kept.restore(exported(entry("a")))
    await kept.stop()


async def test_a_volume_without_room_is_not_filled(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    await kept.put(("a", "1"))
    usage = shutil.disk_usage(kept.folder)
    monkeypatch.setattr(backups_module.shutil, "disk_usage", lambda _path: usage._replace(free=1 << 20))
    with pytest.raises(NoRoom):
        await kept.backups.create(ONE)
    with pytest.raises(NoRoom):
        await kept.restore(exported(entry("b")))
    assert await kept.all() == {"s/a": "1"}
    assert kept.left_over() == []


# ---------------------------------------------------------------- restores


async def test_merging_keeps_what_the_backup_lacks(kept: Kept) -> None:
    await kept.put(("a", "old"), ("b", "old"))
    await kept.put(("z", "old"), store="t")
    assert await kept.restore(exported(entry("b", "new"), entry("c", "new"))) == 2
    assert await kept.all() == {"s/a": "old", "s/b": "new", "s/c": "new", "t/z": "old"}


async def test_replacing_leaves_nothing_else(kept: Kept) -> None:
    await kept.put(("a", "old"))
    await kept.put(("z", "old"), store="t")
    assert await kept.restore(exported(entry("c", "new")), "replace") == 1
    assert await kept.all() == {"s/c": "new"}
    assert [store["keys"] for store in await kept.begin("kvStores")] == [1]


async def test_an_empty_backup_may_be_restored(kept: Kept) -> None:
    await kept.put(("a", "old"))
    assert await kept.restore(exported(), "merge") == 0
    assert await kept.all() == {"s/a": "old"}
    assert await kept.restore(exported(), "replace") == 0
    assert await kept.all() == {}


async def test_other_guilds_keep_theirs(kept: Kept) -> None:
    await kept.put(("a", "theirs"), guild=TWO)
    await kept.restore(exported(entry("a")), "replace")
    assert await kept.all(TWO) == {"s/a": "theirs"}


async def test_what_has_expired_does_not_come_back(kept: Kept) -> None:
    gone, later = int(time.time() * 1000) - 1, int(time.time() * 1000) + 10**8
    assert await kept.restore(exported(entry("a", expires=gone), entry("b", expires=later))) == 1
    assert await kept.all() == {"s/b": "v"}
    (key,) = (await kept.begin("kvList", store="s"))["keys"]
    assert key["expiration"] == later / 1000


def cut(data: bytes) -> bytes:
    return data[: data.rindex(b'{"k":"end"')]


BAD: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "cut off"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0", "line 1"),
    "JSON": (b'{"a": 1}\n', "line 1"),
    "another guild's": (exported(entry("a"), guild=TWO), "no export of guild 1"),
    "cut off": (cut(exported(entry("a"), entry("b"))), "cut off"),
    "one entry less than it says": (
        exported(entry("a"), entry("b")).replace(b'"entries":2', b'"entries":3'),
        "2 entries instead of 3",
    ),
    "out of order": (
        b"".join(encode_lines(ONE, [entry("b"), entry("a")])),
        "not in its order",
    ),
    "the same key twice": (b"".join(encode_lines(ONE, [entry("a"), entry("a")])), "not in its order"),
    "a store that cannot be": (exported(entry("a", store="x/y")), "store"),
    "an entry that is too large": (exported(entry("a", "x" * (3 << 20))), "over the size"),
    "another version's": (exported().replace(b'"version":1', b'"version":9'), "version 1"),
}


@pytest.mark.parametrize("mode", ["merge", "replace"])
@pytest.mark.parametrize("name", BAD)
async def test_what_is_no_backup_changes_nothing(kept: Kept, name: str, mode: Mode) -> None:
    data, why = BAD[name]
    await kept.put(("a", "mine"))
    with pytest.raises(BadImport, match=why):
        await kept.restore(data, mode)
    assert await kept.all() == {"s/a": "mine"}
    assert kept.left_over() == []
    await kept.put(("b", "goes on"))


async def test_more_than_a_guild_may_have_changes_nothing(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer.limits, "GUILD_TOTAL_BYTES", 1000)
    await kept.put(("a", "x" * 600))
    backup = exported(entry("b", "y" * 600))
    with pytest.raises(OverQuota):
        await kept.restore(backup, "merge")
    assert await kept.all() == {"s/a": "x" * 600}
    assert await kept.restore(backup, "replace") == 1  # by itself it fits


async def test_more_than_an_export_can_be_is_not_taken(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backups_module, "EXPORT_LIMIT", 100)
    with pytest.raises(TooLong):
        await kept.restore(exported(entry("a", "x" * 200)))
    assert kept.left_over() == []


async def test_two_at_once_are_refused(kept: Kept) -> None:
    slow = Sent(exported(entry("a")), waits=True)
    first = asyncio.create_task(kept.backups.restore(ONE, slow, "merge"))
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await kept.backups.create(ONE)
    slow.begins.set()
    assert (await first).keys == 1


async def test_a_guild_that_left_while_a_backup_came_up_is_not_written(kept: Kept) -> None:
    await kept.put(("a", "1"))
    slow = Sent(exported(entry("b")), waits=True)
    restoring = asyncio.create_task(kept.backups.restore(ONE, slow, "merge"))
    await asyncio.sleep(0)
    kept.away = {ONE}
    slow.begins.set()
    with pytest.raises(Elsewhere):
        await restoring
    with pytest.raises(Elsewhere):
        await kept.backups.create(ONE)
    assert (await kept.all(), kept.left_over()) == ({"s/a": "1"}, [])


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    old=st.dictionaries(st.sampled_from("abcdef"), st.text(max_size=5), max_size=6),
    new=st.dictionaries(st.sampled_from("abcdef"), st.text(max_size=5), max_size=6),
)
def test_merging_is_what_a_dictionary_does(old: dict[str, str], new: dict[str, str]) -> None:
    def entries(values: dict[str, str]) -> Iterator[ExportedEntry]:
        return (entry(key, values[key]) for key in sorted(values))

    both = transfer.merged(entries(old), entries(new))
    assert {found.key: found.value for found in transfer.checked(ONE, both)} == old | new


# ---------------------------------------------------------------- who else works on the guild


async def test_the_scripts_calls_wait_for_a_restore(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    await kept.put(("n", "1"))
    going, go_on = threading.Event(), threading.Event()
    real = transfer.restore

    def slow(*args: Any, **options: Any) -> None:
        going.set()
        go_on.wait(20)
        real(*args, **options)

    monkeypatch.setattr(transfer, "restore", slow)
    restoring = asyncio.create_task(kept.restore(exported(entry("n", "10")), "replace"))
    await asyncio.to_thread(going.wait, 20)
    waiting = [kept.begin("kvIncr", store="s", key="n") for _ in range(3)]
    other = await kept.begin("kvSet", TWO, store="s", key="k", value="v")
    assert (other, [call.done() for call in waiting]) == (True, [False] * 3)
    go_on.set()
    await restoring
    assert [await call for call in waiting] == [11, 12, 13]


async def test_calls_that_wait_are_bounded(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flora_runtime.kv.service.PENDING_MOST", 5)
    kept.kv.hold(ONE)
    calls = [kept.begin("kvSet", store="s", key=str(n), value="v") for n in range(7)]
    assert [str(await call) for call in calls[5:]] == ["KV_RATE_LIMITED"] * 2
    kept.kv.let_go(ONE)
    assert [await call for call in calls[:5]] == [True] * 5


async def test_whoever_works_on_a_guild_as_a_whole_waits_for_the_others(kept: Kept) -> None:
    order: list[str] = []

    async def work(name: str) -> None:
        async with kept.kv.alone(ONE):
            order.append(f"{name} begins")
            await asyncio.sleep(0.01)
            order.append(f"{name} ends")

    await asyncio.gather(work("a"), work("b"))
    assert order == ["a begins", "a ends", "b begins", "b ends"]


# ---------------------------------------------------------------- deaths


def fails_after(monkeypatch: pytest.MonkeyPatch, writes: int) -> list[int]:
    """From then on every write of whole guilds fails; how many there were."""
    done: list[int] = []
    real = Committed.write

    def write(self: Committed, changes: dict[bytes, bytes | None]) -> None:
        done.append(1)
        if len(done) > writes:
            raise OSError(28, "No space left on device")
        real(self, changes)

    monkeypatch.setattr(Committed, "write", write)
    return done


BEFORE = {f"k{n}": "old" for n in range(6)}
AFTER = {f"s/k{n}": "new" for n in range(3, 9)}


@pytest.mark.parametrize("writes", range(9))
async def test_a_pod_that_dies_in_the_middle_finishes_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """After each number of writes: what there is in the end is the one or the other, and never a mixture."""
    monkeypatch.setattr(transfer, "CHUNK_KEYS", 2)
    monkeypatch.setattr(Committed, "recover", lambda _self: False)
    kept = Kept(tmp_path)
    kept.start()
    await kept.put(*BEFORE.items())
    before = await kept.all()
    backup = exported(*[entry(key.removeprefix("s/"), value) for key, value in AFTER.items()])
    with monkeypatch.context() as patch:
        fails_after(patch, writes)
        try:
            await kept.restore(backup, "replace")
            told = True
        except KvUnavailable:
            told = False
        await kept.stop()
    kept.start()
    begun = bool(kept.kv.unfinished)
    kept.run()
    now = await kept.all()
    await kept.stop()
    if told or begun:
        assert now == AFTER
        assert kept.left_over() == []
    else:
        assert now == before, "nothing had been written"


async def test_a_disk_that_has_room_again_lets_a_restore_finish(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups_module, "AGAIN_SECONDS", 0.01)
    await kept.put(("a", "old"))
    with monkeypatch.context() as patch:
        patch.setattr(Committed, "recover", lambda _self: False)
        fails_after(patch, 1)
        with pytest.raises(KvUnavailable, match="as soon as it can be"):
            await kept.restore(exported(entry("b", "new")), "replace")
        waiting = kept.begin("kvGet", store="s", key="b")
        moving = asyncio.create_task(entered(kept))
        kept.run()
        await asyncio.sleep(0.05)
        assert (waiting.done(), moving.done()) == (False, False)
    assert (await waiting)["value"] == "new"
    await moving
    assert (kept.kv.unfinished, await kept.all()) == ({}, {"s/b": "new"})


async def entered(kept: Kept) -> None:
    """As a move to another pod: it must not see half of a restore."""
    async with kept.kv.alone(ONE):
        pass


async def test_a_restore_whose_file_is_lost_lets_the_guild_go_on(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.start()
    await kept.put(("a", "1"))
    mark = {layout.import_key(ONE): layout.RESTORING + b"restore-0.result"}
    await asyncio.to_thread(kept.kv.database.exclusively, lambda c: c.write(mark))
    await kept.stop()
    kept.start()
    kept.run()
    assert await kept.all() == {"s/a": "1"}
    assert kept.kv.unfinished == {}
    await kept.stop()


async def test_what_a_process_left_half_done_is_deleted_by_the_next(kept: Kept) -> None:
    backup = await kept.backups.create(ONE)
    names = ["restore-1.came", "restore-1.result", "9-00000000.new", "9-00000000.part"]
    for name in names:
        (backup.path.parent / name).write_text("x")
    kept.run()
    await until(lambda: not kept.left_over())
    assert kept.backups.kept(ONE) == [backup]


def lines(entries: Iterable[ExportedEntry]) -> int:
    return sum(1 for _ in entries)


async def test_a_guild_with_many_values_is_backed_up_and_restored(kept: Kept) -> None:
    many = [entry(f"k{number:05}", "x" * 100) for number in range(12_000)]
    await asyncio.to_thread(transfer.replace, kept.kv.database, ONE, many, tag="h", stop=GO)
    backup = await kept.backups.create(ONE)
    assert backup.keys == 12_000
    assert await kept.restore(backup.path.read_bytes(), "merge") == 12_000
    found = transfer.entries(kept.kv.database, ONE, stop=GO)
    assert await asyncio.to_thread(lines, found) == 12_000
    assert await kept.begin("kvStores") == [{"name": "s", "keys": 12_000, "bytes": 12_000 * 106}]
