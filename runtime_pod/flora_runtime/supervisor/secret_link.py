"""A guild's secrets from the two that know some: the operator, from Kubernetes, and the API, set by people.

``SecretLayers`` puts them together. ``SecretLink`` follows the API's stream, which names every guild of this
pod once it is open, those without secrets too, and then again with each change. When it breaks, what is known
stays; placeholders are written down, values never, so that scripts of a pod that starts alone find theirs.

A script may ask for a secret while it loads, and the pod may hear of a new guild from the operator before the
API does. So a load waits for the API's word (``heard_of``), but not for long: an API that is away delays the
start of a pod once by two seconds, whatever the number of its guilds.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

import aiohttp
import msgspec

from flora_core.errors import WireError
from flora_core.files import CannotRead, read_kept
from flora_core.streams import StreamRefused, Token, follow
from flora_core.telemetry import logger
from flora_core.wire.control import AllSecrets, Release, Secret, Secrets, pod_secrets
from flora_runtime.supervisor import metrics
from flora_runtime.supervisor.control import keep, without_values

PATIENCE_SECONDS: Final = 2.0

_log = logger(__name__)


class SecretLayers:
    """All secrets of the guilds: where both know one of a name, that of Kubernetes counts. No I/O."""

    def __init__(self) -> None:
        self._operator: dict[str, list[Secret]] = {}
        self._api: dict[str, list[Secret]] = {}

    def from_operator(self, guild: str, secrets: list[Secret]) -> None:
        """These are all that Kubernetes has for the guild."""
        _set(self._operator, guild, secrets)

    def from_api(self, guild: str, secrets: list[Secret]) -> None:
        """These are all that were set at the API."""
        _set(self._api, guild, secrets)

    def release(self, guild: str) -> None:
        """The operator has nothing to do with the guild any more. The API says so itself."""
        self._operator.pop(guild, None)

    def of(self, guild: str) -> list[Secret]:
        """The guild's secrets, by name."""
        layers = (*self._api.get(guild, ()), *self._operator.get(guild, ()))
        return sorted({secret.name: secret for secret in layers}.values(), key=lambda secret: secret.name)


def _set(layer: dict[str, list[Secret]], guild: str, secrets: list[Secret]) -> None:
    if secrets:
        layer[guild] = secrets
    else:
        layer.pop(guild, None)


class SecretSink(Protocol):
    """Takes what the stream says."""

    def know_api_secrets(self, guild: str, secrets: list[Secret]) -> None:
        """The guild has these at the API, whether it is assigned yet or not."""
        ...

    def has_guild(self, guild: str) -> bool:
        """Whether the guild is here, or on its way."""
        ...


class SecretLink:
    """``run`` follows the API until it is cancelled; without a URL there is nothing to follow or wait for."""

    def __init__(
        self,
        url: str,
        pod: str,
        folder: Path,
        *,
        token: Token,
        sink: SecretSink,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = f"{url}/v1/pods/{pod}/secrets" if url else ""
        self._file = folder / "api-placeholders.json"
        self._token = token
        self._sink = sink
        self._clock = clock
        self._secrets: dict[str, list[Secret]] = {}
        self._kept: dict[str, list[Secret]] = {}
        self._named: set[str] = set()
        """Guilds that were named since the stream was opened."""
        self._heard_of: set[str] = set()
        """Guilds of which anything is known: that they have no secrets, or their placeholders from disk."""
        self._asked: dict[str, float] = {}
        """Guilds whose load waits or has waited, and until when."""
        self._connected = self._complete = False
        self._turned_at = clock()
        """When the stream came up or broke last."""
        self._told = asyncio.Event()

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Dial, follow, dial again."""
        if not self._url:
            return
        await self._remember()
        await follow(
            session,
            self._url,
            token=self._token,
            params=self._dialling,
            take=self._take_batch,
            on_error=_bad_frame,
            on_broken=self._broken,
        )

    async def heard_of(self, guild: str) -> None:
        """Return when the API has said which secrets the guild has, or when it is not worth waiting for."""
        if not self._url:
            return
        while guild not in self._heard_of:
            left = self._deadline(guild) - self._clock()
            if left <= 0:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._told.wait()
        self._asked.pop(guild, None)

    def release(self, guild: str) -> None:
        """The guild is not here any more; when it comes back, so does the API's word about it."""
        self._heard_of.discard(guild)
        self._asked.pop(guild, None)

    def _deadline(self, guild: str) -> float:
        if self._complete:  # the API has yet to hear that the guild is here
            return self._asked.setdefault(guild, self._clock() + PATIENCE_SECONDS)
        return self._turned_at + PATIENCE_SECONDS

    # ---------------------------------------------------------------- the stream

    def _dialling(self) -> Mapping[str, str | int]:
        self._named.clear()
        return {}

    def _broken(self, error: Exception) -> None:
        if self._connected:
            self._connected = self._complete = False
            self._turned_at = self._clock()
        metrics.stream_dials.labels("secrets", "broken").inc()
        level = _log.warning if isinstance(error, StreamRefused) else _log.info
        level("secret_link_broken", error=str(error) or type(error).__name__)

    async def _take_batch(self, lines: list[bytes]) -> None:
        if not self._connected:
            self._connected = True
            self._turned_at = self._clock()
            metrics.stream_dials.labels("secrets", "connected").inc()
        for line in lines:
            self._take_line(line)
        told, self._told = self._told, asyncio.Event()
        told.set()
        kept = without_values(self._secrets)
        if kept != self._kept:
            self._kept = kept
            await asyncio.to_thread(keep, self._file, msgspec.json.encode(kept))

    def _take_line(self, line: bytes) -> None:
        try:
            frame = pod_secrets.decode(line)
        except WireError as error:
            _bad_frame(error)
            return
        if isinstance(frame, Secrets):
            self._named.add(frame.guild)
            self._know(frame.guild, frame.secrets)
        elif isinstance(frame, Release):
            self._forget(frame.guild)
        elif isinstance(frame, AllSecrets):
            self._complete = True
            for guild in [guild for guild in self._secrets if guild not in self._named]:
                if not self._sink.has_guild(guild):
                    self._forget(guild)

    def _know(self, guild: str, secrets: list[Secret]) -> None:
        _set(self._secrets, guild, secrets)
        self._heard_of.add(guild)
        self._sink.know_api_secrets(guild, secrets)

    def _forget(self, guild: str) -> None:
        """The API does not know it as ours. If it is here all the same, it will be named in a moment."""
        self._know(guild, [])
        self.release(guild)

    async def _remember(self) -> None:
        """Begin with the placeholders that an earlier process of this pod was told."""
        try:
            kept = await asyncio.to_thread(read_kept, self._file, dict[str, list[Secret]])
        except CannotRead as error:
            _log.warning("placeholders_not_read", error=str(error))
            return
        self._kept = kept or {}
        for guild, secrets in self._kept.items():
            self._know(guild, secrets)
        told, self._told = self._told, asyncio.Event()
        told.set()


def _bad_frame(error: WireError) -> None:
    metrics.bad_frames.labels("secrets", error.reason).inc()
    _log.warning("bad_frame", stream="secrets", error=str(error))
