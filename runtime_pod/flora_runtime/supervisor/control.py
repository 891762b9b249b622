"""The pod's view of what it should run: the desired-state stream, and the bundles it names.

The stream starts with a snapshot (or, after a short break, with what changed since) and goes on with
changes. When it breaks nothing is unloaded: the pod runs on with what it knows until the stream is back, and
since that is written down, so does a pod that starts with nobody to ask. Bundles are fetched by their hash,
checked against it, and kept on the pod's volume for the same reason.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Final, Protocol

import aiohttp
import msgspec

from flora_core.errors import FloraError, WireError
from flora_core.files import CannotRead, read_kept, write_whole
from flora_core.ids import Sha256
from flora_core.streams import StreamRefused, Token, follow
from flora_core.telemetry import logger
from flora_core.wire.control import (
    Assign,
    Assignment,
    Forget,
    Release,
    Retire,
    Secret,
    Secrets,
    Snapshot,
    desired,
)
from flora_runtime.supervisor import metrics

FETCH_SECONDS: Final = 15.0
BUNDLE_LIMIT: Final = 64 << 20

_log = logger(__name__)


class BundleMissing(FloraError):
    """A bundle could not be had now; it may be later."""


class BundleCorrupt(FloraError):
    """What was served under a hash does not have it."""


class Desired(Protocol):
    """Takes what the stream says."""

    def assign(self, assignment: Assignment) -> None: ...

    def release(self, guild: str) -> None: ...

    def replace_all(self, assignments: list[Assignment]) -> None:
        """These, and no others."""
        ...

    def forget(self, forget: Forget) -> None:
        """What is kept of a guild that is not assigned is to be deleted."""
        ...

    def know_secrets(self, guild: str, secrets: list[Secret]) -> None:
        """The guild has these secrets, whether it is assigned yet or not."""
        ...

    def on_retire(self, retire: Retire) -> None:
        """A process of this pod, maybe an earlier one, was answered."""
        ...


class ControlLink:
    """``run`` follows the desired state until it is cancelled."""

    def __init__(self, url: str, pod: str, folder: Path, *, token: Token, sink: Desired) -> None:
        self._url = f"{url}/v1/pods/{pod}/desired"
        self._file = folder / "assignments.json"
        self._token = token
        self._sink = sink
        self._epoch = ""
        self._revision = 0
        self._placeholders_file = folder / "placeholders.json"
        self._assignments: dict[str, Assignment] = {}
        self._secrets: dict[str, list[Secret]] = {}
        self._kept_secrets: dict[str, list[Secret]] = {}
        self.known = asyncio.Event()
        """Set once there are assignments, from the control plane or from disk."""
        self.heard = False
        """Whether the control plane has said anything to this process."""

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Dial, follow, dial again."""
        await self._remember()
        await follow(
            session,
            self._url,
            token=self._token,
            params=lambda: {"after": self._revision, "epoch": self._epoch},
            take=self._take_batch,
            on_error=self._bad_frame,
            on_broken=_say_broken,
        )

    async def _take_batch(self, lines: list[bytes]) -> None:
        changed = [self._take_line(line) for line in lines]
        if any(changed):
            await asyncio.to_thread(keep, self._file, msgspec.json.encode(self._assignments))
            kept = without_values(self._secrets)
            if kept != self._kept_secrets:
                self._kept_secrets = kept
                await asyncio.to_thread(keep, self._placeholders_file, msgspec.json.encode(kept))

    def _take_line(self, line: bytes) -> bool:
        """Do what a line says; whether it changed anything."""
        try:
            frame = desired.decode(line)
        except WireError as error:
            self._bad_frame(error)
            return False
        self._revision = frame.revision
        self.heard = True
        if isinstance(frame, Snapshot):
            metrics.stream_dials.labels("control", "connected").inc()
            self._epoch = frame.epoch
            self._replace_secrets(frame.secrets)
            self._replace_all(frame.assignments)
            if frame.retire is not None:
                self._sink.on_retire(frame.retire)
            for forget in frame.forgets:
                self._forget(forget)
        elif isinstance(frame, Assign):
            self._assignments[frame.assignment.guild] = frame.assignment
            self._sink.assign(frame.assignment)
        elif isinstance(frame, Release):
            self._assignments.pop(frame.guild, None)
            self._secrets.pop(frame.guild, None)
            self._sink.release(frame.guild)
        elif isinstance(frame, Forget):
            self._forget(frame)
        elif isinstance(frame, Secrets):
            self._know_secrets(frame.guild, frame.secrets)
        else:
            if isinstance(frame, Retire):
                self._sink.on_retire(frame)
            return False
        return True

    def _forget(self, forget: Forget) -> None:
        if forget.guild not in self._assignments:
            self._sink.forget(forget)

    def _replace_all(self, assignments: list[Assignment]) -> None:
        self._assignments = {assignment.guild: assignment for assignment in assignments}
        self._sink.replace_all(assignments)
        self.known.set()

    def _replace_secrets(self, secrets: dict[str, list[Secret]]) -> None:
        for guild in {*self._secrets, *secrets}:
            self._know_secrets(guild, secrets.get(guild, []))

    def _know_secrets(self, guild: str, secrets: list[Secret]) -> None:
        self._secrets[guild] = secrets
        if not secrets:
            del self._secrets[guild]
        self._sink.know_secrets(guild, secrets)

    async def _remember(self) -> None:
        """Begin with what an earlier process of this pod was told."""
        try:
            secrets = await asyncio.to_thread(read_kept, self._placeholders_file, dict[str, list[Secret]])
            self._kept_secrets = secrets or {}
            self._replace_secrets(self._kept_secrets)
            kept = await asyncio.to_thread(read_kept, self._file, dict[str, Assignment])
        except CannotRead as error:
            _log.warning("assignments_not_read", error=str(error))
            return
        if kept is not None:
            self._replace_all(list(kept.values()))

    def _bad_frame(self, error: WireError) -> None:
        metrics.bad_frames.labels("control", error.reason).inc()
        _log.warning("bad_frame", stream="control", error=str(error))


