"""Asking the pod that has a guild.

A guild may move while it is asked for: the pod then says that it does not have it, or that it is on its
way. Nothing was done in that case, so whoever asks follows it once, to the pod that the route table names by
then; when it names none in time, the answer is 503 with Retry-After, and the caller's to repeat. So it is
when a pod does not answer: what was asked may have been done, and only what changes nothing is asked again.

Requests are bounded for each guild and for each pod, so that one guild's flood waits for itself, and a pod
that hangs holds back its own guilds alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, NoReturn, TypeVar

import aiohttp
import msgspec
from prometheus_client import Counter, Histogram

from flora_api.errors import (
    ApiError,
    BadRequest,
    Conflict,
    NotFound,
    QuotaExceeded,
    TooLarge,
    TooMany,
    Unavailable,
)
from flora_api.guilds.lanes import Lanes
from flora_api.guilds.route_table import RouteFollower
from flora_core.errors import FloraError
from flora_core.ids import GuildId, PodName
from flora_core.streams import DIAL_SECONDS, Token
from flora_core.telemetry import logger
from flora_core.wire import UNREADABLE
from flora_core.wire.gateway import OpError
from flora_core.wire.guilds import GUILD_MOVING, UNKNOWN_GUILD, status_of

POD_UNREACHABLE: Final = "POD_UNREACHABLE"
NOT_DEPLOYED: Final = "NOT_DEPLOYED"
ROUTES_UNKNOWN: Final = "ROUTES_UNKNOWN"
CHUNK_BYTES: Final = 1 << 18
REFUSAL_BYTES: Final = 64 << 10
GONE: Final = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
"""A connection that broke before there was an answer: often one that was kept while its pod was replaced."""

_KINDS: Final[Mapping[int, type[ApiError]]] = {
    400: BadRequest,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    429: TooMany,
    503: Unavailable,
    507: QuotaExceeded,
}

_asked = Counter("flora_api_pod_requests_total", "What runtime pods were asked", ["outcome"])
_seconds = Histogram(
    "flora_api_pod_seconds",
    "How long they took to answer",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)

T = TypeVar("T")
_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class PodLimits:
    """What asking pods may take."""

    seconds: float = 10.0
    """For an answer, waiting for one's turn included."""
    silence_seconds: float = 30.0
    """Within a body that is sent or read bit by bit."""
    moving_seconds: float = 3.0
    """How long a guild that moves is waited for."""
    guild_at_once: int = 8
    guild_waiting: int = 64
    pod_at_once: int = 64
    pod_waiting: int = 512
    answer_bytes: int = 32 << 20


class Stream(NamedTuple):
    """A body that comes bit by bit."""

    size: int | None
    """Bytes, when that is known."""
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


