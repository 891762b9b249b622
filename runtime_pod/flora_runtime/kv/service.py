"""The supervisor's side of KV: a script's calls in, answers out, and how often it may ask."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Raw

from flora_core.errors import InvalidInput
from flora_core.ids import GuildId
from flora_core.telemetry import logger
from flora_core.window import SlidingWindow
from flora_core.wire.gateway import OpError
from flora_runtime.kv import calls, limits, metrics
from flora_runtime.kv.database import Database, Job, KvUnavailable
from flora_runtime.kv.operations import KvRefused
from flora_runtime.kv.transfer import clean_up, unfinished_restores

Answer = Callable[[bool, bytes], None]
"""Whether it worked, and JSON: the result, or an ``OpError``."""

PENDING_MOST: Final = 1000
"""Calls of one guild that may wait at a time."""

HOUSEKEEPING_SECONDS: Final = 5.0
SETTLE_POLL_SECONDS: Final = 0.005

_log = logger(__name__)
_encode: Final = msgspec.json.Encoder().encode


class _Finished(NamedTuple):
    """A call on its way back from the database's threads."""

    guild: GuildId
    answer: Answer
    text: bytes
    error: Exception | None


class WriteRates:
    """Counts the writes to each store within a sliding window. Pure."""

    def __init__(self, *, writes: int = limits.WRITES, seconds: float = limits.WRITE_SECONDS) -> None:
        self._writes = writes
        self._seconds = seconds
        self._marks: dict[tuple[GuildId, str], SlidingWindow] = {}

    def take(self, guild: GuildId, store: str, now: float, *, count: int = 1) -> float:
        """Count ``count`` writes; seconds to wait if that were too many, and then nothing is counted."""
        window = self._marks.get((guild, store))
        if window is None:
            window = self._marks[guild, store] = SlidingWindow(self._writes, seconds=self._seconds)
        wait = window.opens_at(now, count=count) - now
        if not wait:
            window.mark(now, count=count)
        return wait

    def forget_idle(self, now: float) -> None:
        """Free what is known of stores that were not written for a while."""
        for key in [key for key, window in self._marks.items() if not window.count(now)]:
            del self._marks[key]


