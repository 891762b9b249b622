"""``kubectl exec``, over a WebSocket of which only the server speaks.

Each message begins with a byte that says which stream it is of; the last one is a Status with the exit code
(Kubernetes: subprotocol v4.channel.k8s.io; frames: RFC 6455, 5.2). The API server does not fragment messages.
"""

from __future__ import annotations

import base64
import os
import socket
from collections.abc import Iterator
from typing import BinaryIO, Final
from urllib.parse import urlencode, urlsplit

import msgspec

from cluster.api import refused, tls
from cluster.control_plane import Cluster
from cluster.errors import Refused

PROTOCOL: Final = "v4.channel.k8s.io"
STATUS: Final = 3
BINARY: Final = 2
CLOSE: Final = 8
TIMEOUT_SECONDS: Final = 30.0


def execute(cluster: Cluster, pod: str, *command: str, namespace: str = "default") -> str:
    """What ``command`` prints in ``pod``, to both streams; it gets no input.

    Raises Refused when it fails, and OSError. Blocks.
    """
    query = [("command", part) for part in command] + [("stdout", "1"), ("stderr", "1")]
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec?{urlencode(query)}"
    address = urlsplit(cluster.access.server)
    host, port = address.hostname or "", address.port or 443
    printed, status = b"", b"{}"
    with (
        socket.create_connection((host, port), timeout=TIMEOUT_SECONDS) as plain,
        tls(cluster.access).wrap_socket(plain, server_hostname=host) as stream,
        stream.makefile("rb") as answer,
    ):
        stream.sendall(_request(cluster, address.path + path, address.netloc))
        _check_upgraded(answer)
        for message in _messages(answer):
            if message[0] == STATUS:
                status = message[1:]
            else:
                printed += message[1:]
    _check_success(status, printed)
    return printed.decode(errors="replace")


def _request(cluster: Cluster, target: str, host: str) -> bytes:
    lines = [
        f"GET {target} HTTP/1.1",
        f"Host: {host}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        f"Sec-WebSocket-Protocol: {PROTOCOL}",
    ]
    if cluster.access.token:
        lines.append(f"Authorization: Bearer {cluster.access.token}")
    return "\r\n".join([*lines, "", ""]).encode()


def _check_upgraded(answer: BinaryIO) -> None:
    _, status, *_ = answer.readline().decode(errors="replace").split(" ", 2)
    length = 0
    while line := answer.readline().strip():
        name, _, value = line.decode(errors="replace").partition(":")
        if name.lower() == "content-length":
            length = int(value)
    if status != "101":
        raise refused(int(status), answer.read(length))


def _messages(answer: BinaryIO) -> Iterator[bytes]:
    """Until the server closes."""
    while len(head := answer.read(2)) == 2:
        kind, length = head[0] & 0x0F, head[1] & 0x7F
        if length >= 126:
            length = int.from_bytes(answer.read(2 if length == 126 else 8))
        payload = answer.read(length)
        if kind == CLOSE:
            return
        if kind == BINARY and payload:
            yield payload


def _check_success(status: bytes, printed: bytes) -> None:
    outcome = msgspec.json.decode(status)
    if outcome.get("status") != "Success":
        said = printed.decode(errors="replace")[-400:]
        raise Refused(outcome.get("code", 0), outcome.get("reason", ""), f"{outcome.get('message')} {said}")
