"""ServiceAccount tokens, made and judged by a real API server, and what becomes of the answers here."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from prometheus_client import REGISTRY

from cluster.api import Api
from cluster.control_plane import ISSUER, Cluster
from cluster.processes import Processes
from flora_core.identity import CannotIdentify, Identities, Identity, Role, StaticIdentities, require
from flora_core.kube_access import KubeAccess, find_cluster, read_kubeconfig
from flora_core.streams import Token
from flora_core.token_review import (
    IdentitySettings,
    ReviewLimits,
    ServiceAccount,
    TokenReviewIdentities,
    identities,
    parse_accounts,
)
from tests.integration.loopback import listening
from tests.waiting import eventually

RUNTIME_0 = Identity(Role.RUNTIME, "flora-runtime-0")
QUICK = ReviewLimits(seconds=1.5)
_numbers = itertools.count()


class Clock:
    """Time that a test moves on."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def kube(cluster: Cluster) -> KubeAccess:
    return read_kubeconfig(cluster.kubeconfig)


@pytest.fixture
def accounts(api: Api, namespace: str) -> dict[ServiceAccount, Role]:
    """flora's, and one of somebody else's."""
    for name in ("flora-gateway", "flora-runtime", "somebody"):
        api.create(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}
        )
    text = f"gateway={namespace}/flora-gateway,runtime={namespace}/flora-runtime"
    return parse_accounts(text, variable="FLORA_SERVICE_ACCOUNTS")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def known(
    kube: KubeAccess, accounts: dict[ServiceAccount, Role], clock: Clock
) -> AsyncIterator[TokenReviewIdentities]:
    async with TokenReviewIdentities(kube, accounts, audience="flora", limits=QUICK, clock=clock) as known:
        yield known


@pytest.fixture
def pod(api: Api, namespace: str, accounts: dict[ServiceAccount, Role]) -> Callable[[str], dict[str, Any]]:
    """Makes a Pod object of the runtime's account; nothing runs it."""

    def make(name: str) -> dict[str, Any]:
        return api.create(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {
                    "serviceAccountName": "flora-runtime",
                    "containers": [{"name": "runtime", "image": "flora-runtime"}],
                },
            }
        )

    return make


def token(
    api: Api,
    namespace: str,
    *,
    account: str = "flora-runtime",
    audience: str = "flora",
    pod: dict[str, Any] | None = None,
) -> str:
    """By TokenRequest, as the kubelet asks for a projected one."""
    spec: dict[str, Any] = {"audiences": [audience], "expirationSeconds": 600}
    if pod is not None:
        metadata = pod["metadata"]
        spec["boundObjectRef"] = {
            "kind": "Pod",
            "apiVersion": "v1",
            "name": metadata["name"],
            "uid": metadata["uid"],
        }
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    return api.call("POST", path, body)["status"]["token"]


def reviews(answer: str) -> float:
    """How many there were that ended so."""
    return REGISTRY.get_sample_value("flora_identity_reviews_total", {"answer": answer}) or 0.0


@asynccontextmanager
async def frozen(cluster: Cluster) -> AsyncIterator[None]:
    """An API server that takes connections and answers none."""
    record = next(
        (
            one
            for one in Processes(cluster.kubeconfig.parent, bound=False).records
            if one.name == "kube-apiserver"
        ),
        None,
    )
    if record is None:
        pytest.skip("this cluster's API server is not ours to stop")
    os.kill(record.pid, signal.SIGSTOP)
    try:
        eventually(lambda: all(is_stopped(task) for task in Path(f"/proc/{record.pid}/task").iterdir()))
        yield
    finally:
        os.kill(record.pid, signal.SIGCONT)
        await asyncio.sleep(0.3)  # connections that were given up can say goodbye now


def is_stopped(task: Path) -> bool:
    """One thread: they stop one by one."""
    return "\nState:\tT" in (task / "status").read_text()


# ---- Who is who


async def test_a_pods_token_is_its_accounts_role_and_its_own_name(
    api: Api, namespace: str, known: TokenReviewIdentities, pod: Callable[[str], dict[str, Any]]
) -> None:
    bound = token(api, namespace, pod=pod("flora-runtime-0"))
    assert await known.identify(bound) == RUNTIME_0


async def test_a_token_that_is_bound_to_no_pod_opens_no_pods_stream(
    api: Api, namespace: str, known: TokenReviewIdentities
) -> None:
    assert await known.identify(token(api, namespace)) == Identity(Role.RUNTIME, "")
    assert await known.identify(token(api, namespace, account="flora-gateway")) == Identity(Role.GATEWAY, "")


