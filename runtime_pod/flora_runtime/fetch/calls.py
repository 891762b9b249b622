"""The calls that a script's ``fetch`` makes, and the answer."""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec
from msgspec import Raw, Struct

from flora_core.errors import InvalidInput
from flora_core.wire import UNREADABLE
from flora_runtime.fetch import limits

Headers = list[tuple[str, str]]

FETCH: Final = "fetch"
ABORT: Final = "fetchAbort"
NAMES: Final = frozenset({FETCH, ABORT})
"""Names of the ops that are answered here."""

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[^\0\r\n]*")
_METHODS_REFUSED: Final = frozenset({"CONNECT", "TRACE", "TRACK"})

OURS: Final = frozenset(
    {
        *("accept-encoding", "connection", "content-length", "expect", "host", "keep-alive", "te", "trailer"),
        *("transfer-encoding", "upgrade", "via"),
    }
)
"""Headers that frame a request or speak of its connection: what a script says of these is left out."""


class Fetch(Struct, frozen=True, rename="camel"):
    """One request."""

    url: str
    method: str = "GET"
    headers: Headers = []
    text: str | None = None
    """A body of text, sent as UTF-8 ..."""
    body: bytes | None = None
    """... or of bytes, base64 in the JSON."""
    redirect: Literal["follow", "error", "manual"] = "follow"
    secrets_in_body: bool = False

    @property
    def content(self) -> bytes | None:
        return self.text.encode() if self.text is not None else self.body


class Abort(Struct, frozen=True):
    """Nobody wants that answer any more."""

    id: int
    """The op's."""


class Response(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The answer: exactly one of ``text`` and ``body``."""

    status: int
    status_text: str
    url: str
    headers: Headers
    redirected: bool = False
    text: str | None = None
    body: bytes | None = None


_decode_fetch: Final = msgspec.json.Decoder(Fetch).decode
_decode_abort: Final = msgspec.json.Decoder(Abort).decode


def parse_abort(args: Raw | bytes) -> int:
    """The op whose answer nobody wants; raises InvalidInput."""
    try:
        return _decode_abort(args).id
    except UNREADABLE as error:
        raise InvalidInput(f"{ABORT}: {error}") from None


def parse_fetch(args: Raw | bytes) -> Fetch:
    """The request in ``args``; raises InvalidInput. Whatever an isolate says is checked here once more."""
    try:
        call = _decode_fetch(args)
    except UNREADABLE as error:
        raise InvalidInput(f"{FETCH}: {error}") from None
    if not _TOKEN.fullmatch(call.method) or call.method.upper() in _METHODS_REFUSED:
        raise InvalidInput("method: is none that may be used")
    if len(call.content or b"") > limits.REQUEST_BYTES:
        raise InvalidInput(f"body: has more than {limits.REQUEST_BYTES:,} bytes")
    if call.content is not None and call.method in ("GET", "HEAD"):
        raise InvalidInput("body: a GET or HEAD has none")
    return msgspec.structs.replace(call, headers=check_headers(call.headers))


def check_headers(headers: Headers) -> Headers:
    """Those of ``headers`` that are a script's to set; raises InvalidInput."""
    if len(headers) > limits.REQUEST_HEADERS:
        raise InvalidInput(f"headers: are more than {limits.REQUEST_HEADERS}")
    size = sum(len(name) + len(value) for name, value in headers)
    if size > limits.REQUEST_HEADER_BYTES:
        raise InvalidInput(f"headers: are larger than {limits.REQUEST_HEADER_BYTES >> 10} KiB")
    for name, value in headers:
        if not _TOKEN.fullmatch(name) or not is_header_value(value):
            raise InvalidInput(f"headers: {name[:80]!r} or its value is not allowed in HTTP")
    return [(name, value) for name, value in headers if not _is_ours(name.lower())]


def is_header_value(value: str) -> bool:
    """Whether ``value`` may stand in a header: characters that are bytes, on one line."""
    return bool(_VALUE.fullmatch(value)) and all(character <= "\xff" for character in value)


def _is_ours(name: str) -> bool:
    return name in OURS or name.startswith("proxy-")
