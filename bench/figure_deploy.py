"""`cluster-deploy-…`: how long `flora deploy` takes until the script is live, all of flora on this machine.

The command, ``flora-api``, a Kubernetes API server, ``flora-operator`` and a runtime pod are processes as
they are shipped, with Postgres and Redis; only Discord's side is played, by this one. Each deploy is a new
process of the command and has a file that changed; the first ones, which warm everything up, do not count.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from bench.api_world import Neighbours, admit, api, neighbours, postgres, redis
from bench.cluster_world import NAMESPACE, STATEFULSET, World, guild_of, world
from bench.figure_bundle import twenty_files
from bench.flora import LOCALHOST, POD, until_ready
from bench.pod_alone import pod_alone
from bench.processes import Child, ProcessFailed, python, running, start
from bench.rows import Row, latencies
from flora_core.toolchain import Project

DEPLOYS: Final = 30
WARM: Final = 3
SECONDS: Final = 60.0
P50_BAR: Final = 1.0
P95_BAR: Final = 2.0
POD_TOKEN: Final = "the-token-of-the-pod"


async def deploy_figures(folder: Path) -> AsyncGenerator[Row]:
    """Both rows."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        made = await enter(world())
        await made.scale(1)
        database = await enter(postgres())
        around = await enter(neighbours(1))
        operator = await enter(running(await _operator(made, folder, database, around[0])))
        await until_ready(operator, seconds=60)
        replica = await enter(
            api(
                folder,
                database=database,
                redis=await enter(redis(folder)),
                around=around,
                core=None,
                KUBECONFIG=str(made.kubeconfig),
                API_NAMESPACE=NAMESPACE,
                API_CONTROL_URL=operator.url,
                API_ACCEPT_TOKENS=f"{POD_TOKEN}=runtime/{POD}",
            )
        )
        pod_settings = {"RUNTIME_CONTROL_URL": operator.url, "RUNTIME_API_URL": replica.child.internal}
        await enter(pod_alone(folder, workers=1, settings=pod_settings, runtime_token=POD_TOKEN))
        project = twenty_files()
        bot = _written(project, folder / "bot")
        environment = {
            "FLORA_API_URL": replica.child.url,
            "FLORA_TOKEN": await admit(database),
            "HOME": str(folder),
            "PATH": os.environ["PATH"],
        }
        runs: list[float] = []
        for number in range(-WARM, DEPLOYS):
            _change(project, bot, number)
            seconds = await _deploy(bot, environment)
            if number >= 0:
                runs.append(seconds)
    note = f"{len(project.files)} files, one of them new in each of {DEPLOYS} deploys, from the command on"
    for row in latencies("cluster-deploy", runs, p50=P50_BAR, p95=P95_BAR, note=note):
        yield row


async def _operator(made: World, folder: Path, database: str, around: Neighbours) -> Child:
    return await start(
        "operator",
        python("flora_operator.main"),
        core=None,
        logs=folder,
        environment={
            "KUBECONFIG": str(made.kubeconfig),
            "OPERATOR_HOST": LOCALHOST,
            "OPERATOR_PORT": "0",
            "OPERATOR_NAMESPACE": NAMESPACE,
            "OPERATOR_WATCH_NAMESPACES": NAMESPACE,
            "OPERATOR_STATEFULSET": STATEFULSET,
            "OPERATOR_DATABASE_URL": database,
            "OPERATOR_ACCEPT_TOKENS": f"{POD_TOKEN}=runtime/{POD},{around.token}=api",
            "OPERATOR_LOG_LEVEL": "WARNING",
        },
    )


def _written(project: Project, folder: Path) -> Path:
    for path, text in project.files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def _change(project: Project, folder: Path, number: int) -> None:
    main = folder / project.entrypoint
    main.write_text(f"{project.files[project.entrypoint]}\nconsole.log({number});\n")


async def _deploy(folder: Path, environment: dict[str, str]) -> float:
    """Seconds until the command says that it is live; raises ProcessFailed."""
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("flora")),
        "deploy",
        str(folder),
        "--guild",
        guild_of(0),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(SECONDS):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        said, _ = await process.communicate()
    if process.returncode:
        raise ProcessFailed(f"flora deploy ended with {process.returncode}: {said.decode()[-500:]}")
    return time.monotonic() - began
