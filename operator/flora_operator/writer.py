"""Writing a GuildDeployment: its status, and our finalizer. Nothing else of it is ours.

A status is applied server-side. Where somebody has edited it, applying would leave what he added, because
it is his then; so it is replaced as a whole. All is written to the version of the object that was looked at
and to no other: one that was deleted and made again has the same name and generation, and would seem Ready.
"""

from __future__ import annotations

from typing import Any, Final

from flora_core.manifest import API_VERSION, KIND
from flora_operator import metrics
from flora_operator.deployment import FINALIZER, Deployment
from flora_operator.kube.client import APPLY, JSON_PATCH, MANAGER, MERGE, METADATA, Kube
from flora_operator.kube.paths import deployment_path
from flora_operator.status import Status, to_document

Metadata = dict[str, Any]

_FORCED: Final = {"fieldManager": MANAGER, "force": "true"}
_OURS: Final = {"fieldManager": MANAGER}


class Writer:
    """All methods give the object's metadata after the change, and raise KubeError.

    Conflict: it has changed since it was looked at, or is another one.
    """

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    async def apply_status(self, deployment: Deployment, status: Status) -> Metadata:
        """What is ours of it."""
        body = {**_head(deployment), "status": to_document(status)}
        path = f"{deployment_path(deployment.key)}/status"
        answer = await self._kube.call("PATCH", path, body, query=_FORCED, content=APPLY, accept=METADATA)
        metrics.status_writes.inc()
        return answer["metadata"]

    async def replace_status(self, deployment: Deployment, status: Status) -> Metadata:
        """Whatever is there."""
        body = [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": deployment.resource_version},
            {"op": "add", "path": "/status", "value": to_document(status)},
        ]
        path = f"{deployment_path(deployment.key)}/status"
        answer = await self._kube.call("PATCH", path, body, query=_OURS, content=JSON_PATCH, accept=METADATA)
        metrics.status_writes.inc()
        return answer["metadata"]

    async def hold(self, deployment: Deployment) -> Metadata:
        """Nobody deletes it before we let go."""
        body = _head(deployment)
        body["metadata"]["finalizers"] = [FINALIZER]
        answer = await self._kube.call(
            "PATCH", deployment_path(deployment.key), body, query=_FORCED, content=APPLY, accept=METADATA
        )
        return answer["metadata"]

    async def let_go(self, deployment: Deployment) -> Metadata:
        """It may be deleted now."""
        others = [name for name in deployment.finalizers if name != FINALIZER]
        body = {"metadata": {"finalizers": others, "resourceVersion": deployment.resource_version}}
        answer = await self._kube.call(
            "PATCH", deployment_path(deployment.key), body, query=_OURS, content=MERGE, accept=METADATA
        )
        return answer["metadata"]


def _head(deployment: Deployment) -> dict[str, Any]:
    namespace, name = deployment.key
    metadata = {"namespace": namespace, "name": name, "resourceVersion": deployment.resource_version}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata}
