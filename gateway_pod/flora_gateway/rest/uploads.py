"""Files that go with a call: checked, counted, and put around its JSON as multipart/form-data.

A script's files come in its op as base64, or were downloaded for it on the way. They are the only large
thing in this process, so their size is looked at first, and what all guilds together have under way is
bounded. Names and descriptions go into the JSON (Discord: reference, "Uploading Files").
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, cast

import msgspec
from msgspec import Struct

from flora_core.errors import InvalidInput
from flora_core.wire import UNREADABLE
from flora_core.wire.gateway import FILES_LIMIT
from flora_gateway.rest.routes import Files

MOST_FILES: Final = 10
"""In one message, as Discord has it."""
NAME_LIMIT: Final = 256
DESCRIPTION_LIMIT: Final = 1024
"""Characters, as Discord has it."""
GUILD_BYTES: Final = 3 * FILES_LIMIT
ALL_BYTES: Final = 16 * FILES_LIMIT
"""Of files under way, of one guild and of all of them."""

Done = Callable[[bool, bytes], None]


class File(Struct, forbid_unknown_fields=True):
    """One of an op's ``files``."""

    name: str = ""
    description: str | None = None
    data: bytes | None = None
    """Base64 in the op."""
    url: str | None = None
    """Where the file is; the supervisor puts ``data`` in its place."""


def check(files: list[File]) -> int:
    """The bytes in ``files``; raises InvalidInput naming what is wrong with them."""
    if len(files) > MOST_FILES:
        raise InvalidInput(f"attachments: {len(files)} files; a message takes {MOST_FILES}")
    size = 0
    for number, file in enumerate(files):
        at = f"attachments[{number}]"
        if file.data is None:
            raise InvalidInput(f"{at}: has no data, and its url was not fetched")
        if not 0 < len(file.name) <= NAME_LIMIT or not file.name.isprintable():
            raise InvalidInput(f"{at}.name: must have 1 to {NAME_LIMIT} printable characters")
        if file.description is not None and len(file.description) > DESCRIPTION_LIMIT:
            raise InvalidInput(f"{at}.description: must have at most {DESCRIPTION_LIMIT} characters")
        size += len(file.data)
    if size > FILES_LIMIT:
        raise InvalidInput(
            f"attachments: have {size} bytes together; the limit is {FILES_LIMIT >> 20} MiB a call"
        )
    return size


def describe(body: bytes, files: list[File], where: Files) -> bytes:
    """``body`` with ``files`` in its ``attachments``, beside those that are there to be kept."""
    try:
        payload: Any = msgspec.json.decode(body)
        message = cast("dict[str, Any]", payload if where is Files.BODY else payload[where.value])
        kept: Any = message.get("attachments") or []
        if not isinstance(kept, list):
            raise InvalidInput("attachments: must be a list")
        message["attachments"] = [
            *cast("list[Any]", kept),
            *(_declared(number, file) for number, file in enumerate(files)),
        ]
    except (*UNREADABLE, LookupError, TypeError, AttributeError):
        at = f" {where.value!r}" if where.value else ""
        raise InvalidInput(f"body: has no message{at} that files could go with") from None
    return msgspec.json.encode(payload)


def _declared(number: int, file: File) -> dict[str, str | int]:
    declared: dict[str, str | int] = {"id": number, "filename": file.name}
    if file.description:
        declared["description"] = file.description
    return declared


def multipart(body: bytes, files: list[File]) -> tuple[bytes, bytes]:
    """The value of Content-Type, and the request's body.

    The boundary is drawn when the files are known already, so that nobody can have put it into one.
    """
    boundary = f"flora-{secrets.token_hex(16)}".encode()
    pieces = [b"--%b\r\n" % boundary, _part("payload_json", b"application/json"), body]
    for number, file in enumerate(files):
        name = f'files[{number}]"; filename="{_quoted(file.name)}'
        pieces += [b"\r\n--%b\r\n" % boundary, _part(name, b"application/octet-stream"), file.data or b""]
    pieces.append(b"\r\n--%b--\r\n" % boundary)
    return b"multipart/form-data; boundary=" + boundary, b"".join(pieces)


def _part(name: str, kind: bytes) -> bytes:
    return b'Content-Disposition: form-data; name="%b"\r\nContent-Type: %b\r\n\r\n' % (name.encode(), kind)


def _quoted(name: str) -> str:
    """For a header (HTML, "multipart/form-data"); control characters were refused before."""
    return name.replace('"', "%22")


class Uploads:
    """Counts the files under way. ``hold`` takes room, the ``Done`` that it returns gives it back."""

    def __init__(self, *, guild_bytes: int = GUILD_BYTES, all_bytes: int = ALL_BYTES) -> None:
        self._guild_bytes = guild_bytes
        self._all_bytes = all_bytes
        self._held: Counter[str] = Counter()
        self.bytes = 0

    def hold(self, guild: str, size: int, done: Done) -> Done | None:
        """None when there is no room for ``size`` bytes more."""
        if self.bytes + size > self._all_bytes or self._held[guild] + size > self._guild_bytes:
            return None
        self.bytes += size
        self._held[guild] += size

        def release(ok: bool, value: bytes) -> None:
            self.bytes -= size
            self._held[guild] -= size
            if not self._held[guild]:
                del self._held[guild]
            done(ok, value)

        return release
