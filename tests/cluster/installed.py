"""flora on a cluster with a node, installed by its chart with a simulated Discord, and what tests do with it.

Nothing here waits without a bound. What a test needs to see when it fails, ``told`` gathers: pods, events, logs.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cluster.api import Api, Document
from cluster.control_plane import Cluster
from cluster.errors import Refused
from cluster.node import condition
from cluster.place import NETWORKS, outside
from tests.cluster.charts import CHART, Helm, HelmFailed, Values
from tests.cluster.pods import log

NAMESPACE: Final = "flora"
PODS: Final = 3
NODE_PORT: Final = 30410
API_NODE_PORT: Final = 30404
READY_SECONDS: Final = 120.0
LAST_LINES: Final = 25

LITTLE: Final = {"requests": {"cpu": "20m", "memory": "64Mi"}}
"""There are two cores for all of it."""

VALUES: Final[Values] = {
    "discord": {"simulated": True},
    "database": {"inCluster": {"enabled": True, "image": "flora-test-postgres:1", "resources": LITTLE}},
    "redis": {"inCluster": {"enabled": True, "image": "flora-test-redis:1", "resources": LITTLE}},
    "gateway": {
        "resources": LITTLE,
        "config": {"DISCORD_GLOBAL_LIMIT": 0, "DISCORD_GUILD_LIMIT": 0},
    },
    "operator": {"resources": LITTLE},
    "runtime": {
        "replicas": PODS,
        "resources": LITTLE,
        # Scripts may ask servers that tests run on this machine.
        "config": {"RUNTIME_MAX_WORKERS": 1, "RUNTIME_FETCH_ALLOW": str(NETWORKS)},
        "terminationGracePeriodSeconds": 60,
    },
    "api": {"enabled": True, "replicas": 1, "resources": LITTLE},
    "simulator": {
        "resources": LITTLE,
        "config": {"SIMULATOR_RATE_LIMITS": False, "SIMULATOR_IDENTIFY_WINDOW_SECS": 0},
    },
}

SCRIPT: Final = """
const kept = kv.store("kept");
on("messageCreate", async (ctx) => {
  const [word, key, value] = ctx.msg.content.split(" ");
  if (word === "put") {
    await kept.set(key, value);
    await ctx.reply(`put ${key}`);
  } else if (word === "dump") {
    const { keys } = await kept.list({ limit: 200 });
    const pairs = await Promise.all(keys.map(async ({ name }) => [name, await kept.get(name)]));
    await ctx.reply(JSON.stringify(pairs));
  } else {
    await ctx.reply("re: " + ctx.msg.content);
  }
});
"""
"""Answers everything, and keeps what it is told to."""


@dataclass(slots=True)
class Installed:
    """The release ``flora`` in the namespace ``flora``."""

    cluster: Cluster
    api: Api
    helm: Helm
    guilds: list[str] = field(default_factory=list[str])

    @property
    def url(self) -> str:
        """The simulated Discord's, from this machine."""
        return f"http://{self._host}:{NODE_PORT}"

    @property
    def api_url(self) -> str:
        """The API's, from this machine."""
        return f"http://{self._host}:{API_NODE_PORT}"

    @property
    def here(self) -> str:
        """This machine's address, from a pod."""
        return outside(self._host)

    @property
    def _host(self) -> str:
        return self.cluster.access.server.split("//")[1].split(":")[0]

    def install(self, values: Values = VALUES) -> None:
        """Install or upgrade it. Raises HelmFailed. Blocks."""
        words = ("upgrade", "--install", "flora", str(CHART), "--namespace", NAMESPACE, "--create-namespace")
        self.helm.run(*words, values=values)

    def wait_ready(self, *, runtime: int = PODS, api: int = 1, seconds: float = READY_SECONDS) -> None:
        """Until every component is of its newest template, and ready. Blocks."""
        wanted = {
            ("Deployment", "flora-gateway"): 1,
            ("Deployment", "flora-operator"): 1,
            ("Deployment", "flora-simulator"): 1,
            ("Deployment", "flora-api"): api,
            ("StatefulSet", "flora-postgres"): 1,
            ("StatefulSet", "flora-redis"): 1,
            ("StatefulSet", "flora-runtime"): runtime,
        }
        self.until(
            lambda: [name for (kind, name), count in wanted.items() if not self._is_out(kind, name, count)],
            seconds=seconds,
        )

    def until(self, missing: Callable[[], Iterable[object]], *, seconds: float) -> None:
        """Until nothing is missing; fails with what is, and everything one would look at. Blocks."""
        deadline = time.monotonic() + seconds
        while left := list(missing()):
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds:g} s: {left}\n{self.told()}")
            time.sleep(0.2)

    def apply(self, guild: str, script: str = SCRIPT, **spec: Any) -> Document:
        """A GuildDeployment, as kubectl would apply it."""
        source = {"files": {"src/main.ts": script}}
        return self.api.apply(
            {**self.deployment(guild), "spec": {"guildId": guild, "source": source, **spec}}, force=True
        )

    def deployment(self, guild: str) -> Document:
        """What names it."""
        return {
            "apiVersion": "flora.uwu.network/v1alpha1",
            "kind": "GuildDeployment",
            "metadata": {"name": f"guild-{guild}", "namespace": NAMESPACE},
        }

    def has(self, guild: str) -> bool:
        """Whether there is one, on its way out too."""
        try:
            self.api.get(self.deployment(guild))
        except Refused:
            return False
        return True

    def condition(self, guild: str, kind: str = "Ready") -> Document | None:
        """The condition, when it is of what was applied last."""
        try:
            found = self.api.get(self.deployment(guild))
        except Refused:
            return None
        conditions = found.get("status", {}).get("conditions", [])
        one = next((one for one in conditions if one["type"] == kind), None)
        is_new = one is not None and one["observedGeneration"] == found["metadata"]["generation"]
        return one if is_new else None

    def is_ready(self, guild: str) -> bool:
        ready = self.condition(guild)
        return ready is not None and ready["status"] == "True"

    def pod_of(self, guild: str) -> str:
        """Where the guild is."""
        return self.api.get(self.deployment(guild))["status"]["assignment"]["pod"]

    def deploy(self, guilds: Iterable[str]) -> None:
        """All of them, live. Blocks."""
        wanted = list(guilds)
        for guild in wanted:
            self.apply(guild)
        self.until(lambda: [guild for guild in wanted if not self.is_ready(guild)], seconds=60)

    # ---------------------------------------------------------------- Discord

    def control(self, method: str, path: str, body: object = None) -> Any:
        """A route of the simulator's control. Raises OSError. Blocks."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/control{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def is_reached(self) -> bool:
        """Whether its port is open: kube-proxy takes a moment to learn of a Service."""
        try:
            self.control("GET", "/stats")
        except OSError:
            return False
        return True

    def ask(self, guild: str, content: str, *, seconds: float = 20.0) -> str:
        """What the bot answers in ``guild``; nobody else may be writing there. Blocks."""
        said = self.control("POST", f"/guilds/{guild}/messages", {"content": content})
        query = f"after={said['position']}&count=1&timeout={seconds}"
        answers = self.control("GET", f"/guilds/{guild}/answers?{query}")["answers"]
        if not answers:
            raise AssertionError(f"no answer to {content!r} within {seconds:g} s\n{self.told()}")
        return answers[0]["content"]

    def stored(self, guild: str) -> dict[str, str]:
        """What its script keeps."""
        return dict(json.loads(self.ask(guild, "dump")))

    # ---------------------------------------------------------------- Kubernetes

    def named(self, version: str, kind: str, name: str) -> Document:
        return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}}

    def pods(self, component: str = "") -> list[Document]:
        """Those of one component, or all."""
        label = {"labelSelector": f"app.kubernetes.io/component={component}"} if component else None
        return self.api.call("GET", f"/api/v1/namespaces/{NAMESPACE}/pods", query=label)["items"]

    def restart(self, kind: str, name: str) -> None:
        """As ``kubectl rollout restart`` does it."""
        annotations = {"tests.flora.uwu.network/restarted": str(time.time())}
        patch = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
        path = self.api.path(self.named("apps/v1", kind, name))
        self.api.call("PATCH", path, patch, content="application/merge-patch+json")

    def scale(self, replicas: int, *, kind: str = "StatefulSet", name: str = "flora-runtime") -> None:
        """The runtime pods, or another component's, as ``kubectl scale`` does it."""
        path = self.api.path(self.named("apps/v1", kind, name))
        patch = {"spec": {"replicas": replicas}}
        self.api.call("PATCH", f"{path}/scale", patch, content="application/merge-patch+json")

    def _is_out(self, kind: str, name: str, count: int) -> bool:
        """Whether ``count`` pods of the newest template are ready, and no others there."""
        try:
            found = self.api.get(self.named("apps/v1", kind, name))
        except Refused:
            return False
        status = found["status"]
        told = (status.get("replicas", 0), status.get("readyReplicas", 0), status.get("updatedReplicas", 0))
        return status.get("observedGeneration") == found["metadata"]["generation"] and told == (count,) * 3

    def told(self) -> str:
        """Pods, the newest events, and the ends of logs, for whoever reads a failure."""
        lines = ["---- pods"]
        for pod in self.pods():
            statuses = pod["status"].get("containerStatuses", [])
            restarts = sum(status["restartCount"] for status in statuses)
            states = [status["state"] for status in statuses]
            ready = condition(pod, "Ready")
            lines.append(f"{pod['metadata']['name']} ready={ready} restarts={restarts} {states}")
        lines.append("---- events")
        events = self.api.call("GET", f"/api/v1/namespaces/{NAMESPACE}/events")["items"]
        newest = sorted(events, key=lambda event: event.get("lastTimestamp") or "")[-LAST_LINES:]
        lines += [
            f"{event['involvedObject'].get('name')} {event['reason']}: {event['message']}" for event in newest
        ]
        for pod in self.pods():
            lines.append(f"---- log of {pod['metadata']['name']}")
            try:
                lines += [line[:300] for line in log(self.api, pod).splitlines()[-LAST_LINES:]]
            except Refused as error:
                lines.append(str(error))
        return "\n".join(lines)


