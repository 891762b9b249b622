"""The server's side of HTTP/1.1 and WebSocket, no more than the stub needs. Pure bytes, no I/O."""

from __future__ import annotations

import base64
import hashlib
import struct
import zlib
from typing import Final, NamedTuple

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
BINARY: Final = 0x2
TEXT: Final = 0x1
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

LIMITS: Final = (
    b"X-RateLimit-Limit: 1000\r\nX-RateLimit-Remaining: 999\r\nX-RateLimit-Reset: 4000000000.000\r\n"
    b"X-RateLimit-Reset-After: 1.000\r\nX-RateLimit-Bucket: 80c17d2f203122d936070c88c8d10f33\r\n"
)
"""As Discord sends them with every answer, but so wide that nobody ever waits."""


def response(status: bytes, body: bytes, *, limits: bytes = b"") -> bytes:
    """An HTTP response. The content type is exactly Discord's: discord.py compares it as a whole."""
    return b"HTTP/1.1 %b\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n%b" % (
        status,
        limits,
        len(body),
        body,
    )


def upgraded(key: bytes) -> bytes:
    """The answer to a WebSocket handshake (RFC 6455, 4.2.2)."""
    accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept
    )


def frame(opcode: int, payload: bytes) -> bytes:
    """One unmasked, unfragmented frame."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    if size < 1 << 16:
        return struct.pack(">BBH", 0x80 | opcode, 126, size) + payload
    return struct.pack(">BBQ", 0x80 | opcode, 127, size) + payload


class Incoming(NamedTuple):
    opcode: int
    payload: bytes


class Frames:
    """Cuts what a client sends into frames. Fragments do not occur: its messages are small."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Incoming]:
        """The frames that ``data`` completes."""
        data = self._rest + data
        frames: list[Incoming] = []
        at = 0
        while len(data) - at >= 6:
            opcode, size, head = data[at] & 0x0F, data[at + 1] & 0x7F, 2
            if size == 126:
                size, head = struct.unpack_from(">H", data, at + 2)[0], 4
            elif size == 127:
                if len(data) - at < 14:
                    break
                size, head = struct.unpack_from(">Q", data, at + 2)[0], 10
            if len(data) - at < head + 4 + size:
                break
            mask = data[at + head : at + head + 4]
            body = data[at + head + 4 : at + head + 4 + size]
            frames.append(Incoming(opcode, _unmasked(body, mask)))
            at += head + 4 + size
        self._rest = data[at:]
        return frames


def _unmasked(body: bytes, mask: bytes) -> bytes:
    repeated = (mask * (len(body) // 4 + 1))[: len(body)]
    return (int.from_bytes(body, "big") ^ int.from_bytes(repeated, "big")).to_bytes(len(body), "big")


class ZlibStream:
    """Discord's transport compression: one context for a connection, flushed after each frame."""

    def __init__(self) -> None:
        self._context = zlib.compressobj()

    def frame(self, text: bytes) -> bytes:
        """``text`` as one WebSocket frame."""
        return frame(BINARY, self._context.compress(text) + self._context.flush(zlib.Z_SYNC_FLUSH))
