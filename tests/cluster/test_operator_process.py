"""``flora-operator`` as a process: real bundler, its own signals, its exit codes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from tests.cluster.operating import PODS, Stage
from tests.cluster.played_pods import PlayedPod, get

pytestmark = pytest.mark.usefixtures("crd")

GUILD = "123456789012345678"


@pytest.fixture
def stage(stage: Stage) -> Stage:
    """With one pod, which has every guild."""
    stage.statefulset(1)
    return stage


@asynccontextmanager
async def operator(stage: Stage, **variables: str) -> AsyncIterator[asyncio.subprocess.Process]:
    environment = {
        **os.environ,
        "KUBECONFIG": str(stage.cluster.kubeconfig),
        "FLORA_CONFIG": "",
        "OPERATOR_HOST": "127.0.0.1",
        "OPERATOR_PORT": "0",
        "OPERATOR_NAMESPACE": stage.namespace,
        "OPERATOR_WATCH_NAMESPACES": stage.namespace,
        "OPERATOR_ACCEPT_TOKENS": f"{PODS[0]}=runtime/{PODS[0]}",
        **variables,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "flora_operator.main",
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def address(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(30):
        said: dict[str, Any] = msgspec.json.decode(await process.stdout.readline())
    return str(said["url"])


async def test_it_serves_a_real_bundle_and_ends_in_time_when_told_to(stage: Stage) -> None:
    async with operator(stage) as process:
        stage.url = await address(process)
        pod = PlayedPod(stage.url, PODS[0], token=PODS[0])
        pod.scripts = {}
        async with pod:
            stage.apply(GUILD, "createBot({})")
            document = await stage.ready(GUILD)
            sha256 = document["status"]["bundle"]["sha256"]
            status, text = await get(f"{stage.url}/v1/bundles/{sha256}", token=PODS[0])
            assert status == 200
            assert "createBot" in text
            stage.apply(GUILD, "const = 1")
            document = await stage.ready(GUILD, "BundleFailed")
            assert "src/main.ts:1" in str(document["status"]["conditions"])
        began = asyncio.get_running_loop().time()
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await process.wait() == 0
        assert asyncio.get_running_loop().time() - began < 8
        assert process.stderr is not None
        said = (await process.stderr.read()).decode()
        assert "synced" in said
        assert "kopf.objects" not in said, "an object's events are no news"


@pytest.mark.parametrize(
    ("variable", "value"),
    [("OPERATOR_PORT", "65536"), ("OPERATOR_ACCEPT_TOKENS", "nonsense"), ("KUBECONFIG", "/nowhere")],
)
async def test_a_wrong_setting_is_one_line_that_names_it(stage: Stage, variable: str, value: str) -> None:
    async with operator(stage, **{variable: value}) as process:
        async with asyncio.timeout(30):
            _, errors = await process.communicate()
        assert process.returncode == 2
        assert variable in errors.decode()
        assert "Traceback" not in errors.decode()


async def test_with_no_api_server_to_be_had_it_waits(stage: Stage) -> None:
    """That is told at /readyz, and is no reason to end."""
    async with operator(stage, OPERATOR_WATCH_NAMESPACES="", KUBECONFIG=str(nowhere(stage))) as process:
        url = await address(process)
        await asyncio.sleep(1)
        assert (await get(f"{url}/readyz"))[0] == 503
        assert (await get(f"{url}/healthz"))[0] == 200
        assert process.returncode is None


def nowhere(stage: Stage) -> Any:
    """A kubeconfig whose server does not answer."""
    path = stage.cluster.kubeconfig.with_name("nowhere.kubeconfig")
    text = stage.cluster.kubeconfig.read_text()
    path.write_text(text.replace(stage.cluster.access.server, "https://127.0.0.1:1"))
    return path