def outside_service(component: str, port: int, node_port: int) -> Document:
    """A component, for this machine."""
    labels = {"app.kubernetes.io/instance": "flora", "app.kubernetes.io/component": component}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"outside-{component}", "namespace": NAMESPACE},
        "spec": {
            "type": "NodePort",
            "selector": labels,
            "ports": [{"port": port, "nodePort": node_port, "protocol": "TCP"}],
        },
    }


def install(cluster: Cluster, api: Api, program: Path, folder: Path) -> Installed:
    """The chart on ``cluster``, ready, with nine guilds and their scripts. Blocks."""
    release = Installed(cluster, api, Helm(program, folder, cluster.kubeconfig))
    try:
        release.install()
    except HelmFailed as error:
        raise AssertionError(f"{error}\n{release.told()}") from None
    release.wait_ready()
    api.apply(outside_service("simulator", 8410, NODE_PORT))
    api.apply(outside_service("api", 8404, API_NODE_PORT))
    release.until(lambda: [] if release.is_reached() else [release.url], seconds=30)
    release.guilds = [f"20000000000000{number:04}" for number in range(1, 10)]
    for guild in release.guilds:
        release.control("POST", "/guilds", {"name": f"guild {guild}", "id": guild})
    release.deploy(release.guilds)
    return release
