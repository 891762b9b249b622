"""The same port on ``aiohttp.ClientSession``.

Slower by far (a task, a timer and several dozen objects a request), and somebody else's code: it is
here to measure the lean client against, to test both against the same misbehaving server, and as the
way out (``DISCORD_HTTP_CLIENT=aiohttp``) should the lean one ever meet a server it cannot speak to.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache

import aiohttp
import yarl
from multidict import CIMultiDict

from flora_gateway.rest.transport import (
    HEADERS,
    RESPONSE_LIMIT,
    ConnectFailed,
    ConnectionLost,
    MalformedResponse,
    OnDone,
    Origin,
    Outcome,
    PoolExhausted,
    Request,
    RequestTimedOut,
    Response,
    ResponseTooLarge,
    TransportClosed,
    TransportError,
)


class AiohttpTransport:
    """HTTP/1.1 to one origin through aiohttp."""

    def __init__(
        self,
        origin: Origin,
        *,
        connections: int = 64,
        waiting: int = 1024,
        connect_seconds: float = 5.0,
        idle_seconds: float = 60.0,
        response_limit: int = RESPONSE_LIMIT,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._root = f"{'https' if origin.tls else 'http'}://{origin.netloc}"
        self._most = connections + waiting
        self._response_limit = response_limit
        self._tasks: dict[Request, asyncio.Task[None]] = {}
        self._closing = False
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=idle_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_seconds),
        )

    def send(self, request: Request, on_done: OnDone) -> None:
        """See ``Transport.send``."""
        refusal: TransportError | None = None
        if self._closing:
            refusal = TransportClosed("the HTTP client is shut down")
        elif len(self._tasks) >= self._most:
            refusal = PoolExhausted(f"{self._most} requests are under way")
        if refusal is not None:
            self._loop.call_soon(on_done, request, refusal)
            return
        self._tasks[request] = self._loop.create_task(self._run(request, on_done))

    def cancel(self, request: Request) -> None:
        """See ``Transport.cancel``."""
        task = self._tasks.pop(request, None)
        if task is not None:
            task.cancel()

    async def close(self, *, seconds: float = 0.0) -> None:
        """See ``Transport.close``."""
        self._closing = True
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()), timeout=seconds)
        left = list(self._tasks.values())
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._session.close()

    async def _run(self, request: Request, on_done: OnDone) -> None:
        outcome: Outcome = TransportClosed("the HTTP client was shut down before this was answered")
        try:
            async with asyncio.timeout_at(request.deadline):
                outcome = await self._exchange(request)
        except TransportError as error:
            outcome = error
        except aiohttp.ConnectionTimeoutError as error:
            outcome = ConnectFailed(f"no connection in time: {error}")
        except aiohttp.ClientConnectorError as error:
            outcome = ConnectFailed(f"no connection: {error}")
        except TimeoutError:
            outcome = RequestTimedOut("the server did not answer in time")
        except aiohttp.ClientResponseError as error:
            outcome = MalformedResponse(f"not an HTTP response: {error.message[:200]}")
        except (aiohttp.ClientError, OSError) as error:
            outcome = ConnectionLost(f"the connection broke: {error}")
        finally:  # also when the task is cancelled, but not when ``cancel`` did it
            if self._tasks.pop(request, None) is not None:
                on_done(request, outcome)

    async def _exchange(self, request: Request) -> Response:
        async with self._session.request(
            request.method.decode(),
            yarl.URL(self._root + request.target.decode(), encoded=True),
            data=request.body,
            headers=_headers(request.headers),
            allow_redirects=False,
        ) as response:
            size, chunks = 0, list[bytes]()
            async for chunk in response.content.iter_any():
                size += len(chunk)
                if size > self._response_limit:
                    response.close()
                    raise ResponseTooLarge(f"the response's body is over {self._response_limit} bytes")
                chunks.append(chunk)
            raw = ((name.lower(), value) for name, value in response.raw_headers)
            wanted = {name: value for name, value in raw if name in HEADERS}
            return Response(response.status, wanted, b"".join(chunks))


@lru_cache(maxsize=256)
def _headers(block: bytes) -> CIMultiDict[str]:
    lines = (line.partition(": ") for line in block.decode("latin-1").split("\r\n") if line)
    return CIMultiDict((name, value) for name, _, value in lines)
