"""Where the API server is and who we are: by ``KUBECONFIG``, the pod's ServiceAccount, or ~/.kube/config.

What is found is ``flora_core.kube_access``'s; a kubeconfig is read by kopf, which knows more kinds of them.
"""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
import kopf
import yaml

from flora_core.errors import InvalidSettings
from flora_core.kube_access import ACCOUNT, KubeAccess, own_cluster
from flora_core.streams import Token

READ_BUFFER: Final = 2 << 20
"""A line of a watch is one object, and may have 1.5 MiB; aiohttp reads lines of up to twice its buffer."""


@dataclass(slots=True, frozen=True)
class Access:
    """One cluster, as one user."""

    cluster: KubeAccess
    basic: str = ""
    """An Authorization header where there is neither token nor certificate."""

    @property
    def server(self) -> str:
        """Its URL."""
        return self.cluster.server

    def session(self, *, limit: int, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientSession:
        """With at most ``limit`` connections."""

        async def authorise(
            request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
        ) -> aiohttp.ClientResponse:
            request.headers.update(self.cluster.headers())
            if self.basic:
                request.headers["Authorization"] = self.basic
            return await handler(request)

        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=limit, ssl=self.cluster.tls()),
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
        return Access(own_cluster(host, port, account=ACCOUNT))
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
    return Access(_of(info), basic)


def _of(info: kopf.ConnectionInfo) -> KubeAccess:
    certificate = _pem(info.certificate_data, info.certificate_path)
    key = _pem(info.private_key_data, info.private_key_path)
    return KubeAccess(
        info.server,
        token=Token(info.token or ""),
        authorities=_pem(info.ca_data, info.ca_path),
        certificate=(certificate, key) if certificate and key else None,
        verify=not info.insecure,
    )


def _pem(
    inline: str | bytes | None, path: str | bytes | os.PathLike[str] | os.PathLike[bytes] | None
) -> bytes | None:
    if inline:
        return base64.b64decode(inline)
    return Path(os.fsdecode(path)).read_bytes() if path else None
