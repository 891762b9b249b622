"""Flora's images as they run: locked up, with what they need and nothing else, and together."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from cluster.api import Api, Document
from cluster.control_plane import Cluster
from cluster.execute import execute
from cluster.place import outside
from flora_core.control.server import ControlServer
from flora_core.identity import Identity, Role, StaticIdentities
from flora_core.wire.control import Loaded
from tests.cluster.pods import USER, log, pod, service, wait_ended, wait_ready
from tests.integration.path.path_under_test import POD, Operator

pytestmark = pytest.mark.usefixtures("images")

GUILD = "100000000000000001"
LISTENS = {"tcpSocket": {"port": 8410}}
RUNS = {
    "gateway": "import flora_gateway.main, flora_core",
    "runtime": "import flora_runtime.supervisor.main, flora_core",
    "api": "import flora_api.main, flora_core",
    "simulator": "import flora_simulator.main, flora_core",
}
OTHERS = {
    "gateway": ["flora_runtime", "flora_simulator", "flora_sdk", "flora_cli", "mini_racer", "plyvel"],
    "runtime": ["flora_gateway", "flora_simulator", "flora_cli", "discord", "redis"],
    "api": ["flora_gateway", "flora_runtime", "flora_operator", "flora_cli", "discord", "plyvel", "kopf"],
    "simulator": ["flora_gateway", "flora_runtime", "flora_sdk", "flora_cli", "mini_racer", "redis"],
}
TOOLS = ["pip", "pip3", "uv", "gcc", "make", "flora", "curl"]


def idle(component: str, namespace: str) -> Document:
    """Its image, doing nothing."""
    return pod(
        component, namespace=namespace, probe={"exec": {"command": ["true"]}}, command=["sleep", "600"]
    )


@pytest.mark.parametrize("component", RUNS)
def test_an_image_has_what_it_runs_and_nothing_else(
    component: str, whole: Cluster, whole_api: Api, place: str
) -> None:
    document = idle(component, place)
    whole_api.create(document)
    wait_ready(whole_api, document)
    name = document["metadata"]["name"]

    def run(*command: str) -> str:
        return execute(whole, name, *command, namespace=place)

    assert run("id", "-u").strip() == str(USER)
    assert run("python3", "-c", "import getpass; print(getpass.getuser())").strip() == "flora"
    run("python3", "-c", RUNS[component])
    names = " ".join(OTHERS[component])
    looked_for = (
        f"from importlib.util import find_spec; print([n for n in '{names}'.split() if find_spec(n)])"
    )
    assert run("python3", "-c", looked_for).strip() == "[]"
    assert run("sh", "-c", f"for name in {' '.join(TOOLS)}; do command -v $name; done; true").strip() == ""
    assert run("sh", "-c", "touch /opt/flora/x /x 2>/dev/null || echo refused").strip() == "refused"


def test_a_gateway_without_a_token_names_the_variable_and_ends(whole_api: Api, place: str) -> None:
    document = pod("gateway", namespace=place)
    whole_api.create(document)
    assert wait_ended(whole_api, document) == 2
    assert "DISCORD_TOKEN" in log(whole_api, document)


def test_a_runtime_pod_with_a_wrong_setting_names_it_and_ends(whole_api: Api, place: str) -> None:
    document = pod("runtime", namespace=place, settings={"RUNTIME_MAX_WORKERS": "many"})
    whole_api.create(document)
    assert wait_ended(whole_api, document) == 2
    assert "RUNTIME_MAX_WORKERS" in log(whole_api, document)


PEOPLE = """
import asyncio, sys
from flora_simulator import SimulatorClient

async def talk():
    async with SimulatorClient("http://127.0.0.1:8410") as people:
        act = await people.post(sys.argv[1])
        answer = await people.next_action(act.position, kinds=["message"], longest=20)
        print(answer.message["content"])

asyncio.run(talk())
"""

METRICS = """
from urllib.request import urlopen

print(urlopen("http://127.0.0.1:8403/metrics").read().decode())
"""


async def test_a_message_is_answered_through_pods(whole: Cluster, whole_api: Api, place: str) -> None:
    """Simulator, gateway and runtime in Pods; the control plane is this test, reached from the cluster."""
    operator = Operator()
    app = web.Application()
    tokens = {"runtime-token": Identity(Role.RUNTIME, POD), "gateway-token": Identity(Role.GATEWAY)}
    ControlServer(app, operator.state, operator, StaticIdentities(tokens))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    here = outside(whole.access.server.split("//")[1].split(":")[0])
    try:
        await web.TCPSite(runner, here, 0).start()
        control = f"http://{here}:{runner.addresses[0][1]}"
        revision = operator.deploy(
            GUILD, "on('messageCreate', (ctx) => ctx.reply('re: ' + ctx.msg.content));"
        )
        await asyncio.to_thread(start_all, whole_api, place, control)
        async with asyncio.timeout(30):
            while not any(isinstance(r, Loaded) and r.revision == revision for r in operator.reports):
                await asyncio.sleep(0.1)
        said = await asyncio.to_thread(
            execute, whole, "flora-simulator", "python3", "-c", PEOPLE, "hello", namespace=place
        )
        assert said.strip() == "re: hello"
        metrics = await asyncio.to_thread(
            execute, whole, "flora-runtime", "python3", "-c", METRICS, namespace=place
        )
        for wall in ("landlock", "seccomp"):
            assert f'flora_runtime_walls{{wall="{wall}"}} 1.0' in metrics, "they need no privilege"
    finally:
        await runner.cleanup()


def start_all(api: Api, namespace: str, control: str) -> None:
    settings = {
        "simulator": {"SIMULATOR_IDENTIFY_WINDOW_SECS": "0"},
        "gateway": {
            "DISCORD_TOKEN": "simulated-bot-token",
            "DISCORD_API_URL": "http://flora-simulator:8410",
            "GATEWAY_CONTROL_URL": control,
            "GATEWAY_TOKEN": "gateway-token",
            "GATEWAY_ACCEPT_TOKENS": f"runtime-token=runtime/{POD}",
        },
        "runtime": {
            "RUNTIME_POD_NAME": POD,
            "RUNTIME_GATEWAY_URL": "http://flora-gateway:8401",
            "RUNTIME_CONTROL_URL": control,
            "RUNTIME_TOKEN": "runtime-token",
            "RUNTIME_MAX_WORKERS": "1",
        },
    }
    documents = [
        pod(
            name, namespace=namespace, settings=settings[name], probe=LISTENS if name == "simulator" else None
        )
        for name in settings
    ]
    for document in documents:
        api.create(document)
    for name in ("simulator", "gateway"):
        api.create(service(name, namespace=namespace))
    wait_ready(api, *documents, seconds=90)