async def test_a_token_for_another_audience_is_nobodys(
    api: Api, namespace: str, known: TokenReviewIdentities, pod: Callable[[str], dict[str, Any]]
) -> None:
    """The API server's own among them: what a pod is given by default."""
    runtime = pod("flora-runtime-0")
    for audience in ("vault", ISSUER):
        assert await known.identify(token(api, namespace, pod=runtime, audience=audience)) is None


async def test_another_accounts_token_is_nobodys(
    api: Api, namespace: str, known: TokenReviewIdentities
) -> None:
    assert await known.identify(token(api, namespace, account="somebody")) is None


async def test_an_account_of_the_same_name_elsewhere_is_nobody(
    api: Api, namespace: str, known: TokenReviewIdentities
) -> None:
    elsewhere = {"name": "flora-runtime", "namespace": "default"}
    account = api.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": elsewhere})
    try:
        assert await known.identify(token(api, "default")) is None
    finally:
        api.delete(account)


async def test_a_forged_token_is_nobodys(api: Api, namespace: str, known: TokenReviewIdentities) -> None:
    head, claims, signature = token(api, namespace).split(".")
    stolen = json.loads(base64.urlsafe_b64decode(claims + "=="))
    stolen["sub"] = f"system:serviceaccount:{namespace}:flora-gateway"
    forged = base64.urlsafe_b64encode(json.dumps(stolen).encode()).decode().rstrip("=")
    assert await known.identify(f"{head}.{forged}.{signature}") is None


async def test_an_expired_token_is_nobodys(
    cluster: Cluster, api: Api, namespace: str, known: TokenReviewIdentities
) -> None:
    """Signed with the cluster's own key, as the API server would have an hour ago."""
    key_file = cluster.kubeconfig.parent / "pki" / "accounts.key"
    if not key_file.exists():
        pytest.skip("this cluster's key is not ours")
    good = token(api, namespace)
    assert await known.identify(resigned(good, key_file, by=0)) is not None
    assert await known.identify(resigned(good, key_file, by=-3600)) is None


async def test_a_deleted_pods_token_is_nobodys_within_a_minute(
    api: Api, namespace: str, known: TokenReviewIdentities, pod: Callable[[str], dict[str, Any]], clock: Clock
) -> None:
    runtime = pod("flora-runtime-0")
    bound = token(api, namespace, pod=runtime)
    assert await known.identify(bound) == RUNTIME_0
    api.call("DELETE", api.path(runtime), {"gracePeriodSeconds": 0})
    eventually(lambda: "flora-runtime-0" not in str(api.call("GET", f"/api/v1/namespaces/{namespace}/pods")))
    clock.ahead += QUICK.fresh_seconds + 1
    await asyncio.sleep(11)  # the API server itself remembers a yes for ten seconds
    assert await known.identify(bound) is None


async def test_what_is_no_token_is_not_asked_about(known: TokenReviewIdentities) -> None:
    before = reviews("refused")
    for text in ("sesame", "a.b", "a.b.c.d", "x" * 100_000, "a.b.\udcff"):
        assert await known.identify(text) is None
    assert reviews("refused") == before


# ---- Answers that are kept


async def test_a_yes_is_asked_for_once_a_minute(
    api: Api, namespace: str, known: TokenReviewIdentities, clock: Clock
) -> None:
    mine, before = token(api, namespace), reviews("accepted")
    for _ in range(10):
        assert await known.identify(mine) is not None
    assert reviews("accepted") == before + 1
    clock.ahead += QUICK.fresh_seconds + 1
    assert await known.identify(mine) is not None
    assert reviews("accepted") == before + 2


async def test_a_no_is_asked_for_once_in_ten_seconds(
    api: Api, namespace: str, known: TokenReviewIdentities, clock: Clock
) -> None:
    theirs, before = token(api, namespace, account="somebody"), reviews("refused")
    for _ in range(10):
        assert await known.identify(theirs) is None
    assert reviews("refused") == before + 1
    clock.ahead += QUICK.refused_seconds + 1
    assert await known.identify(theirs) is None
    assert reviews("refused") == before + 2


async def test_many_who_come_at_once_with_one_token_are_one_review(
    api: Api, namespace: str, known: TokenReviewIdentities
) -> None:
    mine, before = token(api, namespace), reviews("accepted")
    found = await asyncio.gather(*(known.identify(mine) for _ in range(50)))
    assert set(found) == {Identity(Role.RUNTIME, "")}
    assert reviews("accepted") == before + 1


