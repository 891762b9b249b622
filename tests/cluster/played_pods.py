"""Runtime pods as far as the operator sees them: they follow their desired state, and say what became of it.

Played by the test, over the real streams. What a script does is written in its bundle: one with ``throws`` in it
fails to load.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self

import aiohttp

from flora_core.errors import WireError
from flora_core.streams import KeptWriter, Token, follow, make_session
from flora_core.wire.control import (
    Assign,
    Assignment,
    Beat,
    Failed,
    Loaded,
    Outcome,
    Release,
    ScriptError,
    Secret,
    Secrets,
    Snapshot,
    desired,
    reports,
)


class PlayedPod:
    """One pod; an async context manager."""

    def __init__(self, url: str, name: str, *, token: str, quiet: bool = False) -> None:
        """``quiet``: it never says that it has loaded anything."""
        self.name = name
        self.quiet = quiet
        self.runs: dict[str, Assignment] = {}
        self.secrets: dict[str, list[Secret]] = {}
        self.heard: list[str] = []
        """What it was told, as ``kind guild``."""
        self.snapshots = 0
        self.refusals: list[str] = []
        self._url = url
        self._token = Token(token)
        self._latest: dict[str, Loaded | Failed] = {}
        self._at = (0, "")
        self._tasks: list[asyncio.Task[Any]] = []
        self._reports = KeptWriter(
            f"{url}/v1/pods/{name}/reports",
            token=self._token,
            beat=reports.encode(Beat(0)),
            greet=lambda write: [write(reports.encode(report)) for report in self._latest.values()] and None,
        )

    async def __aenter__(self) -> Self:
        self._session = make_session()
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._tell())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()

    def report(self, report: Loaded | Failed) -> None:
        self._latest[report.guild] = report
        self._reports.write(reports.encode(report))

    def quarantine(self, guild: str, message: str) -> None:
        """The script went over its limits too often."""
        told = self.runs[guild]
        error = ScriptError(message, "at loop (src/main.ts:3:1)")
        self.report(Failed(guild, told.revision, told.bundle, Outcome.EXCEEDED_CPU, error, quarantined=True))

    def load(self, assignment: Assignment) -> None:
        if self.quiet:
            return
        if self.script(assignment).find("throws") >= 0:
            error = ScriptError("Error: thrown at load", "at main (src/main.ts:2:7)")
            failed = Failed(
                assignment.guild, assignment.revision, assignment.bundle, Outcome.EXCEPTION, error
            )
            self.report(failed)
        else:
            told = (assignment.guild, assignment.revision, assignment.bundle)
            crons = self.script(assignment).count("cron(")
            self.report(Loaded(*told, 1, 3.0, ["messageCreate"], crons=crons))

    def script(self, assignment: Assignment) -> str:
        return self.scripts.get(assignment.bundle, "")

    scripts: dict[str, str]
    """Bundles by hash, shared with the bundler."""

    async def _follow(self) -> None:
        await follow(
            self._session,
            f"{self._url}/v1/pods/{self.name}/desired",
            token=self._token,
            params=lambda: {"after": self._at[0], "epoch": self._at[1]},
            take=self._take,
            on_error=_wrong,
            on_broken=lambda error: self.refusals.append(str(error)),
        )

    async def _tell(self) -> None:
        await self._reports.run(self._session, lambda _error: None)

    async def _take(self, lines: list[bytes]) -> None:
        for line in lines:
            frame = desired.decode(line)
            self._at = (frame.revision, self._at[1])
            if isinstance(frame, Snapshot):
                self._at = (frame.revision, frame.epoch)
                self._snapshot(frame)
            elif isinstance(frame, Assign):
                self.heard.append(f"assign {frame.assignment.guild}")
                self._assign(frame.assignment)
            elif isinstance(frame, Release):
                self.heard.append(f"release {frame.guild}")
                self.runs.pop(frame.guild, None)
                self._latest.pop(frame.guild, None)
            elif isinstance(frame, Secrets):
                self.secrets[frame.guild] = frame.secrets

    def _snapshot(self, frame: Snapshot) -> None:
        self.snapshots += 1
        wanted = {assignment.guild: assignment for assignment in frame.assignments}
        for guild in self.runs.keys() - wanted.keys():
            self.heard.append(f"release {guild}")
            del self.runs[guild]
            self._latest.pop(guild, None)
        self.secrets = frame.secrets
        for assignment in frame.assignments:
            self._assign(assignment)

    def _assign(self, assignment: Assignment) -> None:
        if self.runs.get(assignment.guild) != assignment:
            self.runs[assignment.guild] = assignment
            self.load(assignment)


def _wrong(error: WireError) -> None:
    raise AssertionError(f"the operator wrote a frame that cannot be read: {error}")


async def get(url: str, *, token: str = "") -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, headers={"Authorization": f"Bearer {token}"}) as response,
    ):
        return response.status, await response.text()
