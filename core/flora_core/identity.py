"""Who dials whom: bearer tokens between flora's processes.

A server asks its ``Identities`` who a token belongs to, and lets a pod open only streams of its own name.
In ``flora dev`` and in tests the tokens are fixed (``StaticIdentities``); in a cluster they are projected
ServiceAccount tokens, which ``token_review`` has the API server check; processes without a Kubernetes token
of their own ask the operator instead (``remote_identities``).
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from aiohttp import web
from prometheus_client import Counter

from flora_core.errors import FloraError, InvalidSettings

RETRY_AFTER: Final = 1
"""Seconds; what we tell those whom we cannot check now."""

_turned_away = Counter(
    "flora_identity_turned_away_total",
    "Requests of flora's own parts that were not let in",
    ["reason"],
)


class CannotIdentify(FloraError):
    """Whose token this is cannot be known now: whoever would know does not answer."""


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
        """Whose token this is; None for nobody's. Raises CannotIdentify."""
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


async def require(
    request: web.Request, identities: Identities, *, role: Role | Collection[Role], pod: str = ""
) -> Identity:
    """The caller's identity, which has ``role`` or one of them.

    Answers 401 without a known token, 403 when it is another's stream, and 503 when the token cannot be
    checked now.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    try:
        identity = await identities.identify(token) if scheme == "Bearer" and token else None
    except CannotIdentify:
        _turned_away.labels("unchecked").inc()
        raise web.HTTPServiceUnavailable(
            text="whose token this is cannot be checked now; try again\n",
            headers={"Retry-After": str(RETRY_AFTER)},
        ) from None
    if identity is None:
        _turned_away.labels("unknown" if token else "no_token").inc()
        raise web.HTTPUnauthorized(text="a bearer token of flora's is needed\n")
    roles = (role,) if isinstance(role, Role) else role
    if identity.role not in roles or (pod and identity.pod != pod):
        _turned_away.labels("other_role" if identity.role not in roles else "other_pod").inc()
        whose = " and ".join(roles) + (f"/{pod}" if pod else "")
        raise web.HTTPForbidden(text=f"this stream belongs to {whose}\n")
    return identity


class EitherIdentities:
    """Fixed tokens first, then others."""

    def __init__(self, first: Identities, then: Identities) -> None:
        self._first = first
        self._then = then

    async def identify(self, token: str) -> Identity | None:
        return await self._first.identify(token) or await self._then.identify(token)
