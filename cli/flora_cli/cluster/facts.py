"""What the API server knows of an installation, over plain HTTPS. Nothing is changed, no Secret is read."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct, field

from flora_core.errors import FloraError, InvalidInput
from flora_core.kube_access import KubeAccess, find_cluster
from flora_core.manifest import GROUP, VERSION
from flora_core.wire import UNREADABLE

ANSWER_SECONDS: Final = 15.0
ANSWER_BYTES: Final = 64 << 20
PAGE: Final = 500
PAGES: Final = 100
OURS: Final = "app.kubernetes.io/part-of=flora"
MIGRATIONS: Final = "app.kubernetes.io/component=migrate"
CRD: Final = f"guilddeployments.{GROUP}"


class ClusterAway(FloraError):
    """The API server cannot be reached, or does not answer as one."""

    exit_code = 5


class ClusterRefused(FloraError):
    """The API server will not tell."""

    exit_code = 3


class Metadata(Struct, frozen=True, rename="camel"):
    name: str = ""
    namespace: str = ""
    generation: int = 0
    labels: dict[str, str] = {}
    deletion_timestamp: str = ""
    """Set while it is being deleted."""


class Container(Struct, frozen=True):
    name: str = ""
    image: str = ""
    env: list[Any] = []

    @property
    def variables(self) -> set[str]:
        """Names of those that are set one by one."""
        return {str(one.get("name")) for one in self.env if isinstance(one, dict)}


class _PodSpec(Struct, frozen=True):
    containers: list[Container] = []


class _Template(Struct, frozen=True):
    spec: _PodSpec = _PodSpec()


class _WorkloadSpec(Struct, frozen=True):
    replicas: int = 1
    template: _Template = _Template()


class _WorkloadStatus(Struct, frozen=True, rename="camel"):
    observed_generation: int = 0
    ready_replicas: int = 0
    updated_replicas: int = 0


class Workload(Struct, frozen=True):
    """A Deployment or StatefulSet."""

    metadata: Metadata = Metadata()
    spec: _WorkloadSpec = _WorkloadSpec()
    status: _WorkloadStatus = _WorkloadStatus()

    @property
    def component(self) -> str:
        """``gateway``, ``operator``, ``runtime`` …"""
        return self.metadata.labels.get("app.kubernetes.io/component", "")

    @property
    def version(self) -> str:
        return self.metadata.labels.get("app.kubernetes.io/version", "")


class State(Struct, frozen=True, rename="camel"):
    reason: str = ""
    message: str = ""
    exit_code: int = 0


class _States(Struct, frozen=True):
    waiting: State | None = None
    terminated: State | None = None


class _ContainerStatus(Struct, frozen=True, rename="camel"):
    name: str = ""
    ready: bool = False
    restart_count: int = 0
    state: _States = _States()
    last_state: _States = _States()


class Condition(Struct, frozen=True, rename="camel"):
    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    observed_generation: int = 0


class _PodStatus(Struct, frozen=True, rename="camel"):
    phase: str = ""
    conditions: list[Condition] = []
    container_statuses: list[_ContainerStatus] = []


class Pod(Struct, frozen=True):
    metadata: Metadata = Metadata()
    status: _PodStatus = _PodStatus()


class _JobStatus(Struct, frozen=True):
    succeeded: int = 0
    failed: int = 0
    conditions: list[Condition] = []


class Job(Struct, frozen=True):
    """A run of the migrations."""

    metadata: Metadata = Metadata()
    status: _JobStatus = _JobStatus()


class _GuildSpec(Struct, frozen=True, rename="camel"):
    guild_id: str = ""
    suspend: bool = False


class _GuildStatus(Struct, frozen=True):
    conditions: list[Condition] = []


class Guild(Struct, frozen=True):
    """A GuildDeployment."""

    metadata: Metadata = Metadata()
    spec: _GuildSpec = _GuildSpec()
    status: _GuildStatus = _GuildStatus()

    @property
    def ready(self) -> Condition | None:
        return next((one for one in self.status.conditions if one.type == "Ready"), None)


class _CrdVersion(Struct, frozen=True):
    name: str = ""
    served: bool = False


class _CrdSpec(Struct, frozen=True):
    versions: list[_CrdVersion] = []


class _CrdStatus(Struct, frozen=True):
    conditions: list[Condition] = []


class Definition(Struct, frozen=True):
    """The CRD."""

    metadata: Metadata = Metadata()
    spec: _CrdSpec = _CrdSpec()
    status: _CrdStatus = _CrdStatus()


class _Continue(Struct, frozen=True):
    next: str = field(default="", name="continue")


class Facts(Struct, frozen=True):
    """Everything that is judged."""

    server: str
    kubernetes: str
    definition: Definition | None
    workloads: list[Workload] = []
    pods: list[Pod] = []
    guilds: list[Guild] = []
    jobs: list[Job] = []
    """Of the migrations; none where they may not be looked at."""


def open_cluster(kubeconfig: Path | None, environment: Mapping[str, str]) -> KubeAccess:
    """The cluster of ``--kubeconfig``, KUBECONFIG, this pod, or ~/.kube/config; raises InvalidInput."""
    named = str(kubeconfig) if kubeconfig else _first(environment.get("KUBECONFIG", ""))
    usual = Path(environment.get("HOME", "~")).expanduser() / ".kube" / "config"
    if not named and "KUBERNETES_SERVICE_HOST" not in environment:
        if not usual.exists():
            raise InvalidInput(
                f"which cluster? There is no {usual}; name its file with --kubeconfig or KUBECONFIG"
            )
        named = str(usual)
    return find_cluster({**environment, "KUBECONFIG": named})


def _first(paths: str) -> str:
    """KUBECONFIG may be a list of files; the first that is there counts."""
    names = [name for name in paths.split(":") if name]
    return next((name for name in names if Path(name).exists()), names[0] if names else "")


class Kube:
    """The few questions that are asked."""

    def __init__(self, access: KubeAccess) -> None:
        self._access = access
        parts = urlsplit(access.server)
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._secure else 80)
        self._prefix = parts.path.rstrip("/")

    def facts(self, namespace: str | None) -> Facts:
        """Of one namespace, or of all; raises ClusterAway or ClusterRefused."""
        version = self._get("/version", dict[str, Any])
        apps, core = "/apis/apps/v1", "/api/v1"
        guilds = f"/apis/{GROUP}/{VERSION}"
        inside = f"/namespaces/{namespace}" if namespace else ""
        definition = self._find(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{CRD}", Definition)
        return Facts(
            self._access.server,
            str((version or {}).get("gitVersion", "")),
            definition,
            [
                *self._list(f"{apps}{inside}/deployments", Workload, labelSelector=OURS),
                *self._list(f"{apps}{inside}/statefulsets", Workload, labelSelector=OURS),
            ],
            # Pods have the selector's labels alone: no part-of.
            self._list(f"{core}{inside}/pods", Pod, labelSelector="app.kubernetes.io/component"),
            self._list(f"{guilds}{inside}/guilddeployments", Guild) if definition is not None else [],
            self._jobs(f"/apis/batch/v1{inside}/jobs"),
        )

    def _jobs(self, path: str) -> list[Job]:
        """Fewer may look at these than at the rest, and all of it is worth telling without them."""
        try:
            return self._list(path, Job, labelSelector=f"{OURS},{MIGRATIONS}")
        except ClusterRefused:
            return []

    def _list(self, path: str, kind: type[Any], **query: str) -> list[Any]:
        found: list[Any] = []
        after = ""
        for _ in range(PAGES):
            asked = {**query, "limit": str(PAGE), **({"continue": after} if after else {})}
            page = self._get(f"{path}?{urlencode(asked)}", _page_of(kind))
            found += page.items
            after = page.metadata.next
            if not after:
                break
        return found

    def _get(self, path: str, kind: Any) -> Any:
        status, body = self._ask(path)
        if status == 200:
            try:
                return msgspec.json.decode(body, type=kind)
            except UNREADABLE as error:
                raise ClusterAway(
                    f"{self._access.server} does not answer as Kubernetes does: {error}"
                ) from None
        if status in (401, 403):
            raise ClusterRefused(_refusal(status, body))
        raise ClusterAway(f"{self._access.server} answered {status} to GET {path.partition('?')[0]}")

    def _find(self, path: str, kind: Any) -> Any:
        """The same; None when it is not there."""
        status, _ = self._ask(path)
        return None if status == 404 else self._get(path, kind)

    def _ask(self, path: str) -> tuple[int, bytes]:
        connection: http.client.HTTPConnection | None = None
        try:
            connection = self._connect()
            headers = {"Accept": "application/json", **self._access.headers()}
            connection.request("GET", self._prefix + path, headers=headers)
            response = connection.getresponse()
            return response.status, response.read(ANSWER_BYTES)
        except ssl.SSLCertVerificationError as error:
            raise ClusterAway(
                f"{self._access.server}: its certificate is not to be trusted ({error.verify_message}); "
                "is this the right cluster's kubeconfig?"
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise ClusterAway(
                f"{self._access.server} cannot be reached: {error or type(error).__name__}; "
                "is the cluster up, and this the right kubeconfig?"
            ) from None
        finally:
            if connection is not None:
                connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        if not self._secure:
            return http.client.HTTPConnection(self._host, self._port, timeout=ANSWER_SECONDS)
        context = self._access.tls()
        return http.client.HTTPSConnection(self._host, self._port, timeout=ANSWER_SECONDS, context=context)


def _page_of(kind: type[Any]) -> Any:
    return msgspec.defstruct(
        f"{kind.__name__}Page",
        [("items", list[kind], field(default_factory=list)), ("metadata", _Continue, _Continue())],
        frozen=True,
    )


def _refusal(status: int, body: bytes) -> str:
    try:
        message = str(msgspec.json.decode(body).get("message", ""))
    except (AttributeError, *UNREADABLE):
        message = ""
    if status == 401:
        return "the cluster does not know who you are: renew the credentials in your kubeconfig"
    return f"you may not look: {message or 'forbidden'}; ask for rights to read, or name a namespace with -n"
