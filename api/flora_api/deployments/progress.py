"""The stream that tells how a deploy goes, for whoever asks, from any replica and at any time.

It is read off the revision and the object, so it needs nobody who remembers the deploy, and it may be left
and come back to. Server-sent events (HTML, 9.2); a comment each ten seconds keeps proxies from ending it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import UUID

from flora_api.deployments.history import History
from flora_api.deployments.observed import Observed
from flora_api.deployments.revisions import Revision
from flora_api.deployments.verdict import STEPS, Live, Waiting, judge
from flora_api.event_stream import encode
from flora_core.errors import DatabaseError
from flora_core.ids import GuildId

BEAT_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 2.0
"""How often a revision is read though nothing was heard: another replica may have ended it."""

HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
BEAT: Final = b": beat\n\n"


async def progress(
    history: History, observed: Observed, guild: GuildId, revision: UUID, *, seconds: float
) -> AsyncIterator[bytes]:
    """Events until the revision has ended, or ``seconds`` are over."""
    loop = asyncio.get_running_loop()
    until, beat_at = loop.time() + seconds, loop.time() + BEAT_SECONDS
    teller = _Teller()
    with observed.news(guild) as news:
        while loop.time() < until:
            news.clear()
            try:
                found = await history.get(guild, revision)
            except DatabaseError:
                events, ended = [], False  # it comes back, or the time is up
            else:
                events, ended = teller.tell(found, revision, observed)
            for event in events:
                yield event
            if ended:
                return
            if loop.time() >= beat_at:
                yield BEAT
            if events or loop.time() >= beat_at:
                beat_at = loop.time() + BEAT_SECONDS
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await news.wait()
            except TimeoutError:
                continue
    text = "nothing was heard of its end here; ask for its status"
    yield encode("failed", _failed(revision, "DEPLOY_TIMEOUT", text, ""))


class _Teller:
    """Knows what was told."""

    def __init__(self) -> None:
        self._step = -1
        self._message = ""

    def tell(self, found: Revision | None, revision: UUID, observed: Observed) -> tuple[list[bytes], bool]:
        """What is new, and whether that was all."""
        if found is None:
            return [
                encode("failed", _failed(revision, "REVISION_GONE", "there is no such revision", ""))
            ], True
        if found.status == "success":
            ready = {"revision_id": str(found.id), "pod": found.pod, "milliseconds": found.milliseconds}
            return [encode("ready", {**ready, **_missing(found, observed)})], True
        if found.status == "failed":
            lost = _failed(found.id, found.error_code, found.error, found.error_stack)
            return [encode("failed", lost)], True
        gone = found.uid is not None and observed.is_gone(found.uid)
        verdict = judge(found, observed.get(found.guild), gone=gone)
        return (self._steps(found, verdict) if isinstance(verdict, Waiting) else []), False

    def _steps(self, found: Revision, verdict: Waiting) -> list[bytes]:
        """The step it is at, unless told, and those that went by too fast to be seen."""
        at = STEPS.index(verdict.step)
        if at < self._step or (at == self._step and verdict.message == self._message):
            return []
        passed = range(self._step + 1, at)
        self._step, self._message = at, verdict.message
        return [
            *(_step(found.id, STEPS[step], "") for step in passed),
            _step(found.id, verdict.step, verdict.message),
        ]


def _missing(found: Revision, observed: Observed) -> dict[str, str]:
    """What a script that runs lacks all the same."""
    verdict = judge(found, observed.get(found.guild), gone=False)
    return {"message": verdict.message} if isinstance(verdict, Live) and verdict.message else {}


def _step(revision: UUID, step: str, message: str) -> bytes:
    return encode("progress", {"revision_id": str(revision), "step": step, "message": message})


def _failed(revision: UUID, code: str, message: str, stack: str) -> dict[str, Any]:
    return {"revision_id": str(revision), "code": code, "message": message, "stack": stack}
