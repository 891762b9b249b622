"""Where the Kubernetes API server is, whom to trust there, and who we are.

In a pod that is what Kubernetes mounts and sets for its ServiceAccount. Both the token and the authorities
are rotated while the pod runs, so the token is read for each request, and the authorities whenever their
file has changed. Outside a pod ``KUBECONFIG`` names the file, whose current context counts; programs that
fetch credentials are not run.
"""

from __future__ import annotations

import base64
import binascii
import os
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from flora_core.errors import InvalidSettings
from flora_core.streams import Token

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class KubeAccess:
    """One API server, as one user."""

    def __init__(
        self,
        server: str,
        *,
        token: Token | None = None,
        authorities: Path | bytes | None = None,
        certificate: tuple[bytes, bytes] | None = None,
        verify: bool = True,
    ) -> None:
        """``authorities`` in PEM, None for those the system trusts; ``certificate`` and its key in PEM."""
        self.server: Final = server.rstrip("/")
        self._token = token or Token()
        self._authorities = authorities
        self._certificate = certificate
        self._verify = verify
        self._context: ssl.SSLContext | None = None
        self._read_at: tuple[int, int] | None = None

    def __repr__(self) -> str:
        return f"KubeAccess({self.server!r})"

    def headers(self) -> dict[str, str]:
        """Who we are, for the next request; blocks for a small file. Raises OSError or FloraError."""
        return self._token.headers()

    def tls(self) -> ssl.SSLContext:
        """For the next connection; blocks for small files. Raises OSError, of which SSLError is one."""
        changed = self._changed()
        if self._context is None or changed != self._read_at:
            self._context = self._make()
            self._read_at = changed
        return self._context

    def _changed(self) -> tuple[int, int] | None:
        if not isinstance(self._authorities, Path):
            return None
        found = self._authorities.stat()  # Kubernetes puts another file in place of the old one
        return found.st_mtime_ns, found.st_ino

    def _make(self) -> ssl.SSLContext:
        given = self._authorities
        pem = given.read_bytes() if isinstance(given, Path) else given
        context = ssl.create_default_context(cadata=pem.decode("ascii", "replace") if pem else None)
        if not self._verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self._certificate is not None:
            with tempfile.TemporaryDirectory() as folder:  # ssl takes files alone
                both = Path(folder) / "client.pem"
                both.touch(mode=0o600)
                both.write_bytes(b"\n".join(self._certificate))
                context.load_cert_chain(both)
        return context


def find_cluster(environment: Mapping[str, str] = os.environ, *, account: Path = ACCOUNT) -> KubeAccess:
    """The cluster of ``KUBECONFIG``, else the one this pod is in; raises InvalidSettings for neither."""
    if named := environment.get("KUBECONFIG"):
        return read_kubeconfig(Path(named))
    host = environment.get("KUBERNETES_SERVICE_HOST")
    if not host or not (account / "token").exists():
        raise InvalidSettings(
            "KUBECONFIG: is not set, and this is no pod with a ServiceAccount's token; "
            "FLORA_SERVICE_ACCOUNTS needs an API server to ask"
        )
    port = environment.get("KUBERNETES_SERVICE_PORT", "443")
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    return KubeAccess(server, token=Token(file=account / "token"), authorities=account / "ca.crt")


def read_kubeconfig(path: Path) -> KubeAccess:
    """What the current context of ``path`` says; raises InvalidSettings, which shows no credentials."""
    try:
        import yaml  # noqa: PLC0415  only whoever has a kubeconfig needs it
    except ImportError:
        raise InvalidSettings("KUBECONFIG: cannot be read without PyYAML; pip install pyyaml") from None
    try:
        document = yaml.safe_load(path.read_text())
        context = _named(document, "context", document["current-context"])
        cluster, user = (
            _named(document, "cluster", context["cluster"]),
            _named(document, "user", context["user"]),
        )
        certificate, key = _pem(path, user, "client-certificate"), _pem(path, user, "client-key")
        return KubeAccess(
            str(cluster["server"]),
            token=_token(path, user),
            authorities=_pem(path, cluster, "certificate-authority"),
            certificate=(certificate, key) if certificate and key else None,
            verify=not cluster.get("insecure-skip-tls-verify", False),
        )
    except (OSError, UnicodeDecodeError, yaml.YAMLError, binascii.Error) as error:
        why = type(error).__name__ if not isinstance(error, OSError) else error.strerror
        raise InvalidSettings(f"KUBECONFIG: {path} cannot be read: {why}") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidSettings(f"KUBECONFIG: {path} lacks {error} of a current context") from None


def _named(document: Any, kind: str, name: str) -> dict[str, Any]:
    for entry in cast("list[dict[str, Any]]", document.get(f"{kind}s") or []):
        if entry["name"] == name:
            return entry[kind] or {}
    raise KeyError(f"{kind} {name}")


def _pem(path: Path, section: Mapping[str, Any], field: str) -> bytes | None:
    """Given in the file itself, or as the name of another, seen from this one."""
    if inline := section.get(f"{field}-data"):
        return base64.b64decode(inline, validate=True)
    other = section.get(field)
    return (path.parent / other).read_bytes() if other else None


def _token(path: Path, user: Mapping[str, Any]) -> Token:
    if "exec" in user or "auth-provider" in user:
        raise InvalidSettings(
            f"KUBECONFIG: the user of {path} runs a program for credentials, which is not done here; "
            "give one with a token or a certificate"
        )
    if other := user.get("tokenFile"):
        return Token(file=path.parent / other)
    return Token(user.get("token") or "")
