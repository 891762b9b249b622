"""The two threads that own LevelDB.

Writes are done by one thread, in the order they came: it takes everything that waits, applies it call by
call to one view, and writes the changes as one batch with one fsync; only then is any of them answered. So
a thousand guilds that write at once share a disk flush, and what was acknowledged survives the machine.
Reads have a thread of their own and see what is committed; a guild with writes on their way reads behind
them, so that it always reads what it wrote.

LevelDB allows one process a database, and one handle in it: this is the one.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import plyvel

from flora_core.errors import FloraError
from flora_core.ids import GuildId
from flora_core.telemetry import logger
from flora_runtime.kv import layout
from flora_runtime.kv.calls import KvCall, Read, weight
from flora_runtime.kv.operations import GuildKeys, KvRefused, apply
from flora_runtime.kv.view import View

BATCH_CALLS: Final = 2000
BATCH_BYTES: Final = 8 << 20
SWEEP_SECONDS: Final = 1.0
SWEEP_KEYS: Final = 1000
PROBE_BYTES: Final = 1 << 20
CACHE_BYTES: Final = 32 << 20
WRITE_BUFFER_BYTES: Final = 8 << 20

_log = logger(__name__)


class KvUnavailable(FloraError):
    """The database cannot be opened, or cannot be written."""


Done = Callable[[Any, Exception | None], None]
"""Gets a call's result, or why there is none: KvRefused or KvUnavailable. Called on one of the threads."""


class Job(NamedTuple):
    guild: GuildId
    call: KvCall
    done: Done


class _Exclusive(NamedTuple):
    """Something that the writing thread does by itself."""

    work: Callable[[Committed], None]
    done: Future[None]


