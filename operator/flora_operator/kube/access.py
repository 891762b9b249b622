"""Where the API server is and who we are: by ``KUBECONFIG``, the pod's ServiceAccount, or ~/.kube/config.

Found by ``kubernetes.aio``, which knows all kinds of kubeconfigs (several files, programs that fetch
credentials, OIDC). Its client makes the one-off calls; what is asked thousands of times goes over plain
sessions, because its models cost several times as much as the request.

Token and authorities are rotated while the process runs, and sessions last as long as it does. The token is
read again every minute, and at once when the server does not take it (401); a new connection trusts the
authorities that the file has then.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

import aiohttp
import yaml
from kubernetes.aio import config as loading
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import ConfigException
from kubernetes.aio.config.incluster_config import InClusterConfigLoader

from flora_core.errors import InvalidSettings
from flora_core.kube_access import ACCOUNT, KubeAccess
from flora_core.telemetry import logger

READ_BUFFER: Final = 2 << 20
"""A line of a watch is one object, and may have 1.5 MiB; aiohttp reads lines of up to twice its buffer."""

_UNUSABLE: Final = (
    ConfigException,
    yaml.YAMLError,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
)
"""What loading raises where there is none, or one that is no kubeconfig."""

_log = logger(__name__)


class Access:
    """One cluster, as one user."""

    def __init__(self, config: Configuration, load: Callable[[], Awaitable[None]] | None = None) -> None:
        """``load`` reads anew into ``config`` who we are.

        Raises OSError where certificates cannot be read.
        """
        self._config: Any = config
        self._load = load
        self._cluster = _tls_of(config)
        self._context: ssl.SSLContext | None = None
        self._loading = asyncio.Lock()

    @property
    def server(self) -> str:
        """Its URL."""
        return self._cluster.server

    async def headers(self) -> dict[str, str]:
        """Who we are, for the next request."""
        try:
            key = await self._config.get_api_key_with_prefix("BearerToken")
        except (ConfigException, OSError) as error:  # the one before may do for a while
            _log.warning("credentials_not_read", error=str(error))
            key = self._config.api_key.get("BearerToken")
        return {"Authorization": key.strip()} if key else {}

    async def renew(self, refused: dict[str, str]) -> bool:
        """The server did not take the ``refused`` headers; whether there are others now."""
        async with self._loading:
            if self._load is not None and await self.headers() == refused:
                try:
                    await self._load()
                except _UNUSABLE as error:
                    _log.warning("credentials_not_read", error=str(error))
            return await self.headers() != refused

    def tls(self) -> ssl.SSLContext:
        """For the next connection; another one once the authorities have changed. Blocks for small files."""
        try:
            self._context = self._cluster.tls()
        except OSError as error:
            if self._context is None:
                raise
            _log.warning("authorities_not_read", error=str(error))
        return self._context

    def client(self) -> ApiClient:
        """For calls that are rare; use as an async context manager, and for a moment."""
        return ApiClient(self._config)

    def session(
        self,
        *,
        limit: int,
        timeout: aiohttp.ClientTimeout,
        middlewares: Sequence[aiohttp.ClientMiddlewareType] = (),
    ) -> aiohttp.ClientSession:
        """With at most ``limit`` connections, which trust the authorities of now unless told otherwise.

        ``middlewares`` see what the server answers once it has taken our credentials.
        """

        async def authorise(
            request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
        ) -> aiohttp.ClientResponse:
            headers = await self.headers()
            request.headers.update(headers)
            response = await handler(request)
            if response.status != 401 or not await self.renew(headers):
                return response
            response.release()
            request.headers.update(await self.headers())
            return await handler(request)

        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=limit, ssl=self.tls()),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=timeout,
            middlewares=[*middlewares, authorise],
            read_bufsize=READ_BUFFER,
            proxy=self._config.proxy,
        )


async def find() -> Access:
    """Raises InvalidSettings when there is no cluster to be found."""
    named = os.environ.get("KUBECONFIG", "")
    config = Configuration()
    try:
        if not named and (ACCOUNT / "token").exists():
            return await _own_cluster(config)
        return await _kubeconfig(config, named or str(Path.home() / ".kube" / "config"))
    except _UNUSABLE as error:
        text = str(error) if isinstance(error, ConfigException) else type(error).__name__
        raise InvalidSettings(
            f"KUBECONFIG: {named or '~/.kube/config'} cannot be read, and this is no pod: {text}"
        ) from None


async def _own_cluster(config: Configuration) -> Access:
    loader: Any = InClusterConfigLoader(
        token_filename=str(ACCOUNT / "token"), cert_filename=str(ACCOUNT / "ca.crt")
    )

    async def load() -> None:
        loader.load_and_set(config)

    await load()
    return Access(config, load)


async def _kubeconfig(config: Configuration, path: str) -> Access:
    untyped: Any = loading
    loader = await untyped.load_kube_config(path, client_configuration=config, persist_config=False)

    async def load() -> None:
        await loader.load_and_set(config)

    return Access(config, load)


def _tls_of(config: Any) -> KubeAccess:
    certificate = (config.cert_file, config.key_file)
    return KubeAccess(
        config.host,
        authorities=Path(config.ssl_ca_cert) if config.ssl_ca_cert else None,
        certificate=(Path(certificate[0]).read_bytes(), Path(certificate[1]).read_bytes())
        if all(certificate)
        else None,
        verify=config.verify_ssl,
    )
