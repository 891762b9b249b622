"""Requests to the API server: a bounded number at once, and none while it asks for patience.

A 429 with Retry-After, or a 503 with one, holds back all requests, not only the one it answered: who is told
that the server has too much to do and asks sixteen times more makes it worse.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import msgspec

from flora_operator import metrics
from flora_operator.errors import Conflict, Expired, KubeError, Missing, Refused, Throttled, Unreachable
from flora_operator.kube.access import Access

MANAGER: Final = "flora-operator"
REQUEST_SECONDS: Final = 30.0
SILENCE_SECONDS: Final = 150.0
"""A watch is sent a bookmark each minute or so; one that says nothing for longer is dead."""

WATCH_SECONDS: Final = 300
CHUNK: Final = 500
JSON: Final = "application/json"
APPLY: Final = "application/apply-patch+yaml"
MERGE: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"
METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

Document = dict[str, Any]


class Kube:
    """One API server, as one user. Use as an async context manager."""

    def __init__(self, access: Access, *, limit: int) -> None:
        self._access = access
        self._limit = limit
        self._resume_at = 0.0

    async def __aenter__(self) -> Self:
        # Watches last; they must not take connections from requests.
        request_timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS, connect=10)
        watch_timeout = aiohttp.ClientTimeout(total=None, connect=10, sock_read=SILENCE_SECONDS)
        self._session = self._access.session(limit=self._limit, timeout=request_timeout)
        self._watches = self._access.session(limit=0, timeout=watch_timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()
        await self._watches.close()

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        content: str = JSON,
        accept: str = JSON,
    ) -> Any:
        """What the server answers, decoded. Raises KubeError."""
        await self._patience()
        data = None if body is None else msgspec.json.encode(body)
        headers = {"Accept": accept, "Content-Type": content}
        url = self._access.server + path
        code = "none"
        try:
            async with self._session.request(
                method, url, data=data, params=query, headers=headers, ssl=self._access.tls()
            ) as response:
                answer = await response.read()
                code = str(response.status)
                if response.status < 400:
                    return msgspec.json.decode(answer)
                raise self._error(response, answer)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unreachable(f"{method} {path}: {str(error) or type(error).__name__}") from None
        finally:
            metrics.requests[method, resource_of(path), code].inc()

    async def list(
        self, path: str, *, query: Mapping[str, str], accept: str = JSON
    ) -> AsyncIterator[Document]:
        """Pages of a list, each with ``items`` and ``metadata.resourceVersion``; raises KubeError."""
        asked = {**query, "limit": str(CHUNK)}
        while True:
            page = await self.call("GET", path, query=asked, accept=accept)
            page["items"] = page.get("items") or []  # null, where there are none
            yield page
            more = page["metadata"].get("continue")
            if not more:
                return
            asked["continue"] = more

    async def watch(
        self, path: str, *, query: Mapping[str, str], accept: str = JSON
    ) -> AsyncIterator[tuple[str, Document]]:
        """What happens, as (type, object), until the server ends it; raises KubeError."""
        await self._patience()
        asked = {**query, "watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": str(WATCH_SECONDS)}
        url = self._access.server + path
        code = "none"
        try:
            async with self._watches.get(
                url, params=asked, headers={"Accept": accept}, ssl=self._access.tls()
            ) as response:
                code = str(response.status)
                metrics.requests["WATCH", resource_of(path), code].inc()
                if response.status >= 400:
                    raise self._error(response, await response.read())
                async for line in response.content:
                    event = msgspec.json.decode(line)
                    if event["type"] == "ERROR":
                        raise _event_error(event["object"])
                    yield event["type"], event["object"]
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise Unreachable(f"WATCH {path}: {str(error) or type(error).__name__}") from None

    async def _patience(self) -> None:
        loop = asyncio.get_running_loop()
        while (pause := self._resume_at - loop.time()) > 0:
            await asyncio.sleep(pause)

    def _error(self, response: aiohttp.ClientResponse, answer: bytes) -> KubeError:
        status, text = response.status, _message(answer)
        retry = response.headers.get("Retry-After", "")
        if status == 429 or (status == 503 and retry):
            seconds = min(float(retry), 60.0) if retry.isdigit() else 1.0
            self._resume_at = max(self._resume_at, asyncio.get_running_loop().time() + seconds)
            metrics.throttled_seconds.inc(seconds)
            return Throttled(text, seconds=seconds)
        return error_of(status, text)


def error_of(status: int, text: str) -> KubeError:
    """What an answer that is no success means."""
    if status == 404:
        return Missing(text)
    if status == 409:
        return Conflict(text)
    if status == 410:
        return Expired(text)
    if status >= 500 or status == 401:  # a token that was rotated a moment ago
        return Unreachable(f"{status}: {text}")
    return Refused(f"{status}: {text}", status=status)


def resource_of(path: str) -> str:
    """The resource in a path, for metrics: ``guilddeployments/status``."""
    parts = path.strip("/").split("/")
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        rest = rest[2:]
    return "/".join(rest[:1] + rest[2:3]) or "discovery"


def _message(answer: bytes) -> str:
    try:
        return str(msgspec.json.decode(answer)["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return answer.decode(errors="replace")[:300]


def _event_error(status: Document) -> KubeError:
    code = status.get("code", 500)
    return error_of(code, str(status.get("message", "")))
