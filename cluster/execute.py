"""``kubectl exec``, over a WebSocket.

Each message begins with a byte that says which stream it is of; the last one is a Status with the exit code
(Kubernetes: subprotocol v4.channel.k8s.io).
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import aiohttp
import msgspec

from cluster.api import tls
from cluster.control_plane import Cluster
from cluster.errors import Refused

PROTOCOL: Final = "v4.channel.k8s.io"
STATUS: Final = 3
TIMEOUT_SECONDS: Final = 30.0


async def execute(cluster: Cluster, pod: str, *command: str, namespace: str = "default") -> str:
    """What ``command`` prints in ``pod``, to both streams; raises Refused when it fails, and TimeoutError."""
    access = cluster.access
    query = [("command", part) for part in command] + [("stdout", "1"), ("stderr", "1")]
    url = f"{access.server}/api/v1/namespaces/{namespace}/pods/{pod}/exec"
    headers = {"Authorization": f"Bearer {access.token}"} if access.token else {}
    printed, status = b"", b"{}"
    async with (
        asyncio.timeout(TIMEOUT_SECONDS),
        aiohttp.ClientSession(headers=headers) as session,
        session.ws_connect(url, params=query, protocols=[PROTOCOL], ssl=tls(access)) as stream,
    ):
        async for message in stream:
            if message.data[0] == STATUS:
                status = message.data[1:]
            else:
                printed += message.data[1:]
    _check(msgspec.json.decode(status), printed)
    return printed.decode(errors="replace")


def _check(status: Any, printed: bytes) -> None:
    if status.get("status") != "Success":
        said = printed.decode(errors="replace")[-400:]
        raise Refused(status.get("code", 0), status.get("reason", ""), f"{status.get('message')} {said}")
