"""Whose ServiceAccount token this is, as the API server says (``authentication.k8s.io/v1`` TokenReview).

Flora's pods dial each other with tokens that Kubernetes makes for them: bound to the pod, for the audience
``flora``, good for ten minutes. Whoever is dialled sends an unknown token to the API server, and keeps the
answer by the token's hash: a yes for a minute, and never longer than the token itself is good; a no for ten
seconds. Calls with the same token wait for the same review, and few reviews are under way at once.

While the API server does not answer, a yes that has grown old still counts until shortly before the token's
own end: its bearer was let in before, and streams must be able to come back. Whoever was never seen is
told to try again (CannotIdentify, 503), never let in.

``_known``, ``_refused`` and ``_asking`` belong to the event loop, and are only touched between awaits.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, ClassVar, Final, Self

import aiohttp
import msgspec
from msgspec import Struct
from prometheus_client import Counter, Histogram
from pydantic_settings import SettingsConfigDict

from flora_core.errors import FloraError, InvalidSettings
from flora_core.identity import CannotIdentify, Identities, Identity, Role, StaticIdentities
from flora_core.kube_access import KubeAccess, find_cluster
from flora_core.settings import Settings
from flora_core.telemetry import logger

REVIEWS: Final = "/apis/authentication.k8s.io/v1/tokenreviews"
POD_NAME: Final = "authentication.kubernetes.io/pod-name"
ACCOUNT_PREFIX: Final = "system:serviceaccount:"
TOKEN_LIMIT: Final = 16 << 10
"""Characters; a ServiceAccount's token has some 1,200."""

_reviews = Counter("flora_identity_reviews_total", "Tokens sent to the API server for review", ["answer"])
_seconds = Histogram("flora_identity_review_seconds", "How long the API server took to review a token")
_old = Counter("flora_identity_old_answers_total", "Old answers that counted, for want of a new one")

_log = logger(__name__)


class IdentitySettings(Settings):
    """``FLORA_…`` in the environment, ``[identity]`` in config.toml; gateway and operator have the same."""

    model_config = SettingsConfigDict(env_prefix="FLORA_")
    table: ClassVar[str] = "identity"

    service_accounts: str = ""
    """Who may dial in: ``gateway=NAMESPACE/NAME,runtime=NAMESPACE/NAME``, a role as often as wanted. Empty
    for fixed tokens alone, which need no API server."""

    token_audience: str = "flora"  # noqa: S105  no token
    """The audience that tokens must be made for; one made for the API server or for others does not count."""


@dataclass(frozen=True, slots=True)
class ReviewLimits:
    """What checking tokens may take."""

    fresh_seconds: float = 60.0
    """How long a yes counts before the API server is asked again."""
    refused_seconds: float = 10.0
    """How long a no counts."""
    early_seconds: float = 10.0
    """So long before its end a token is as good as ended, for clocks differ."""
    known: int = 4096
    """Tokens that are kept; those least used go first. Kept apart from the refused, so that guessing evicts
    none."""
    refused: int = 1024
    at_once: int = 8
    """Reviews under way."""
    waiting: int = 256
    """Tokens that wait for a review; more are told to try again."""
    seconds: float = 3.0
    """For one review, waiting included."""
    pause_seconds: float = 2.0
    """After a review that failed, old answers count without another try for so long."""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    namespace: str
    name: str


class Reviewed(Struct, frozen=True):
    """Whom the API server says a token belongs to."""

    account: ServiceAccount
    pod: str = ""
    """The pod it is bound to; empty for a token that is bound to none."""


