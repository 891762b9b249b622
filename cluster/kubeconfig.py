"""The files that tell clients where a cluster is and who they are.

What is written holds its certificates in itself, so that it can be copied. What is read may be anybody's: a
certificate, or a token; programs that fetch credentials (``exec``) are not run.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from flora_core.errors import InvalidInput
from flora_core.files import write_whole


@dataclass(slots=True, frozen=True, kw_only=True)
class Access:
    """One cluster, as one user."""

    server: str
    """``https://host:port``"""
    authority: bytes | None = None
    """PEM; None for those the system trusts."""
    certificate: bytes | None = None
    key: bytes | None = None
    token: str | None = None
    verify: bool = True

    def __repr__(self) -> str:
        return f"Access({self.server!r})"


def write(path: Path, access: Access) -> Path:
    """``path``, as only its owner can read it."""
    cluster: dict[str, Any] = {"server": access.server}
    if access.authority is not None:
        cluster["certificate-authority-data"] = base64.b64encode(access.authority).decode()
    user: dict[str, Any] = {}
    if access.certificate is not None and access.key is not None:
        user["client-certificate-data"] = base64.b64encode(access.certificate).decode()
        user["client-key-data"] = base64.b64encode(access.key).decode()
    if access.token is not None:
        user["token"] = access.token
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "flora", "cluster": cluster}],
        "users": [{"name": "flora", "user": user}],
        "contexts": [{"name": "flora", "context": {"cluster": "flora", "user": "flora"}}],
        "current-context": "flora",
    }
    write_whole(path, yaml.safe_dump(document, sort_keys=False).encode(), private=True)
    return path


def read(path: Path) -> Access:
    """What the current context of ``path`` says; raises InvalidInput."""
    try:
        document = yaml.safe_load(path.read_text())
        context = _named(document, "context", document["current-context"])
        cluster = _named(document, "cluster", context["cluster"])
        user = _named(document, "user", context["user"])
        return Access(
            server=cluster["server"].rstrip("/"),
            authority=_data(path, cluster, "certificate-authority"),
            certificate=_data(path, user, "client-certificate"),
            key=_data(path, user, "client-key"),
            token=_token(path, user),
            verify=not cluster.get("insecure-skip-tls-verify", False),
        )
    except (OSError, yaml.YAMLError, binascii.Error) as error:
        raise InvalidInput(f"{path} cannot be read as a kubeconfig: {error}") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(f"{path} is no kubeconfig with a current context: {error!r} is missing") from None


def _named(document: Mapping[str, Any], kind: str, name: str) -> dict[str, Any]:
    for entry in document.get(f"{kind}s") or []:
        if entry["name"] == name:
            return entry[kind] or {}
    raise KeyError(f"{kind} {name}")


def _data(path: Path, section: Mapping[str, Any], field: str) -> bytes | None:
    """Given in the file itself, or as the name of another, seen from this one."""
    if inline := section.get(f"{field}-data"):
        return base64.b64decode(inline, validate=True)
    other = section.get(field)
    return (path.parent / other).read_bytes() if other else None


def _token(path: Path, user: Mapping[str, Any]) -> str | None:
    if "exec" in user or "auth-provider" in user:
        raise InvalidInput(
            f"{path}: its user runs a program for credentials, which is not done here; "
            "make one with a token (kubectl create token) or a certificate"
        )
    if other := user.get("tokenFile"):
        return (path.parent / other).read_text().strip()
    return user.get("token")