class _Turn:
    """Who may work on a guild as a whole; and how many want to."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.wanted = 0


class KvService:
    """One a pod. Belongs to the loop it is made in.

    What works on a guild's values as a whole (an export for another pod, a restore) does so ``alone``; while
    they are replaced, the guild's calls are ``held``, and carried out when they are through.

    A database that cannot be opened (another pod is still closing it, the volume is broken) is tried again
    and again; scripts run meanwhile, and their calls are refused with KV_UNAVAILABLE.
    """

    def __init__(self, folder: Path, *, rates: WriteRates | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._folder = folder
        self._rates = rates or WriteRates()
        self._pending: dict[GuildId, int] = {}
        self._finished: deque[_Finished] = deque()
        self._waking = False
        self._turns: dict[GuildId, _Turn] = {}
        self._held: dict[GuildId, list[Callable[[], None]]] = {}
        self.unfinished: dict[GuildId, str] = {}
        """Guilds whose restore has begun and is not through, and the file that has their values; their calls
        are held."""
        self._finished_one = asyncio.Event()
        self._database: Database | None = None
        self._try_to_open()

    async def run(self) -> None:
        """Keep house until cancelled."""
        while True:
            await asyncio.sleep(HOUSEKEEPING_SECONDS)
            self._rates.forget_idle(time.monotonic())
            if self._database is None:
                self._try_to_open()

    def call(self, guild: GuildId, name: str, args: Raw | bytes, answer: Answer) -> None:
        """Carry out the op ``name`` of a script; ``answer`` is called once, now or later."""
        metrics.calls[name].inc()
        try:
            call = calls.parse_call(name, args)
            database = self._admit(guild, call)
        except InvalidInput as error:
            _fail(answer, OpError("INVALID_INPUT", f"Invalid input for {error}"))
            return
        except KvRefused as refused:
            _fail(answer, _error_of(refused))
            return
        if guild in self._held:
            self._held[guild].append(lambda: self._submit(database, guild, call, answer))
        else:
            self._submit(database, guild, call, answer)

    def _submit(self, database: Database, guild: GuildId, call: calls.KvCall, answer: Answer) -> None:
        self._pending[guild] = self._pending.get(guild, 0) + 1

        def done(result: Any, error: Exception | None) -> None:  # on a thread of the database
            text = _encode(result) if error is None else b""
            self._finished.append(_Finished(guild, answer, text, error))
            if not self._waking:  # the loop is woken once for a batch, not for each of its calls
                self._waking = True
                self._loop.call_soon_threadsafe(self._answer_all)

        database.submit(Job(guild, call, done))

    async def settled(self, guild: GuildId) -> None:
        """Return when all calls of ``guild`` have their answers; give it a deadline."""
        while guild in self._pending:
            await asyncio.sleep(SETTLE_POLL_SECONDS)

    @contextlib.asynccontextmanager
    async def alone(self, guild: GuildId, *, finishing: bool = False) -> AsyncGenerator[None]:
        """Wait for others that work on ``guild`` as a whole, and keep them waiting meanwhile.

        Nobody gets to work on a guild whose restore is not through, but who is ``finishing`` it.
        """
        turn = self._turns.setdefault(guild, _Turn())
        turn.wanted += 1
        try:
            while True:
                async with turn.lock:
                    if finishing or guild not in self.unfinished:
                        yield
                        return
                    through = self._finished_one
                await through.wait()
        finally:
            turn.wanted -= 1
            if not turn.wanted:
                del self._turns[guild]

    def hold(self, guild: GuildId) -> None:
        """Let the guild's calls wait from now on."""
        self._held.setdefault(guild, [])

    def let_go(self, guild: GuildId) -> None:
        """Carry out what was held; a restore of the guild is through, or never was."""
        if self.unfinished.pop(guild, None) is not None:
            through, self._finished_one = self._finished_one, asyncio.Event()
            through.set()
        for submit in self._held.pop(guild, []):
            submit()

    @property
    def database(self) -> Database:
        """For those that move whole guilds; raises KvUnavailable."""
        if self._database is None:
            raise KvUnavailable("kv is not available on this pod now")
        return self._database

    async def close(self) -> None:
        """Write what is left and close the database."""
        if self._database is not None:
            await asyncio.to_thread(self._database.close)

    def _try_to_open(self) -> None:
        try:
            self._database = Database(self._folder, on_commit=self._committed)
            for guild in clean_up(self._database):
                _log.info("unfinished_import_deleted", guild_id=guild)
            self.unfinished = unfinished_restores(self._database)
            for guild in self.unfinished:
                self.hold(guild)
        except KvUnavailable as error:
            _log.error("kv_unavailable", error=str(error))

    def _admit(self, guild: GuildId, call: calls.KvCall) -> Database:
        """The database, when ``call`` may be made now; else raises KvRefused."""
        if self._database is None:
            raise KvRefused("KV_UNAVAILABLE", "kv is not available on this pod now; try again later")
        if self._pending.get(guild, 0) + len(self._held.get(guild, ())) >= PENDING_MOST:
            raise KvRefused("KV_RATE_LIMITED", f"more than {PENDING_MOST} kv calls wait already; await them")
        counted: dict[str, int] = {}
        for step in call.steps if isinstance(call, calls.Transact) else [call]:
            if isinstance(step, calls.Set | calls.Incr | calls.CompareAndSet):
                counted[step.store] = counted.get(step.store, 0) + 1
            elif isinstance(step, calls.Bulk):
                counted[step.store] = math.ceil(len(step.put) / limits.BULK_KEYS_A_WRITE)
        now = time.monotonic()
        for store, count in counted.items():
            wait = self._rates.take(guild, store, now, count=count)
            if wait:
                text = (
                    f"kv write rate limit exceeded; retry later: {limits.WRITES} writes a minute to one store"
                )
                raise KvRefused("KV_RATE_LIMITED", text, retry_after=round(wait, 3))
        return self._database

    def _answer_all(self) -> None:
        self._waking = False  # before looking: what is added from now on wakes the loop again
        while self._finished:
            guild, answer, text, error = self._finished.popleft()
            left = self._pending[guild] - 1
            if left:
                self._pending[guild] = left
            else:
                del self._pending[guild]
            if error is None:
                answer(True, text)
            else:
                _fail(answer, _error_of(error))

    def _committed(self, count: int, seconds: float) -> None:
        metrics.commit_calls.observe(count)
        metrics.commit_seconds.observe(seconds)


def _error_of(error: Exception) -> OpError:
    if isinstance(error, KvRefused):
        return OpError(error.code, str(error), retry_after=error.retry_after)
    assert isinstance(error, KvUnavailable)
    return OpError("KV_UNAVAILABLE", str(error))


def _fail(answer: Answer, error: OpError) -> None:
    metrics.refused[error.code].inc()
    answer(False, _encode(error))