class Pods:
    """All of them. Methods raise ApiError."""

    def __init__(
        self,
        routes: RouteFollower,
        session: aiohttp.ClientSession,
        url_of: Callable[[PodName], str],
        *,
        token: Token,
        limits: PodLimits | None = None,
    ) -> None:
        """``url_of`` says where a pod serves."""
        self._routes = routes
        self._session = session
        self._url_of = url_of
        self._token = token
        self._limits = limits = limits or PodLimits()
        self._by_guild = Lanes(at_once=limits.guild_at_once, waiting=limits.guild_waiting, full=_guild_busy)
        self._by_pod = Lanes(at_once=limits.pod_at_once, waiting=limits.pod_waiting, full=_pod_busy)

    async def ask(
        self,
        guild: GuildId,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        repeatable: bool = False,
        seconds: float = 0.0,
    ) -> bytes:
        """What the guild's pod answers to ``path`` below the guild's own.

        ``repeatable`` requests change nothing, or the same once more. ``seconds`` stands for the usual
        deadline.
        """
        limit = seconds or self._limits.seconds
        began = time.monotonic()
        try:
            async with asyncio.timeout(limit):
                opened = self._opened(guild, method, path, body, repeatable=repeatable, silence=limit)
                async with opened as response:
                    answer = await _read(response, self._limits.answer_bytes)
        except TimeoutError:
            _asked.labels("timeout").inc()
            text = f"the pod of guild {guild} has not answered within {limit:g} s; try again in a moment"
            raise Unavailable(text, code=POD_UNREACHABLE, retry_after=2) from None
        except (aiohttp.ClientError, OSError) as error:
            _unreachable(guild, error)
        _asked.labels("ok").inc()
        _seconds.observe(time.monotonic() - began)
        return answer

    async def ask_for(self, guild: GuildId, into: type[T], method: str, path: str, **options: Any) -> T:
        """The same, read as ``into``."""
        return _decode(await self.ask(guild, method, path, **options), into)

    @contextlib.asynccontextmanager
    async def download(self, guild: GuildId, path: str) -> AsyncGenerator[Stream]:
        """A body as it comes; silence ends it."""
        try:
            async with self._opened(guild, "GET", path, repeatable=True) as response:
                yield Stream(
                    response.content_length, response.headers, response.content.iter_chunked(CHUNK_BYTES)
                )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            _unreachable(guild, error)

    async def upload(
        self, guild: GuildId, into: type[T], path: str, chunks: AsyncIterable[bytes], *, seconds: float
    ) -> T:
        """Send ``chunks`` up as they come; the answer to them, for which we wait ``seconds``."""
        try:
            async with self._opened(guild, "POST", path, chunks, silence=seconds) as response:
                return _decode(await _read(response, self._limits.answer_bytes), into)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            _unreachable(guild, error)

    @contextlib.asynccontextmanager
    async def _opened(
        self,
        guild: GuildId,
        method: str,
        path: str,
        body: bytes | AsyncIterable[bytes] = b"",
        *,
        repeatable: bool = False,
        silence: float = 0.0,
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """The answer 200 of the pod that has ``guild``. A body that is sent bit by bit is sent once."""
        whole = isinstance(body, bytes)
        silence = silence or self._limits.silence_seconds
        async with self._by_guild.turn(guild):
            pod = self._pod_of(guild)
            tries, given = 2, False
            while True:
                tries -= 1
                seen = self._routes.version
                try:
                    url = f"{self._url_of(pod)}/v1/guilds/{guild}{path}"
                    sent = self._send(method, url, body, silence=silence)
                    async with self._by_pod.turn(pod), sent as response:
                        error = await _refusal(response)
                        if error is None:
                            given = True
                            yield response
                            return
                except GONE as broken:
                    dialled = not isinstance(broken, aiohttp.ClientConnectorError)
                    if given or not tries or not whole or (dialled and not repeatable):
                        raise
                    _asked.labels("again").inc()
                    pod = await self._moved(guild, pod, seen, seconds=0.0) or pod
                    continue
                if error.code not in (GUILD_MOVING, UNKNOWN_GUILD):
                    _asked.labels("refused").inc()
                    raise _api_error(error)
                moved = await self._moved(guild, pod, seen, seconds=self._limits.moving_seconds)
                if not tries or not whole or moved is None:
                    _asked.labels("moving").inc()
                    text = f"guild {guild} is on its way to another pod; try again in a moment"
                    raise Unavailable(text, code=GUILD_MOVING, retry_after=1)
                pod = moved

    @contextlib.asynccontextmanager
    async def _send(
        self, method: str, url: str, body: bytes | AsyncIterable[bytes], *, silence: float
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        try:
            headers = self._token.headers()
        except (OSError, FloraError) as error:
            _log.error("token_unreadable", error=str(error))
            raise Unavailable("the API has no token of its own to show; its log says why") from None
        data = io.BytesIO(body) if isinstance(body, bytes) and body else body
        timeout = aiohttp.ClientTimeout(total=None, connect=DIAL_SECONDS, sock_read=silence)
        async with self._session.request(
            method, url, data=data or None, headers=headers, timeout=timeout, allow_redirects=False
        ) as response:
            yield response

    def _pod_of(self, guild: GuildId) -> PodName:
        if not self._routes.known.is_set():
            text = "the operator has not said yet which pod has which guild; try again in a moment"
            raise Unavailable(text, code=ROUTES_UNKNOWN, retry_after=2)
        pod = self._routes.pod_of(guild)
        if pod is None:
            text = f"nothing is deployed in guild {guild}: its storage, jobs and usage come with a script"
            raise NotFound(text, code=NOT_DEPLOYED)
        return pod

    async def _moved(self, guild: GuildId, pod: PodName, seen: int, *, seconds: float) -> PodName | None:
        """The pod that has ``guild`` instead of ``pod``; None when there is none in time."""
        deadline = time.monotonic() + seconds
        while (now := self._routes.pod_of(guild)) in (pod, None):
            left = deadline - time.monotonic()
            if left <= 0 or not await self._routes.wait_beyond(seen, seconds=left):
                return None
            seen = self._routes.version
        return now


def _decode(answer: bytes, into: type[T]) -> T:
    try:
        return msgspec.json.decode(answer, type=into)
    except UNREADABLE as error:
        _log.error("pod_answer_unreadable", wanted=str(into), error=str(error))
        text = "the pod's answer cannot be read; API and runtime pods should have one version"
        raise Unavailable(text, code=POD_UNREACHABLE, retry_after=5) from None


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    pieces, size = list[bytes](), 0
    async for piece in response.content.iter_chunked(CHUNK_BYTES):
        size += len(piece)
        if size > limit:
            raise TooLarge(f"the answer has more than {limit >> 20} MiB; ask for less at once, with limit")
        pieces.append(piece)
    return b"".join(pieces)


async def _refusal(response: aiohttp.ClientResponse) -> OpError | None:
    """What the pod says instead of an answer; None when it is one."""
    if response.status == 200:
        return None
    body = await response.content.read(REFUSAL_BYTES)
    with contextlib.suppress(*UNREADABLE):
        error = msgspec.json.decode(body, type=OpError)
        if status_of(error) == response.status:
            return error
    _log.error("pod_refused_us", status=response.status, text=body[:200].decode(errors="replace"))
    text = (
        "the pod does not let the API in: look at api=… in FLORA_SERVICE_ACCOUNTS"
        if response.status in (401, 403)
        else f"the pod answered {response.status}; try again in a moment"
    )
    return OpError(POD_UNREACHABLE, text, retry_after=2.0)


def _api_error(error: OpError) -> ApiError:
    """A pod's refusal as one of ours."""
    kind = _KINDS.get(status_of(error), Conflict)
    wait = error.retry_after or (1.0 if kind in (TooMany, Unavailable) else None)
    return kind(error.message, code=error.code, retry_after=wait)


def _unreachable(guild: GuildId, error: Exception) -> NoReturn:
    _asked.labels("unreachable").inc()
    _log.warning("pod_unreachable", guild_id=guild, error=str(error) or type(error).__name__)
    text = f"the pod of guild {guild} cannot be reached now; try again in a moment"
    raise Unavailable(text, code=POD_UNREACHABLE, retry_after=2) from None


def _guild_busy(guild: str) -> ApiError:
    text = f"too many requests for guild {guild} are under way; make fewer at once"
    return TooMany(text, code="GUILD_BUSY", retry_after=1)


def _pod_busy(pod: str) -> ApiError:
    return Unavailable(f"pod {pod} has too much to answer now; try again", code="POD_BUSY", retry_after=2)
