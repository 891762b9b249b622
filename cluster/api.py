"""A client for the API server, as small as tests need it: one connection, no cache, answers as they come.

``apply`` is what ``kubectl apply --server-side`` sends, unknown fields refused as kubectl has it.
"""

from __future__ import annotations

import http.client
import ssl
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from cluster.errors import Refused
from cluster.kubeconfig import Access

TIMEOUT_SECONDS: Final = 30.0
IDLE_SECONDS: Final = 30.0
"""A connection that was quiet for longer is opened anew: the server hangs up after 90 s."""

JSON: Final = "application/json"
TABLE: Final = "application/json;as=Table;v=v1;g=meta.k8s.io"
"""What kubectl get asks for."""
APPLY: Final = "application/apply-patch+yaml"

Document = dict[str, Any]


class Api:
    """The API server behind ``access``, with ``seconds`` to answer. Not for several threads at once."""

    def __init__(self, access: Access, *, seconds: float = TIMEOUT_SECONDS) -> None:
        address = urlsplit(access.server)
        self._connection: http.client.HTTPConnection
        if address.scheme == "https":
            self._connection = http.client.HTTPSConnection(
                address.netloc, timeout=seconds, context=tls(access)
            )
        else:
            self._connection = http.client.HTTPConnection(address.netloc, timeout=seconds)
        self._prefix = address.path
        self._headers = {"Authorization": f"Bearer {access.token}"} if access.token else {}
        self._used = 0.0
        self._plurals: dict[tuple[str, str], tuple[str, bool]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        content: str = JSON,
        accept: str = JSON,
    ) -> Any:
        """What the server answers, decoded. Raises Refused, OSError and http.client.HTTPException. Blocks."""
        data = None if body is None else msgspec.json.encode(body)
        headers = {**self._headers, "Accept": accept, "Content-Type": content}
        target = self._prefix + path + (f"?{urlencode(query)}" if query else "")
        if time.monotonic() - self._used > IDLE_SECONDS:
            self._connection.close()
        try:
            self._connection.request(method, target, data, headers)
            response = self._connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()  # the next call opens it anew
            raise
        self._used = time.monotonic()
        if response.status >= 400:
            raise refused(response.status, answer)
        is_json = response.headers.get_content_type() == JSON
        return msgspec.json.decode(answer) if is_json else answer.decode()

    def apply(
        self, document: Document, *, manager: str = "flora-tests", force: bool = False, dry_run: bool = False
    ) -> Document:
        """``document`` as ``manager`` wants it, server-side; raises Refused."""
        query = {"fieldManager": manager, "fieldValidation": "Strict", "force": str(force).lower()}
        if dry_run:
            query["dryRun"] = "All"
        return self.call("PATCH", self.path(document), document, query=query, content=APPLY)

    def apply_status(self, document: Document, *, manager: str = "flora-tests") -> Document:
        """Only ``status`` of it counts."""
        query = {"fieldManager": manager, "fieldValidation": "Strict", "force": "true"}
        return self.call("PATCH", f"{self.path(document)}/status", document, query=query, content=APPLY)

    def create(self, document: Document) -> Document:
        query = {"fieldValidation": "Strict"}
        return self.call("POST", self.path(document).rpartition("/")[0], document, query=query)

    def get(self, document: Document) -> Document:
        """``document`` as the server has it."""
        return self.call("GET", self.path(document))

    def delete(self, document: Document) -> None:
        self.call("DELETE", self.path(document))

    def ready(self) -> bool:
        """Whether there is a server, and all of it is up."""
        try:
            return self.call("GET", "/readyz", accept="*/*") == "ok"
        except (Refused, OSError, http.client.HTTPException):
            return False

    def path(self, document: Document) -> str:
        """Where ``document`` is: its kind is looked up once, its namespace is ``default`` without one."""
        version, kind, metadata = document["apiVersion"], document["kind"], document["metadata"]
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        plural, namespaced = self._plural(base, kind)
        if namespaced:
            base += f"/namespaces/{metadata.get('namespace', 'default')}"
        return f"{base}/{plural}/{quote(metadata['name'], safe='')}"

    def _plural(self, base: str, kind: str) -> tuple[str, bool]:
        if (base, kind) not in self._plurals:
            for resource in self.call("GET", base)["resources"]:
                if "/" not in resource["name"]:
                    self._plurals[base, resource["kind"]] = (resource["name"], resource["namespaced"])
        if (base, kind) not in self._plurals:
            raise Refused(404, "NotFound", f"{base} has no {kind}")
        return self._plurals[base, kind]


def tls(access: Access) -> ssl.SSLContext:
    """What it takes to trust the server, and to be trusted by it."""
    context = ssl.create_default_context(cadata=access.authority.decode() if access.authority else None)
    if not access.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if access.certificate is not None and access.key is not None:
        with tempfile.TemporaryDirectory() as folder:  # ssl takes files alone
            both = Path(folder) / "client.pem"
            both.touch(mode=0o600)
            both.write_bytes(access.certificate + b"\n" + access.key)
            context.load_cert_chain(both)
    return context


def refused(status: int, answer: bytes) -> Refused:
    """What an answer that is no success says."""
    try:
        document = msgspec.json.decode(answer)
        return Refused(status, document.get("reason", ""), document.get("message", ""))
    except (msgspec.DecodeError, AttributeError):
        return Refused(status, "", answer.decode(errors="replace")[:500])
