"""The baseline of the worker benchmarks: npm's isolated-vm, the usual way to run V8 isolates in a server.

It is built once with the machine's own Node and npm (node-gyp, about a minute) and kept outside the
repository. One Node process on the tested core holds the isolates and answers the ops itself, in process:
no pipe, no limits, no flight record. That favours the baseline; the bar is set accordingly.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Literal

import msgspec

from bench import payloads
from bench.machine import cores
from bench.processes import Child, running, start
from bench.worker_pipe import DISTINCT_EVENTS, Spent
from flora_core.assets import PRELUDE, asset
from flora_core.toolchain import Bundle

RELEASE: Final = "5.0.4"
BUILD_SECONDS: Final = 180.0
RUN_SECONDS: Final = 30.0

How = Literal["apply", "applySync"]


class IsolatedVmMissing(Exception):
    """There is no baseline here; the text says why."""


class IsolatedVm:
    """A running Node process with its isolates loaded."""

    def __init__(self, child: Child) -> None:
        self._child = child

    @property
    def pid(self) -> int:
        return self._child.pid

    async def run(self, seconds: float, *, how: How, batch: int, in_flight: int) -> Spent:
        """The same as ``WorkerPipe.run``. ``apply`` leaves the event loop free; ``applySync`` blocks it."""
        order = {"how": how, "seconds": seconds, "batch": batch, "inFlight": in_flight}
        stdin = self._child.process.stdin
        assert stdin is not None
        stdin.write(msgspec.json.encode(order) + b"\n")
        answer = msgspec.json.decode(await self._child.line(seconds=seconds + RUN_SECONDS))
        return Spent(answer["events"], answer["cpu"], answer["wall"], int(answer["turns"]))


@asynccontextmanager
async def isolated_vm(folder: Path, bundle: Bundle, *, guilds: int) -> AsyncIterator[IsolatedVm]:
    """A Node process on the tested core; raises IsolatedVmMissing."""
    module = await installed()
    setup = folder / "isolated_vm.json"
    setup.write_bytes(
        msgspec.json.encode(
            {
                "prelude": asset(PRELUDE).read_text("utf-8"),
                "bundle": bundle.code,
                "events": [payloads.worker_event(0, number).decode() for number in range(DISTINCT_EVENTS)],
                "answer": payloads.sent_answer().decode(),
                "guilds": guilds,
            }
        )
    )
    program = Path(__file__).with_suffix(".cjs")
    child = await start(
        "isolated-vm", ["node", str(program), str(module), str(setup)], core=cores().tested, logs=folder
    )
    async with running(child):
        yield IsolatedVm(child)


async def installed() -> Path:
    """The module, built for this Node; raises IsolatedVmMissing."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise IsolatedVmMissing("no baseline: node and npm are not installed")
    version = (await _output(node, "--version", seconds=10)).strip()
    folder = Path.home() / ".cache" / "flora-bench" / f"isolated-vm-{RELEASE}-node-{version}"
    module = folder / "node_modules" / "isolated-vm"
    if not (folder / "built").exists():
        print(f"building isolated-vm {RELEASE} in {folder} (once, about a minute)", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        await _output(
            npm,
            "install",
            "--no-fund",
            "--no-audit",
            "--prefix",
            str(folder),
            f"isolated-vm@{RELEASE}",
            seconds=BUILD_SECONDS,
        )
        await _output(node, "-e", f"new (require({str(module)!r})).Isolate()", seconds=10)
        (folder / "built").touch()
    return module


async def _output(*command: str, seconds: float) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate()
    except TimeoutError:
        raise IsolatedVmMissing(f"no baseline: {command[0]} took longer than {seconds:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = output.decode(errors="replace")
    if process.returncode:
        last = " | ".join(text.strip().splitlines()[-3:])
        raise IsolatedVmMissing(f"no baseline: isolated-vm {RELEASE} could not be built: {last[:300]}")
    return text
