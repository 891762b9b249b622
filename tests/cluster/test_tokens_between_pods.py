"""Gateway and runtime pod as processes that know each other by ServiceAccount tokens alone, as in a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster.api import Api
from cluster.control_plane import Cluster
from flora_core.identity import StaticIdentities
from flora_core.kube_access import read_kubeconfig
from flora_core.token_review import IdentitySettings, identities
from tests.cluster.test_token_review import token
from tests.integration.fleet.fleet import PATIENCE, Fleet
from tests.integration.path.path_under_test import POD

OTHER = "flora-runtime-1"


@dataclass
class Tokens:
    """What the kubelet would project into pods; a test writes another into the file to rotate it."""

    api: Api
    namespace: str
    gateway: Path
    runtime: Path

    def project(self, file: Path, *, account: str, pod: str | None = None, audience: str = "flora") -> None:
        bound = None
        if pod is not None:
            bound = self.api.call("GET", f"/api/v1/namespaces/{self.namespace}/pods/{pod}")
        file.write_text(token(self.api, self.namespace, account=account, audience=audience, pod=bound) + "\n")


@pytest.fixture
def tokens(api: Api, namespace: str, tmp_path: Path) -> Tokens:
    """Accounts, two runtime pods that nobody runs, and a token each for the gateway and the first pod."""
    for name in ("flora-gateway", "flora-runtime"):
        api.create(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}
        )
    for name in (POD, OTHER):
        api.create(
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
    tokens = Tokens(api, namespace, tmp_path / "gateway-token", tmp_path / "runtime-token")
    tokens.project(tokens.gateway, account="flora-gateway")
    tokens.project(tokens.runtime, account="flora-runtime", pod=POD)
    return tokens


@pytest.fixture
async def fleet(tokens: Tokens, cluster: Cluster, tmp_path: Path) -> AsyncIterator[Fleet]:
    """Up to the gateway; the runtime pod is the test's to start."""
    accounts = f"gateway={tokens.namespace}/flora-gateway,runtime={tokens.namespace}/flora-runtime"
    kube = read_kubeconfig(cluster.kubeconfig)
    settings = IdentitySettings(service_accounts=accounts)
    async with identities(settings, StaticIdentities({}), cluster=kube) as known:
        fleet = Fleet(tmp_path)
        fleet.identities = known
        fleet.gateway_settings = {
            "GATEWAY_TOKEN": "",
            "GATEWAY_TOKEN_FILE": str(tokens.gateway),
            "GATEWAY_ACCEPT_TOKENS": "",
            "FLORA_SERVICE_ACCOUNTS": accounts,
            "KUBECONFIG": str(cluster.kubeconfig),
        }
        fleet.runtime_settings = {"RUNTIME_TOKEN": "", "RUNTIME_TOKEN_FILE": str(tokens.runtime)}
        await fleet.start_discord()
        await fleet.start_control()
        await fleet.start_gateway()
        yield fleet
        await fleet.stop()


async def test_pods_let_each_other_in_by_their_accounts(fleet: Fleet) -> None:
    await fleet.start_runtime()
    await fleet.deploy("on('messageCreate', async (ctx) => { await ctx.reply('re: ' + ctx.msg.content); });")
    await fleet.ready()
    await fleet.people.post("hello")
    await fleet.wait_answers({"re: hello"})
    assert fleet.operator.gateway_reports, "the gateway was let in too"
    assert 'flora_identity_reviews_total{answer="accepted"}' in await fleet.metrics(fleet.gateway)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"account": "flora-runtime", "pod": OTHER}, "other_pod"),
        ({"account": "flora-runtime"}, "other_pod"),
        ({"account": "flora-gateway"}, "other_role"),
        ({"account": "flora-runtime", "pod": POD, "audience": "vault"}, "unknown"),
    ],
    ids=["another pod's", "no pod's", "the gateway's", "for another audience"],
)
async def test_a_pod_with_a_wrong_token_is_kept_out_until_the_file_has_a_right_one(
    fleet: Fleet, tokens: Tokens, wrong: dict[str, str], reason: str
) -> None:
    tokens.project(tokens.runtime, **wrong)
    (fleet.folder / "runtime").mkdir()
    (fleet.folder / "runtime" / "assignments.json").write_text("{}")
    await fleet.start_runtime()
    async with asyncio.timeout(PATIENCE):
        counter = f'flora_identity_turned_away_total{{reason="{reason}"}}'
        while counter not in await fleet.metrics(fleet.gateway):
            await asyncio.sleep(0.1)
    assert await fleet.unready(fleet.runtime) != ""
    tokens.project(tokens.runtime, account="flora-runtime", pod=POD)
    await fleet.ready()
