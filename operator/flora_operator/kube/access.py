"""Where the API server is and who we are: by ``KUBECONFIG``, the pod's ServiceAccount, or ~/.kube/config.

A ServiceAccount's token is rotated, so it is read anew for each request.
"""

from __future__ import annotations

import base64
import os
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
import kopf
import yaml

from flora_core.errors import InvalidSettings
from flora_core.streams import Token

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
READ_BUFFER: Final = 2 << 20
"""A line of a watch is one object, and may have 1.5 MiB; aiohttp reads lines of up to twice its buffer."""


@dataclass(slots=True, frozen=True)
class Access:
    """One cluster, as one user."""

    server: str
    tls: ssl.SSLContext | bool
    token: Token
    basic: str = ""
    """An Authorization header where there is neither token nor certificate."""

    def session(self, *, limit: int, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientSession:
        """With at most ``limit`` connections."""

        async def authorise(
            request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
        ) -> aiohttp.ClientResponse:
            request.headers.update(self.token.headers())
            if self.basic:
                request.headers["Authorization"] = self.basic
            return await handler(request)

        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=limit, ssl=self.tls),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=timeout,
            middlewares=[authorise],
            read_bufsize=READ_BUFFER,
        )


def find() -> Access:
    """Raises InvalidSettings when there is no cluster to be found."""
    if not os.environ.get("KUBECONFIG") and (ACCOUNT / "token").exists():
        host = os.environ.get("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc")
        port = os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
        tls = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
        return Access(server, tls, Token(file=ACCOUNT / "token"))
    try:
        info = kopf.login_with_kubeconfig(settings=kopf.OperatorSettings())
    except (
        kopf.LoginError,
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        yaml.YAMLError,
    ) as error:
        raise InvalidSettings(f"KUBECONFIG: cannot be read: {error}") from None
    if info is None or not info.server:
        raise InvalidSettings("KUBECONFIG: names no file, and this is no pod; say which cluster to work for")
    basic = info.as_http_headers().get("Authorization", "") if not info.token else ""
    return Access(info.server.rstrip("/"), _tls(info), Token(info.token or ""), basic)


def _tls(info: kopf.ConnectionInfo) -> ssl.SSLContext | bool:
    if info.server.startswith("http://"):
        return True
    authority = _pem(info.ca_data, info.ca_path)
    context = ssl.create_default_context(cadata=authority.decode() if authority else None)
    if info.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    certificate = _pem(info.certificate_data, info.certificate_path)
    key = _pem(info.private_key_data, info.private_key_path)
    if certificate and key:
        with tempfile.TemporaryDirectory() as folder:  # ssl takes files alone
            both = Path(folder) / "client.pem"
            both.touch(mode=0o600)
            both.write_bytes(certificate + b"\n" + key)
            context.load_cert_chain(both)
    return context


def _pem(
    inline: str | bytes | None, path: str | bytes | os.PathLike[str] | os.PathLike[bytes] | None
) -> bytes | None:
    if inline:
        return base64.b64decode(inline)
    return Path(os.fsdecode(path)).read_bytes() if path else None
