"""uvicorn's HTTP/1.1, for a port that anybody may dial: a request's head is short and comes soon.

httptools collects what it is sent until a head is complete, however long that gets or takes.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES: Final = 64 << 10
"""For the line and the headers of a request; whoever sends more is cut off."""
HEAD_SECONDS: Final = 20.0
"""From the connection, or the first byte of a later request, to the end of its head."""


class BoundedHttp(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head = True
        """Whether what comes belongs to a head."""
        self._taken = 0
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_there()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._head:
            self._taken += len(data)
            if self._taken > HEAD_BYTES + len(data):  # this much, and still no end
                self.send_400_response("The request's line and headers are too long.")
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._late is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        self._head, self._taken = False, 0
        self._head_is_there()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._head = True

    def _await_head(self) -> None:
        self._late = asyncio.get_running_loop().call_later(HEAD_SECONDS, self.transport.close)

    def _head_is_there(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