def without_values(secrets: dict[str, list[Secret]]) -> dict[str, list[Secret]]:
    """What may be written down: scripts find their placeholders again when this pod comes back alone."""
    return {
        guild: [msgspec.structs.replace(secret, value=None) for secret in entries]
        for guild, entries in secrets.items()
    }


def _say_broken(error: Exception) -> None:
    metrics.stream_dials.labels("control", "broken").inc()
    level = _log.warning if isinstance(error, StreamRefused) else _log.info
    level("control_link_broken", error=str(error) or type(error).__name__)


class BundleStore:
    """Bundles by hash: on disk, else from the control plane."""

    def __init__(self, url: str, folder: Path, *, token: Token) -> None:
        self._url = url
        self._folder = folder
        self._token = token

    async def get(self, session: aiohttp.ClientSession, sha256: Sha256) -> bytes:
        """The bundle's bytes; raises BundleMissing or BundleCorrupt."""
        path = self._folder / sha256
        kept = await asyncio.to_thread(_read, path)
        if kept is not None and hashlib.sha256(kept).hexdigest() == sha256:
            return kept
        fetched = await self._fetch(session, sha256)
        await asyncio.to_thread(keep, path, fetched)
        return fetched

    async def _fetch(self, session: aiohttp.ClientSession, sha256: Sha256) -> bytes:
        url = f"{self._url}/v1/bundles/{sha256}"
        try:
            async with (
                asyncio.timeout(FETCH_SECONDS),
                session.get(url, headers=self._token.headers()) as response,
            ):
                if response.status != 200:
                    raise BundleMissing(f"{url} answered {response.status}")
                data = await response.content.read(BUNDLE_LIMIT)
                while chunk := await response.content.read(BUNDLE_LIMIT - len(data)):
                    data += chunk
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise BundleMissing(f"{url}: {str(error) or type(error).__name__}") from None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise BundleCorrupt(f"{url} served {len(data)} bytes that have another hash")
        return data


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def keep(path: Path, data: bytes) -> None:
    """Write a file of the pod's volume whole; a volume that takes nothing is no reason to stop."""
    try:
        write_whole(path, data)
    except OSError as error:
        _log.warning("file_not_kept", path=str(path), error=str(error))