@dataclass(slots=True, frozen=True)
class _Known:
    identity: Identity
    fresh_until: float
    usable_until: float


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
        self._limits = limits or ReviewLimits()
        self._clock = clock
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._refused: OrderedDict[bytes, float] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[Identity | None]] = {}
        self._turns = asyncio.Semaphore(self._limits.at_once)
        self._failed_at = float("-inf")

    async def __aenter__(self) -> Self:
        await self._reviewer.open()
        return self

    async def __aexit__(self, *_error: object) -> None:
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await self._reviewer.close()

    async def identify(self, token: str) -> Identity | None:
        """Whose token this is; None for nobody's. Raises CannotIdentify when that cannot be known now."""
        if not could_be_token(token):
            return None
        key = sha256(token.encode()).digest()
        now = self._clock()
        known = self._known.get(key)
        if known is not None and now < known.fresh_until:
            self._known.move_to_end(key)
            return known.identity
        if now < self._refused.get(key, 0.0):
            return None
        usable = known if known is not None and now < known.usable_until else None
        if usable is not None and now < self._failed_at + self._limits.pause_seconds:
            _old.inc()
            return usable.identity
        try:
            return await self._ask(key, token)
        except CannotIdentify:
            if usable is None:
                raise
            _old.inc()
            return usable.identity

    async def _ask(self, key: bytes, token: str) -> Identity | None:
        """The API server's answer, shared by all who ask for this token now."""
        task = self._asking.get(key)
        if task is None:
            if len(self._asking) >= self._limits.waiting:
                raise CannotIdentify("too many tokens wait for a review")
            task = self._asking[key] = asyncio.create_task(self._review(key, token))
            task.add_done_callback(lambda done: self._answered(key, done))
        return await asyncio.shield(task)  # others wait for it too

    def _answered(self, key: bytes, task: asyncio.Task[Identity | None]) -> None:
        del self._asking[key]
        if not task.cancelled():
            task.exception()  # all who waited may be gone

    async def _review(self, key: bytes, token: str) -> Identity | None:
        try:
            async with asyncio.timeout(self._limits.seconds), self._turns:
                reviewed = await self._reviewer.review(token)
        except (CannotIdentify, TimeoutError) as error:
            self._failed_at = self._clock()
            _reviews.labels("none").inc()
            _log.warning("token_review_failed", error=str(error) or "the API server did not answer in time")
            if isinstance(error, CannotIdentify):
                raise
            raise CannotIdentify("the API server did not answer in time") from None
        self._failed_at = float("-inf")
        role = self._accounts.get(reviewed.account) if reviewed is not None else None
        if reviewed is None or role is None:
            _reviews.labels("refused").inc()
            self._refuse(key)
            return None
        _reviews.labels("accepted").inc()
        identity = Identity(role, reviewed.pod)
        self._keep(key, identity, token)
        return identity

    def _keep(self, key: bytes, identity: Identity, token: str) -> None:
        now = self._clock()
        usable = expiry(token, otherwise=now + self._limits.fresh_seconds) - self._limits.early_seconds
        self._refused.pop(key, None)
        self._known[key] = _Known(identity, min(now + self._limits.fresh_seconds, usable), usable)
        self._known.move_to_end(key)
        while len(self._known) > self._limits.known:
            self._known.popitem(last=False)

    def _refuse(self, key: bytes) -> None:
        self._known.pop(key, None)
        self._refused[key] = self._clock() + self._limits.refused_seconds
        self._refused.move_to_end(key)
        while len(self._refused) > self._limits.refused:
            self._refused.popitem(last=False)


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


class EitherIdentities:
    """Fixed tokens first, then others."""

    def __init__(self, first: Identities, then: Identities) -> None:
        self._first = first
        self._then = then

    async def identify(self, token: str) -> Identity | None:
        return await self._first.identify(token) or await self._then.identify(token)


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


def expiry(token: str, *, otherwise: float) -> float:
    """When a token ends, in seconds since 1970, by its own words: for those the API server has accepted."""
    part = token.split(".")[1]
    try:
        claims: Any = msgspec.json.decode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return float(claims["exp"])
    except (binascii.Error, ValueError, KeyError, TypeError, OverflowError):
        return otherwise
