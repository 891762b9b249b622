"""GuildDeployments on a Kubernetes API server, by ``kubernetes.aio``.

Applied server-side as field manager ``flora-api``, only the fields that are ours. Where somebody else manages
the script the API server says so, and that is told (``Taken``) unless it is taken over by ``force``; a
starter script, which the operator made for want of another, gives way without.

The client is made anew when TLS fails: the cluster's authorities may have been rotated. Its token is read
anew each minute by the library.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import aiohttp
import msgspec
from kubernetes.aio import client, config
from kubernetes.aio.client.exceptions import ApiException
from prometheus_client import Counter

from flora_api.deployments.store import (
    Change,
    Complete,
    Deployment,
    Gone,
    Leaving,
    Put,
    Rejected,
    StoreError,
    StoreGone,
    Taken,
    from_document,
    manifest,
    name_of,
)
from flora_core.errors import InvalidSettings
from flora_core.ids import GuildId
from flora_core.manifest import API_MANAGER, GROUP, VERSION
from flora_core.streams import Backoff
from flora_core.telemetry import logger

PLURAL: Final = "guilddeployments"
REQUEST_SECONDS: Final = 15.0
WATCH_SECONDS: Final = 300
SILENCE_SECONDS: Final = 150.0
"""A watch is sent a bookmark each minute or so; one that says nothing for longer is dead."""

CHUNK: Final = 500
APPLY: Final = "application/apply-patch+yaml"
_MANAGER: Final = re.compile(r'conflict with "([^"]+)"')

T = TypeVar("T")

_restarts = Counter(
    "flora_api_watch_restarts_total", "Watches of GuildDeployments that began anew", ["reason"]
)
_requests = Counter(
    "flora_api_kube_requests_total", "Requests to the Kubernetes API server", ["verb", "code"]
)
_log = logger(__name__)


class _Expired(StoreError):
    """A resourceVersion that the API server no longer knows."""


class KubeDeployments:
    """Those of one namespace. Use ``open_kube_deployments``."""

    def __init__(self, namespace: str, connect: Callable[[], Awaitable[client.ApiClient]]) -> None:
        self._namespace = namespace
        self._connect = connect
        self._client: client.ApiClient | None = None
        self._connecting = asyncio.Lock()

    async def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def apply(
        self, guild: GuildId, source: Mapping[str, Any], *, revision: str, force: bool = False
    ) -> Deployment:
        """See DeploymentStore."""
        try:
            document = await self._apply(guild, source, revision, force=force)
        except Taken:
            found = await self.get(guild)
            if found is None or not found[0].starter:
                raise
            document = await self._apply(guild, source, revision, force=True)
        deployment, _ = from_document(document)
        if deployment.leaving:
            raise Leaving("it is being undeployed; try again when it is gone, in half a minute at most")
        return deployment

    async def get(self, guild: GuildId) -> tuple[Deployment, dict[str, str] | None] | None:
        async def ask(api: client.CustomObjectsApi) -> Any:
            answer = await api.get_namespaced_custom_object_without_preload_content(
                GROUP, VERSION, self._namespace, PLURAL, name_of(guild), _request_timeout=REQUEST_SECONDS
            )
            return await _decoded(answer)

        try:
            return from_document(await self._ask("get", ask))
        except _Missing:
            return None

    async def delete(self, guild: GuildId) -> bool:
        async def ask(api: client.CustomObjectsApi) -> Any:
            answer = await api.delete_namespaced_custom_object_without_preload_content(
                GROUP, VERSION, self._namespace, PLURAL, name_of(guild), _request_timeout=REQUEST_SECONDS
            )
            return await _decoded(answer)

        try:
            await self._ask("delete", ask)
        except _Missing:
            return False
        return True

    async def watch(self) -> AsyncIterator[Change]:
        backoff = Backoff(first=0.2, longest=5.0)
        version = ""
        while True:
            try:
                if not version:
                    async with contextlib.aclosing(self._list()) as listed:
                        async for change, version in listed:  # noqa: B007  the last one counts
                            yield change
                async with contextlib.aclosing(self._follow(version)) as followed:
                    async for change, version in followed:  # noqa: B007  as is
                        backoff.reset()
                        if change is not None:
                            yield change
            except _Expired:
                version = ""
                _restarts.labels("expired").inc()
            except StoreError as error:
                _restarts.labels("error").inc()
                _log.warning("watch_broken", error=str(error))
            await backoff.pause()

    # ---------------------------------------------------------------- requests

    async def _apply(
        self, guild: GuildId, source: Mapping[str, Any], revision: str, *, force: bool
    ) -> dict[str, Any]:
        body = manifest(guild, source, revision=revision, namespace=self._namespace)

        async def ask(api: client.CustomObjectsApi) -> Any:
            answer = await api.patch_namespaced_custom_object_without_preload_content(
                GROUP,
                VERSION,
                self._namespace,
                PLURAL,
                name_of(guild),
                body,
                field_manager=API_MANAGER,
                field_validation="Strict",
                force=force,
                _content_type=APPLY,
                _request_timeout=REQUEST_SECONDS,
            )
            return await _decoded(answer)

        return await self._ask("apply", ask)

    async def _list(self) -> AsyncGenerator[tuple[Change, str]]:
        """All there are, and the version that they are of."""
        guilds: set[GuildId] = set()
        more: str | None = None
        while True:

            async def ask(api: client.CustomObjectsApi, more: str | None = more) -> Any:
                answer = await api.list_namespaced_custom_object_without_preload_content(
                    GROUP,
                    VERSION,
                    self._namespace,
                    PLURAL,
                    limit=CHUNK,
                    _continue=more,
                    _request_timeout=2 * REQUEST_SECONDS,
                )
                return await _decoded(answer)

            page = await self._ask("list", ask)
            version = page["metadata"]["resourceVersion"]
            for document in page.get("items") or []:
                deployment, _ = from_document(document)
                guilds.add(deployment.guild)
                yield Put(deployment), ""
            more = page["metadata"].get("continue")
            if not more:
                yield Complete(frozenset(guilds)), version
                return

    async def _follow(self, version: str) -> AsyncGenerator[tuple[Change | None, str]]:
        """What changes from ``version`` on, until the API server ends it."""

        async def ask(api: client.CustomObjectsApi) -> aiohttp.ClientResponse:
            answer = await api.list_namespaced_custom_object_without_preload_content(
                GROUP,
                VERSION,
                self._namespace,
                PLURAL,
                watch=True,
                allow_watch_bookmarks=True,
                resource_version=version,
                timeout_seconds=WATCH_SECONDS,
                _request_timeout=WATCH_SECONDS + REQUEST_SECONDS,
            )
            if answer.status >= 300:
                await _decoded(answer)
            return answer

        response = await self._ask("watch", ask)
        try:
            while line := await _line(response):
                event = msgspec.json.decode(line)
                document = event["object"]
                if event["type"] == "ERROR":
                    raise _meaning(document.get("code", 500), str(document.get("message", "")), document)
                version = document["metadata"]["resourceVersion"]
                yield _change(event["type"], document), version
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise StoreGone(f"the watch broke: {type(error).__name__}") from None
        finally:
            response.close()

    async def _ask(self, verb: str, ask: Callable[[client.CustomObjectsApi], Awaitable[T]]) -> T:
        """What the API server answers; raises StoreError."""
        code = "none"
        try:
            answer = await ask(client.CustomObjectsApi(await self._open()))
            code = "2xx"
        except ApiException as error:
            code = str(error.status)
            raise _meaning(error.status or 500, error.reason or "", _body(error)) from None
        except (aiohttp.ClientSSLError, ssl.SSLError) as error:
            await self.close()
            raise StoreGone(f"the API server is not trusted: {type(error).__name__}") from None
        except (aiohttp.ClientError, OSError, TimeoutError, msgspec.DecodeError) as error:
            raise StoreGone(f"the Kubernetes API server does not answer: {type(error).__name__}") from None
        finally:
            _requests.labels(verb, code).inc()
        return answer

    async def _open(self) -> client.ApiClient:
        async with self._connecting:
            if self._client is None:
                self._client = await self._connect()
            return self._client


class _Missing(StoreError):
    """There is no such object."""


@asynccontextmanager
async def open_kube_deployments(namespace: str) -> AsyncGenerator[KubeDeployments]:
    """In the cluster that this pod is in, or that ``KUBECONFIG`` names; raises InvalidSettings."""
    await _configured()  # now rather than with the first request
    store = KubeDeployments(namespace, _connect)
    try:
        yield store
    finally:
        await store.close()


async def _connect() -> client.ApiClient:
    try:
        return client.ApiClient(await _configured())
    except InvalidSettings as error:
        raise StoreGone(str(error)) from None


async def _configured() -> client.Configuration:
    configuration = client.Configuration()
    configuration.retries = 0  # what is worth another try is tried by those who know what it is
    try:
        config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException:
        try:
            named = os.environ.get("KUBECONFIG")  # now: the library looks when it is imported
            await config.load_kube_config(named, client_configuration=configuration, persist_config=False)
        except (config.ConfigException, OSError, TypeError, KeyError, ValueError) as error:
            raise InvalidSettings(
                f"KUBECONFIG: this is no pod with a ServiceAccount, and no kubeconfig can be read: "
                f"{type(error).__name__}"
            ) from None
    return configuration


async def _line(response: aiohttp.ClientResponse) -> bytes:
    """The next one; nothing at the end. Raises TimeoutError when there is none for too long."""
    async with asyncio.timeout(SILENCE_SECONDS):
        return await response.content.readline()


async def _decoded(response: aiohttp.ClientResponse) -> Any:
    """What was answered, read by ourselves: the library knows no 201 of an apply. Raises ApiException."""
    async with response:
        body = await response.read()
    if response.status >= 300:
        raise ApiException(status=response.status, reason=response.reason, body=body.decode(errors="replace"))
    return msgspec.json.decode(body)


def _change(kind: str, document: dict[str, Any]) -> Change | None:
    if kind == "BOOKMARK":
        return None
    deployment, _ = from_document(document)
    return Gone(deployment.guild, deployment.uid) if kind == "DELETED" else Put(deployment)


def _body(error: ApiException) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(error.body or "")
    except (msgspec.DecodeError, TypeError):
        return {}
    return body if isinstance(body, dict) else {}


def _meaning(status: int, reason: str, body: Mapping[str, Any]) -> StoreError:
    """What an answer that is no success means."""
    text = str(body.get("message") or reason)
    if status == 404:
        return _Missing(text)
    if status == 410:
        return _Expired(text)
    if status == 409:
        managers = sorted(set(_MANAGER.findall(text)))
        return Taken(managers) if managers else StoreGone(f"the object changed at the same moment: {text}")
    if status in {400, 413, 422} or "field not declared in schema" in text:  # which is told as a 500
        return Rejected(_admission(text, body))
    if status == 403 and "denied the request" in text:  # an admission policy or webhook
        return Rejected(text)
    if status == 403:
        return StoreGone(f"the API's ServiceAccount may not do this: {text}")
    return StoreGone(f"the Kubernetes API server answered {status}")


def _admission(text: str, body: Mapping[str, Any]) -> str:
    """What is wrong with the object, without what every such message begins with."""
    causes = (body.get("details") or {}).get("causes") or []
    said = [f"{cause.get('field', '')}: {cause.get('message', '')}".strip(": ") for cause in causes]
    return "; ".join(said)[:2000] or text[:2000]