class Committed:
    """The database as a reader, and the one handle on it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.handle = self._open()
        self.in_use = threading.Lock()
        """Held by the reading thread while it reads, by the writing one while it opens the handle anew."""

    def _open(self) -> plyvel.DB:
        return plyvel.DB(
            str(self._folder),
            create_if_missing=True,
            lru_cache_size=CACHE_BYTES,
            write_buffer_size=WRITE_BUFFER_BYTES,
            bloom_filter_bits=10,
        )

    def get(self, key: bytes) -> bytes | None:
        return self.handle.get(key)

    def scan(self, start: bytes, stop: bytes) -> Generator[tuple[bytes, bytes]]:
        with self.handle.iterator(start=start, stop=stop) as iterator:
            yield from iterator

    def write(self, changes: dict[bytes, bytes | None]) -> None:
        """All of ``changes`` or nothing, on disk when it returns."""
        with self.handle.write_batch(sync=True) as batch:
            for key, value in changes.items():
                if value is None:
                    batch.delete(key)
                else:
                    batch.put(key, value)

    def recover(self) -> bool:
        """After a write that failed LevelDB takes no other until it is opened anew; whether it was.

        Opening writes, too, so it is tried only when the disk has room again: until then reads go on.
        """
        probe = self._folder / "room"
        try:
            probe.write_bytes(bytes(PROBE_BYTES))
        except OSError:
            return False
        finally:
            with contextlib.suppress(OSError):
                probe.unlink(missing_ok=True)
        with self.in_use:
            self.handle.close()
            self.handle = self._open()
        return True


class Snapshot:
    """The database as it was at one moment; see ``Database.snapshot``."""

    def __init__(self, committed: Committed) -> None:
        self._committed = committed
        with committed.in_use:
            self._handle = committed.handle
            self._snapshot = self._handle.snapshot()

    @contextlib.contextmanager
    def reading(self) -> Generator[Self]:
        """As ``Database.reading``; raises KvUnavailable when the database was opened anew meanwhile."""
        with self._committed.in_use:
            if self._committed.handle is not self._handle or self._handle.closed:
                raise KvUnavailable("kv was opened anew meanwhile; try again")
            yield self

    def get(self, key: bytes) -> bytes | None:
        return self._snapshot.get(key)

    def scan(self, start: bytes, stop: bytes) -> Generator[tuple[bytes, bytes]]:
        with self._snapshot.iterator(start=start, stop=stop) as iterator:
            yield from iterator

    def close(self) -> None:
        """Let LevelDB throw away what has changed since."""
        with self._committed.in_use:
            self._snapshot.close()


class Database:
    """Open from its making until ``close``; raises KvUnavailable. ``submit`` may be called by any thread."""

    def __init__(
        self,
        folder: Path,
        *,
        clock: Callable[[], float] = time.time,
        on_commit: Callable[[int, float], None] = lambda _calls, _seconds: None,
    ) -> None:
        """``on_commit`` hears of each batch, on the writing thread: how many calls, seconds to write it."""
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._committed = Committed(folder)
        except (plyvel.Error, OSError) as error:
            raise KvUnavailable(f"the KV database in {folder} cannot be opened: {error}") from None
        self._broken = False
        self._clock = clock
        self._on_commit = on_commit
        self._writes: deque[Job | _Exclusive] = deque()
        self._reads: deque[Job] = deque()
        self._writing: dict[GuildId, int] = {}
        self._lock = threading.Lock()
        self._write_waits = threading.Condition(self._lock)
        self._read_waits = threading.Condition(self._lock)
        self._closing = False
        self._threads = [
            threading.Thread(target=target, name=name, daemon=True)
            for target, name in ((self._write_all, "kv-write"), (self._read_all, "kv-read"))
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> None:
        """Do ``job`` soon; its ``done`` is called once."""
        with self._lock:
            if self._closing:
                refused = True
            else:
                refused = False
                if isinstance(job.call, Read) and job.guild not in self._writing:
                    self._reads.append(job)
                    self._read_waits.notify()
                else:
                    self._writing[job.guild] = self._writing.get(job.guild, 0) + 1
                    self._writes.append(job)
                    self._write_waits.notify()
        if refused:
            job.done(None, KvUnavailable("the pod stops"))

    def exclusively(self, work: Callable[[Committed], None]) -> None:
        """Let the writing thread do ``work`` when its turn comes, and nothing else meanwhile; wait for it.

        Raises what ``work`` raises, KvUnavailable for errors of the database. Blocks.
        """
        wanted = _Exclusive(work, Future())
        with self._lock:
            if self._closing:
                raise KvUnavailable("the pod stops")
            self._writes.append(wanted)
            self._write_waits.notify()
        wanted.done.result()

    @contextlib.contextmanager
    def reading(self) -> Generator[Committed]:
        """What is committed, for a moment: other reads wait meanwhile. Blocks."""
        with self._committed.in_use:
            yield self._committed

    @contextlib.contextmanager
    def snapshot(self) -> Generator[Snapshot]:
        """What is committed now, to be read bit by bit while others write. Blocks."""
        with contextlib.closing(Snapshot(self._committed)) as taken:
            yield taken

    def close(self) -> None:
        """Finish what was submitted, then let go of the files. Blocks."""
        with self._lock:
            self._closing = True
            self._write_waits.notify()
            self._read_waits.notify()
        for thread in self._threads:
            thread.join()
        self._committed.handle.close()

    # ---------------------------------------------------------------- reading

    def _read_all(self) -> None:
        while True:
            with self._lock:
                while not self._reads and not self._closing:
                    self._read_waits.wait()
                if not self._reads:
                    return
                job = self._reads.popleft()
            with self._committed.in_use:
                outcome = self._attempt(job, View(self._committed))
            job.done(*outcome)

    def _attempt(self, job: Job, view: View) -> tuple[Any, Exception | None]:
        """One call on top of ``view``; nothing of it when it is refused."""
        try:
            return apply(job.call, GuildKeys(view, job.guild, int(self._clock() * 1000))), None
        except KvRefused as refused:
            return None, refused
        except Exception as error:  # noqa: BLE001  whatever it is, the thread goes on and the script hears
            _log.error("kv_call_failed", call=type(job.call).__name__, error=repr(error)[:500])
            return None, KvUnavailable("kv cannot be read now; the pod's log says why")

    # ---------------------------------------------------------------- writing

    def _write_all(self) -> None:
        while True:
            with self._lock:
                if not self._writes and not self._closing:
                    self._write_waits.wait(SWEEP_SECONDS)
                if not self._writes and self._closing:
                    return
                exclusive, jobs = None, list[Job]()
                while self._writes and len(jobs) < BATCH_CALLS:
                    if isinstance(self._writes[0], _Exclusive):
                        break
                    job = self._writes.popleft()
                    assert isinstance(job, Job)
                    jobs.append(job)
                if not jobs and self._writes:
                    exclusive = self._writes.popleft()
            if isinstance(exclusive, _Exclusive):
                self._do(exclusive)
            else:
                self._write_batch(jobs)

    def _do(self, exclusive: _Exclusive) -> None:
        try:
            self._broken = self._broken and not self._committed.recover()
            if self._broken:
                exclusive.done.set_exception(KvUnavailable("kv cannot be written now; the disk is full"))
                return
            exclusive.work(self._committed)
        except (plyvel.Error, OSError) as error:
            _log.error("kv_write_failed", error=str(error))
            self._broken = True
            exclusive.done.set_exception(KvUnavailable(f"kv cannot be written now: {error}"))
        except BaseException as error:  # noqa: BLE001  it is for whoever waits
            exclusive.done.set_exception(error)
        else:
            exclusive.done.set_result(None)

    def _write_batch(self, jobs: list[Job]) -> None:
        view = View(self._committed)
        try:
            self._sweep(view)
        except Exception as error:  # noqa: BLE001  what has expired stays unseen without being swept, too
            _log.error("kv_sweep_failed", error=repr(error)[:500])
        outcomes: list[tuple[Any, Exception | None]] = []
        size = 0
        for number, job in enumerate(jobs):
            before = len(view.changes)
            outcomes.append(self._attempt(job, view))
            if len(view.changes) != before:
                size += weight(job.call)
            if size > BATCH_BYTES and number + 1 < len(jobs):
                with self._lock:  # the rest waits for the next batch, in its order
                    self._writes.extendleft(reversed(jobs[number + 1 :]))
                jobs = jobs[: number + 1]
                break
        failed = self._commit(view, len(jobs))
        with self._lock:
            for job in jobs:
                left = self._writing[job.guild] - 1
                if left:
                    self._writing[job.guild] = left
                else:
                    del self._writing[job.guild]
        for job, (result, error) in zip(jobs, outcomes, strict=True):
            if failed is None or error is not None:
                job.done(result, error)
            elif isinstance(job.call, Read):  # it saw what was not written after all
                job.done(*self._attempt(job, View(self._committed)))
            else:
                job.done(None, failed)

    def _commit(self, view: View, calls: int) -> KvUnavailable | None:
        if not view.changes:
            return None
        started = time.perf_counter()
        try:
            if self._broken:
                self._broken = not self._committed.recover()
            if not self._broken:
                self._committed.write(view.changes)
        except (plyvel.Error, OSError) as error:
            _log.error("kv_write_failed", error=str(error), calls=calls)
            self._broken = True
        if self._broken:
            return KvUnavailable(
                "kv cannot be written now (the pod's disk is full or broken); try again later"
            )
        self._on_commit(calls, time.perf_counter() - started)
        return None

    def _sweep(self, view: View) -> None:
        """Delete what has expired, some at a time."""
        now = int(self._clock() * 1000)
        with contextlib.closing(self._committed.scan(layout.EXPIRY, layout.due_before(now))) as found:
            due = [layout.read_expiry_key(key)[1] for key, _ in islice(found, SWEEP_KEYS)]
        for place in due:
            GuildKeys(view, place.guild, now).write(place.store, place.key, None)
