"""What is asked of the API server once in a while, by ``kubernetes.aio``'s client."""

from __future__ import annotations

from typing import Any, Final

import aiohttp
from kubernetes.aio.client import ApiException, AppsV1Api

from flora_operator.errors import KubeError, Unreachable
from flora_operator.kube.access import Access
from flora_operator.kube.client import Document, error_of

SECONDS: Final = 10.0


async def statefulsets(access: Access, namespace: str, name: str) -> list[Document]:
    """The StatefulSet of this name in ``namespace``; none, or one. Raises KubeError.

    It is listed, because whoever watches one has the right to that, and not to get it.
    """
    try:
        async with access.client() as client:
            untyped: Any = client
            found = await AppsV1Api(untyped).list_namespaced_stateful_set(
                namespace, field_selector=f"metadata.name={name}", _request_timeout=SECONDS
            )
            return [untyped.sanitize_for_serialization(item) for item in found.items]
    except ApiException as error:
        raise _told(error) from None
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise Unreachable(f"StatefulSet {namespace}/{name}: {str(error) or type(error).__name__}") from None


def _told(error: Any) -> KubeError:
    return error_of(error.status or 500, str(error.reason))
