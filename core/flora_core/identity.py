"""Who dials whom: bearer tokens between flora's processes.

A server asks its ``Identities`` who a token belongs to, and lets a pod open only streams of its own name.
In ``flora dev`` and in tests the tokens are fixed (``StaticIdentities``); in a cluster they are projected
ServiceAccount tokens.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from aiohttp import web

from flora_core.errors import InvalidSettings


class Role(StrEnum):
    """What a process is."""

    GATEWAY = "gateway"
    RUNTIME = "runtime"
    OPERATOR = "operator"
    API = "api"


@dataclass(slots=True, frozen=True)
class Identity:
    role: Role
    pod: str = ""
    """The pod's name; empty where a role has one process and no streams of its own."""


class Identities(Protocol):
    async def identify(self, token: str) -> Identity | None:
        """Whose token this is; None for nobody's."""
        ...


class StaticIdentities:
    """Tokens that are known from the start."""

    def __init__(self, tokens: Mapping[str, Identity]) -> None:
        self._tokens = dict(tokens)

    @classmethod
    def parse(cls, text: str, *, variable: str) -> StaticIdentities:
        """``token=role`` or ``token=role/pod``, separated by commas or white space.

        Raises InvalidSettings naming ``variable``, and never shows a token.
        """
        tokens: dict[str, Identity] = {}
        for number, entry in enumerate(text.replace(",", " ").split(), start=1):
            token, _, who = entry.partition("=")
            role, _, pod = who.partition("/")
            if not token or role not in list(Role):
                raise InvalidSettings(
                    f"{variable}: entry {number} should be token=role or token=role/pod, "
                    f"with one of the roles {', '.join(Role)}"
                )
            tokens[token] = Identity(Role(role), pod)
        return cls(tokens)

    async def identify(self, token: str) -> Identity | None:
        """Compares with every token, in constant time each."""
        found = None
        for known, identity in self._tokens.items():
            if hmac.compare_digest(known.encode(), token.encode(errors="surrogateescape")):
                found = identity
        return found


async def require(request: web.Request, identities: Identities, *, role: Role, pod: str = "") -> Identity:
    """The caller's identity; answers 401 without a known token, 403 when it is another's stream."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    identity = await identities.identify(token) if scheme == "Bearer" and token else None
    if identity is None:
        raise web.HTTPUnauthorized(text="a bearer token of flora's is needed\n")
    if identity.role is not role or (pod and identity.pod != pod):
        raise web.HTTPForbidden(text=f"this stream belongs to {role}{'/' + pod if pod else ''}\n")
    return identity
