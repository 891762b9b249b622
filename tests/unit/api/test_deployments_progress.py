"""The stream of progress, over a history that the test plays."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from flora_api.deployments import progress as module
from flora_api.deployments.observed import Observed
from flora_api.deployments.progress import BEAT, progress
from flora_api.deployments.revisions import Revision
from flora_api.deployments.store import Gone, Put
from flora_api.event_stream import encode
from flora_core.errors import DatabaseGone
from flora_core.ids import GuildId
from tests.integration.api.deployments.conftest import events_in
from tests.unit.api.test_deployments_verdict import ASSIGNED, BUNDLED, GUILD, found, revision
from tests.waiting import until


class PlayedHistory:
    """One revision, or a database that is away."""

    def __init__(self, kept: Revision | None) -> None:
        self.kept = kept
        self.away = False
        self.asked = 0

    async def get(self, guild: GuildId, of: UUID) -> Revision | None:
        self.asked += 1
        if self.away:
            raise DatabaseGone("away")
        return self.kept


class Following:
    """A stream that is read as it comes."""

    def __init__(self, history: PlayedHistory, observed: Observed, *, seconds: float = 60.0) -> None:
        self.told: list[bytes] = []
        self.running = asyncio.create_task(self._read(history, observed, seconds))

    async def _read(self, history: Any, observed: Observed, seconds: float) -> None:
        asked = history.kept.id if history.kept is not None else UUID(int=1)
        async for event in progress(history, observed, GUILD, asked, seconds=seconds):
            self.told.append(event)

    def steps(self) -> list[str]:
        return [data["step"] for name, data in self.events() if name == "progress"]

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        return events_in(b"".join(self.told).decode())


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.05)


def test_an_event_is_two_lines_whatever_is_in_it() -> None:
    text = "a\nb\r\nc\u2028d\0e\x85f\u2029g"
    event = encode("failed", {"message": text}).decode()
    assert event.count("\n") == 3
    assert len(event.splitlines()) == 3
    assert events_in(event) == [("failed", {"message": text})]


async def test_each_step_is_told_once_and_those_that_went_by_too() -> None:
    history, observed = PlayedHistory(revision(generation=None, uid=None)), Observed()
    following = Following(history, observed)
    await until(lambda: following.steps() == ["queued"])
    observed.changed(GUILD)
    history.kept = replace(history.kept, generation=2, uid="u1")  # type: ignore[arg-type]
    observed.take(Put(found(BUNDLED, ASSIGNED, ("Ready", "False", "Loading"))))
    observed.take(Put(found(BUNDLED, ASSIGNED, ("Ready", "False", "Loading"))))
    await until(lambda: following.steps()[-1] == "loading")
    assert following.steps() == ["queued", "bundling", "assigned", "loading"]
    finished = history.kept.created + timedelta(milliseconds=1234)
    history.kept = replace(history.kept, status="success", pod="flora-runtime-1", finished=finished)
    observed.changed(GUILD)
    await following.running
    name, data = following.events()[-1]
    assert (name, data["pod"], data["milliseconds"]) == ("ready", "flora-runtime-1", 1234)


async def test_a_failure_is_told_with_its_stack() -> None:
    kept = revision(
        status="failed", error_code="LOAD_FAILED", error="Error: no", error_stack="at main (a.ts:1:1)"
    )
    following = Following(PlayedHistory(kept), Observed())
    await following.running
    assert following.events() == [
        (
            "failed",
            {
                "revision_id": str(kept.id),
                "code": "LOAD_FAILED",
                "message": "Error: no",
                "stack": "at main (a.ts:1:1)",
            },
        )
    ]


@pytest.mark.usefixtures("quick")
async def test_a_revision_that_is_deleted_meanwhile_ends_its_stream() -> None:
    history = PlayedHistory(revision())
    following = Following(history, Observed())
    await until(lambda: following.told)
    history.kept = None
    await following.running
    assert following.events()[-1][1]["code"] == "REVISION_GONE"


@pytest.mark.usefixtures("quick")
async def test_a_database_that_is_away_is_waited_for_with_beats() -> None:
    history = PlayedHistory(revision())
    following = Following(history, Observed())
    await until(lambda: following.told)
    history.away = True
    await until(lambda: following.told.count(BEAT) >= 2)
    history.away = False
    history.kept = replace(history.kept, status="success")  # type: ignore[arg-type]
    await following.running
    assert following.events()[-1][0] == "ready"


@pytest.mark.usefixtures("quick")
async def test_a_stream_does_not_last_for_ever() -> None:
    following = Following(PlayedHistory(revision()), Observed(), seconds=0.2)
    await following.running
    assert following.events()[-1][1]["code"] == "DEPLOY_TIMEOUT"


async def test_an_object_that_vanishes_is_left_to_whoever_settles_it() -> None:
    observed = Observed()
    observed.take(Put(found(BUNDLED)))
    history = PlayedHistory(revision())
    following = Following(history, observed)
    await until(lambda: following.told)
    told = list(following.told)
    asked = history.asked
    observed.take(Gone(GUILD, "u1"))
    await until(lambda: history.asked > asked)
    assert following.told == told
    following.running.cancel()
    await asyncio.gather(following.running, return_exceptions=True)


async def test_nobody_waits_for_a_guild_when_the_stream_is_left() -> None:
    observed = Observed()
    following = Following(PlayedHistory(revision()), observed)
    await until(lambda: following.told)
    assert GUILD in observed._waiting
    following.running.cancel()
    await asyncio.gather(following.running, return_exceptions=True)
    await until(lambda: GUILD not in observed._waiting)
