"""Whose ServiceAccount token this is, as the API server says (``authentication.k8s.io/v1`` TokenReview).

Flora's pods dial each other with tokens that Kubernetes makes for them: bound to the pod, for the audience
``flora``, good for ten minutes. Whoever is dialled sends an unknown token to the API server, and keeps the
answer for a while (``identity_cache``).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Self

import aiohttp
import msgspec
from msgspec import Struct
from prometheus_client import Histogram
from pydantic_settings import SettingsConfigDict

from flora_core.errors import FloraError, InvalidSettings
from flora_core.identity import (
    CannotIdentify,
    EitherIdentities,
    Identities,
    Identity,
    Role,
    StaticIdentities,
)
from flora_core.identity_cache import TOKEN_LIMIT, CachedIdentities, ReviewLimits
from flora_core.kube_access import KubeAccess, find_cluster
from flora_core.settings import Settings

REVIEWS: Final = "/apis/authentication.k8s.io/v1/tokenreviews"
POD_NAME: Final = "authentication.kubernetes.io/pod-name"
ACCOUNT_PREFIX: Final = "system:serviceaccount:"

_seconds = Histogram("flora_identity_review_seconds", "How long the API server took to review a token")


class IdentitySettings(Settings):
    """``FLORA_…`` in the environment, ``[identity]`` in config.toml; for gateway, operator and API."""

    model_config = SettingsConfigDict(env_prefix="FLORA_")
    table: ClassVar[str] = "identity"

    service_accounts: str = ""
    """Who may dial in: ``gateway=NAMESPACE/NAME,runtime=…,operator=…,api=…``, a role as often as wanted.
    Empty for fixed tokens alone, which need no API server."""

    token_audience: str = "flora"  # noqa: S105  no token
    """The audience that tokens must be made for; one made for the API server or for others does not count."""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    namespace: str
    name: str


class Reviewed(Struct, frozen=True):
    """Whom the API server says a token belongs to."""

    account: ServiceAccount
    pod: str = ""
    """The pod it is bound to; empty for a token that is bound to none."""


class TokenReviewIdentities:
    """Identities by ServiceAccount. Use as an async context manager."""

    def __init__(
        self,
        cluster: KubeAccess,
        accounts: Mapping[ServiceAccount, Role],
        *,
        audience: str,
        limits: ReviewLimits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``clock`` tells the time in seconds since 1970, by which tokens end."""
        self._reviewer = TokenReviewer(cluster, audience=audience)
        self._accounts = dict(accounts)
        self._cache = CachedIdentities(self._review, who="the API server", limits=limits, clock=clock)

    async def __aenter__(self) -> Self:
        await self._reviewer.open()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._cache.close()
        await self._reviewer.close()

    async def identify(self, token: str) -> Identity | None:
        """Whose token this is; None for nobody's. Raises CannotIdentify when that cannot be known now."""
        return await self._cache.identify(token) if could_be_token(token) else None

    async def _review(self, token: str) -> Identity | None:
        reviewed = await self._reviewer.review(token)
        role = self._accounts.get(reviewed.account) if reviewed is not None else None
        return Identity(role, reviewed.pod) if reviewed is not None and role is not None else None


class TokenReviewer:
    """Asks the API server about tokens; knows nothing of earlier answers."""

    def __init__(self, cluster: KubeAccess, *, audience: str) -> None:
        self._cluster = cluster
        self._audience = audience
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(total=None)
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def review(self, token: str) -> Reviewed | None:
        """Whose it is; None for nobody's. Without a deadline of its own. Raises CannotIdentify."""
        assert self._session is not None, "use as an async context manager"
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [self._audience]},
        }
        with _seconds.time():
            try:
                async with self._session.post(
                    self._cluster.server + REVIEWS,
                    data=msgspec.json.encode(body),
                    headers={"Content-Type": "application/json", **self._cluster.headers()},
                    ssl=self._cluster.tls(),
                    allow_redirects=False,
                ) as response:
                    answer = await response.read()
            except (aiohttp.ClientError, OSError, FloraError) as error:
                raise CannotIdentify(f"the API server cannot be asked: {type(error).__name__}") from None
        if response.status in {401, 403}:
            raise CannotIdentify(
                f"the API server answered {response.status}: we may not make TokenReviews there; "
                "bind our ServiceAccount to the ClusterRole system:auth-delegator"
            )
        if response.status not in {200, 201}:
            raise CannotIdentify(f"the API server answered {response.status}")
        return read_review(answer, audience=self._audience)


@contextlib.asynccontextmanager
async def identities(
    settings: IdentitySettings, fixed: StaticIdentities, *, cluster: KubeAccess | None = None
) -> AsyncGenerator[Identities]:
    """Who may dial in: ``fixed`` tokens, and in a cluster the ServiceAccounts of ``settings``.

    Raises InvalidSettings, also when there is no API server to ask.
    """
    accounts = parse_accounts(settings.service_accounts, variable="FLORA_SERVICE_ACCOUNTS")
    if not accounts:
        yield fixed
        return
    if not settings.token_audience:
        raise InvalidSettings("FLORA_TOKEN_AUDIENCE: is empty; name the audience that tokens are made for")
    where = cluster or find_cluster()
    async with TokenReviewIdentities(where, accounts, audience=settings.token_audience) as reviewed:
        yield EitherIdentities(fixed, reviewed)


def parse_accounts(text: str, *, variable: str) -> dict[ServiceAccount, Role]:
    """``role=namespace/name``, separated by commas or white space; raises InvalidSettings."""
    accounts: dict[ServiceAccount, Role] = {}
    for entry in text.replace(",", " ").split():
        role, _, account = entry.partition("=")
        namespace, _, name = account.partition("/")
        if role not in list(Role) or not namespace or not name or "/" in name:
            raise InvalidSettings(
                f"{variable}: {entry[:80]!r} should be role=namespace/name, "
                f"with one of the roles {', '.join(Role)}"
            )
        known = accounts.setdefault(ServiceAccount(namespace, name), Role(role))
        if known != role:
            raise InvalidSettings(f"{variable}: {account} cannot be {known} and {role}; use two accounts")
    return accounts


class _User(Struct):
    username: str = ""
    extra: dict[str, list[str]] = {}


class _Status(Struct):
    authenticated: bool = False
    user: _User = msgspec.field(default_factory=_User)
    audiences: list[str] = []


class _Review(Struct):
    status: _Status


def read_review(answer: bytes, *, audience: str) -> Reviewed | None:
    """What a TokenReview says; None for nobody's token. Raises CannotIdentify when it is none.

    A server that knows nothing of audiences leaves them out of its answer; its yes means nothing then.
    """
    try:
        status = msgspec.json.decode(answer, type=_Review).status
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise CannotIdentify("the API server answered with something else than a TokenReview") from None
    namespace, _, name = status.user.username.removeprefix(ACCOUNT_PREFIX).partition(":")
    is_account = status.user.username.startswith(ACCOUNT_PREFIX) and namespace and name
    if not status.authenticated or audience not in status.audiences or not is_account:
        return None
    pods = status.user.extra.get(POD_NAME, [])
    return Reviewed(ServiceAccount(namespace, name), pods[0] if len(pods) == 1 else "")


def could_be_token(token: str) -> bool:
    """Whether this is worth asking the API server: three parts of base64url, as a JWT has (RFC 7519)."""
    if len(token) > TOKEN_LIMIT or not token.isascii() or token.count(".") != 2:
        return False
    return all(part and part.replace("-", "").replace("_", "").isalnum() for part in token.split("."))