async def test_who_hangs_up_does_not_take_the_answer_from_others(
    api: Api, namespace: str, known: TokenReviewIdentities
) -> None:
    mine = token(api, namespace)
    first, second = asyncio.create_task(known.identify(mine)), asyncio.create_task(known.identify(mine))
    await asyncio.sleep(0)
    first.cancel()
    assert await second is not None
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_guesses_evict_no_yes(
    api: Api, namespace: str, kube: KubeAccess, accounts: dict[ServiceAccount, Role]
) -> None:
    small = ReviewLimits(known=4, refused=4)
    async with TokenReviewIdentities(kube, accounts, audience="flora", limits=small) as known:
        mine, before = token(api, namespace), reviews("accepted")
        await known.identify(mine)
        for _ in range(20):
            assert await known.identify(f"eyJhbGciOiJSUzI1NiJ9.{next(_numbers)}.c2ln") is None
        assert await known.identify(mine) is not None
        assert reviews("accepted") == before + 1
        assert len(known._refused) == 4


async def test_the_least_used_yes_goes_first(
    api: Api, namespace: str, kube: KubeAccess, accounts: dict[ServiceAccount, Role]
) -> None:
    async with TokenReviewIdentities(kube, accounts, audience="flora", limits=ReviewLimits(known=2)) as known:
        tokens = [token(api, namespace) for _ in range(3)]
        await known.identify(tokens[0])
        await known.identify(tokens[1])
        await known.identify(tokens[0])
        await known.identify(tokens[2])
        before = reviews("accepted")
        await known.identify(tokens[0])
        assert reviews("accepted") == before
        await known.identify(tokens[1])
        assert reviews("accepted") == before + 1


async def test_a_yes_ends_before_its_token_does(
    cluster: Cluster, api: Api, namespace: str, known: TokenReviewIdentities, clock: Clock
) -> None:
    mine = token(api, namespace)
    assert await known.identify(mine) is not None
    clock.ahead += 600 - QUICK.early_seconds + 1
    async with frozen(cluster):
        with pytest.raises(CannotIdentify):
            await known.identify(mine)


# ---- Without an API server


async def test_while_the_api_server_is_silent_who_was_known_stays_known(
    cluster: Cluster, api: Api, namespace: str, known: TokenReviewIdentities, clock: Clock
) -> None:
    mine = token(api, namespace)
    assert await known.identify(mine) is not None
    async with frozen(cluster):
        assert await known.identify(mine) is not None
        clock.ahead += 5 * QUICK.fresh_seconds
        assert await known.identify(mine) is not None  # after a try
        began = time.monotonic()
        assert await known.identify(mine) is not None  # without one
        assert time.monotonic() - began < QUICK.seconds / 2


async def test_while_the_api_server_is_silent_a_new_token_is_not_known(
    cluster: Cluster, api: Api, namespace: str, known: TokenReviewIdentities
) -> None:
    mine = token(api, namespace)
    async with frozen(cluster):
        with pytest.raises(CannotIdentify):
            await known.identify(mine)
    assert await known.identify(mine) is not None


async def test_only_so_many_tokens_wait_for_a_silent_api_server(
    cluster: Cluster, kube: KubeAccess, accounts: dict[ServiceAccount, Role]
) -> None:
    few = ReviewLimits(at_once=2, waiting=4, seconds=1.0)
    known = TokenReviewIdentities(kube, accounts, audience="flora", limits=few)
    async with known, frozen(cluster):
        began = time.monotonic()
        calls = [known.identify(f"eyJhbGciOiJSUzI1NiJ9.{next(_numbers)}.c2ln") for _ in range(50)]
        found = await asyncio.gather(*calls, return_exceptions=True)
        assert time.monotonic() - began < 5
    assert all(isinstance(answer, CannotIdentify) for answer in found)
    assert sum("too many" in str(answer) for answer in found) == 46


async def test_an_api_server_that_is_not_there_is_told_at_once(accounts: dict[ServiceAccount, Role]) -> None:
    nowhere = KubeAccess("https://127.0.0.1:1")
    async with TokenReviewIdentities(nowhere, accounts, audience="flora") as known:
        with pytest.raises(CannotIdentify, match="cannot be asked"):
            await known.identify("a.b.c")


async def test_without_the_right_to_ask_nobody_is_known_and_the_log_says_what_to_do(
    api: Api, namespace: str, cluster: Cluster, accounts: dict[ServiceAccount, Role]
) -> None:
    own = token(api, namespace, account="flora-gateway", audience=ISSUER)
    without = KubeAccess(cluster.access.server, token=Token(own), authorities=cluster.access.authority)
    async with TokenReviewIdentities(without, accounts, audience="flora") as known:
        with pytest.raises(CannotIdentify, match=r"answered 403: .* system:auth-delegator"):
            await known.identify(token(api, namespace))


async def test_the_role_for_it_is_all_it_takes(
    api: Api, namespace: str, cluster: Cluster, accounts: dict[ServiceAccount, Role]
) -> None:
    with may_review(api, namespace, "flora-gateway"):
        own = token(api, namespace, account="flora-gateway", audience=ISSUER)
        gateway = KubeAccess(cluster.access.server, token=Token(own), authorities=cluster.access.authority)
        async with TokenReviewIdentities(gateway, accounts, audience="flora") as known:
            assert await known.identify(token(api, namespace)) == Identity(Role.RUNTIME, "")


# ---- In a pod


async def test_a_pods_own_token_and_authorities_may_be_rotated(
    api: Api, namespace: str, cluster: Cluster, accounts: dict[ServiceAccount, Role], tmp_path: Path
) -> None:
    if cluster.access.authority is None:
        pytest.skip("this cluster's authority is the system's")
    host, _, port = cluster.access.server.removeprefix("https://").rpartition(":")
    with may_review(api, namespace, "flora-gateway"):
        (tmp_path / "token").write_text(token(api, namespace, account="flora-gateway", audience=ISSUER))
        (tmp_path / "ca.crt").write_bytes(cluster.access.authority)
        environment = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
        kube = find_cluster(environment, account=tmp_path)
        async with TokenReviewIdentities(kube, accounts, audience="flora") as known:
            assert await known.identify(token(api, namespace)) is not None

            (tmp_path / "token").write_text("rotated.too.far")
            with pytest.raises(CannotIdentify, match="answered 401"):
                await known.identify(token(api, namespace))
            (tmp_path / "token").write_text(token(api, namespace, account="flora-gateway", audience=ISSUER))
            assert await known.identify(token(api, namespace)) is not None

            replace(tmp_path / "ca.crt", b"no certificate")
            with pytest.raises(CannotIdentify, match="cannot be asked"):
                await known.identify(token(api, namespace))
            replace(tmp_path / "ca.crt", cluster.access.authority)
            assert await known.identify(token(api, namespace)) is not None


# ---- As a server uses it


async def test_streams_are_answered_with_the_right_status(
    cluster: Cluster,
    api: Api,
    namespace: str,
    accounts: dict[ServiceAccount, Role],
    pod: Callable[[str], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    settings = IdentitySettings(
        service_accounts=f"gateway={namespace}/flora-gateway runtime={namespace}/flora-runtime"
    )
    fixed = StaticIdentities.parse("sesame=runtime/flora-runtime-0", variable="ACCEPT_TOKENS")
    mine = token(api, namespace, pod=pod("flora-runtime-0"))
    other = token(api, namespace, pod=pod("flora-runtime-1"))
    strange = token(api, namespace, account="somebody")
    late = token(api, namespace)
    async with identities(settings, fixed) as known, serving(known) as get:
        assert await get("flora-runtime-0", mine) == 200
        assert await get("flora-runtime-0", "sesame") == 200
        assert await get("flora-runtime-0", other) == 403
        assert await get("flora-runtime-0", token(api, namespace, account="flora-gateway")) == 403
        assert await get("flora-runtime-0", strange) == 401
        assert await get("flora-runtime-0", token(api, namespace, audience="vault")) == 401
        assert await get("flora-runtime-0", "") == 401
        async with frozen(cluster):
            assert await get("flora-runtime-0", mine) == 200
            assert await get("flora-runtime-0", other) == 403
            assert await get("flora-runtime-0", late) == 503


@asynccontextmanager
async def serving(known: Identities) -> AsyncIterator[Callable[[str, str], Any]]:
    """A stream of each pod, and a way to ask for it."""

    async def stream(request: web.Request) -> web.Response:
        await require(request, known, role=Role.RUNTIME, pod=request.match_info["pod"])
        return web.Response()

    app = web.Application()
    app.router.add_get("/v1/pods/{pod}/desired", stream)
    async with listening(app) as url, ClientSession() as session:

        async def get(pod: str, bearer: str) -> int:
            headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
            async with session.get(f"{url}/v1/pods/{pod}/desired", headers=headers) as response:
                return response.status

        yield get


@contextmanager
def may_review(api: Api, namespace: str, account: str) -> Iterator[None]:
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"{namespace}-{account}"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "system:auth-delegator",
        },
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    }
    api.create(binding)
    try:
        yield
    finally:
        api.delete(binding)


def resigned(good: str, key_file: Path, *, by: float) -> str:
    """The same token, made ``by`` seconds later."""
    head, claims, _ = good.split(".")
    document = json.loads(base64.urlsafe_b64decode(claims + "=="))
    for name in ("iat", "nbf", "exp"):
        document[name] += int(by)
    signed = f"{head}.{base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip('=')}"
    key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    numbers = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    signature = b"".join(number.to_bytes(32, "big") for number in numbers)  # ES256, RFC 7518
    return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def replace(path: Path, data: bytes) -> None:
    """As Kubernetes changes a mounted file: another one takes its place."""
    new = path.with_suffix(".new")
    new.write_bytes(data)
    new.replace(path)
