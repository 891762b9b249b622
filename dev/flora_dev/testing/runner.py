"""Test files of a project: found, bundled, and run by a child process that is killed when it must be."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import msgspec
from msgspec import Struct

from flora_cli.project_file import entrypoint_of
from flora_core.assets import TESTING, asset
from flora_core.errors import BundleFailed, FloraError, InvalidInput
from flora_core.toolchain import Bundle, Diagnostic, Project, Toolchain
from flora_core.wire.control import ScriptError
from flora_dev.testing.wire import Began, Ended, Finished, Job, decode_said, encode

GRACE_SECONDS: Final = 5.0
"""More than a test's own time: then its process is killed. It stops what can be stopped by itself."""
LINE_LIMIT: Final = 8 << 20
_TEST: Final = re.compile(r"\.(test|spec)\.[cm]?[jt]sx?$")
_ENTRY: Final = "flora-test.entry.ts"
_PLACE: Final = re.compile(r"\(?([^\s()]+):(\d{1,9}):(\d{1,9})\)?$")


class Frame(Struct, frozen=True):
    """The line of the author's code where an error comes from."""

    file: str
    line: int
    column: int
    source: str


class Result(Struct, frozen=True, omit_defaults=True):
    """What became of a test; one without a name is about the whole file."""

    file: str
    name: str
    outcome: str
    milliseconds: float = 0.0
    error: ScriptError | None = None
    frame: Frame | None = None
    expected: str | None = None
    actual: str | None = None
    logs: list[tuple[str, str]] = []
    diagnostics: list[Diagnostic] = []
    """Of a file that cannot be bundled."""


@dataclass(slots=True, frozen=True)
class Wanted:
    """Which tests, and how long each may take."""

    files: Sequence[str] = ()
    """Only test files with one of these texts in their paths; empty for all."""
    pattern: str = ""
    seconds: float = 5.0


def find_tests(paths: Mapping[str, str], wanted: Sequence[str] = ()) -> list[str]:
    """The test files among ``paths`` whose path has one of ``wanted`` in it; sorted."""
    found = (path for path in sorted(paths) if _TEST.search(path))
    return [path for path in found if not wanted or any(part in path for part in wanted)]


def with_harness(project: Project, file: str) -> Project:
    """``project`` with the test file as its start and ``flora-test`` among its dependencies.

    What a test imports counts as the project's; the script's entrypoint runs when the file imports it.
    """
    harness = asset(TESTING).read_text()
    entry = f'import {{ run }} from "flora-test";\nimport "./{file}";\nvoid run();\n'
    return Project(
        {**project.files, _ENTRY: entry},
        _ENTRY,
        dependencies={
            **project.dependencies,
            "node_modules/flora-test/index.js": harness,
            "node_modules/flora-test/package.json": '{"name": "flora-test", "main": "index.js"}',
        },
    )


async def run_tests(project: Project, wanted: Wanted) -> AsyncGenerator[Result]:
    """Run them, file by file; raises InvalidInput when there is no test file."""
    files = find_tests(project.files, wanted.files)
    if not files:
        named = f" with {' or '.join(wanted.files)} in its name" if wanted.files else ""
        raise InvalidInput(
            f"there is no test file{named}; write one, as src/main.test.ts (flora init has one)"
        )
    async with Toolchain() as toolchain, _Child() as child:
        for file in files:
            try:
                bundle = (await toolchain.bundle(with_harness(project, file))).bundle
            except BundleFailed as error:
                yield Result(file, "", "failed", error=ScriptError(str(error)), diagnostics=error.diagnostics)
                continue
            async for ended in child.run(_job(file, bundle, wanted)):
                yield _result(project, file, ended)


def _job(file: str, bundle: Bundle, wanted: Wanted) -> Job:
    return Job(file, bundle.code, bundle.source_map, bundle.sha256, wanted.seconds, wanted.pattern)


def _result(project: Project, file: str, ended: Ended) -> Result:
    frame = None if ended.error is None else frame_of(ended.error.stack, project.files)
    return Result(
        file,
        ended.name,
        ended.outcome,
        ended.milliseconds,
        ended.error,
        frame,
        ended.expected,
        ended.actual,
        ended.logs,
    )


def frame_of(stack: str, files: Mapping[str, str]) -> Frame | None:
    """The innermost place of ``stack`` in one of ``files``, with its line."""
    for line in stack.splitlines():
        place = _PLACE.search(line)
        if place is None or place[1] not in files:
            continue
        number, column = int(place[2]), int(place[3])
        lines = files[place[1]].splitlines()
        if 0 < number <= len(lines):
            return Frame(place[1], number, column, lines[number - 1])
    return None


class _Died(FloraError):
    """The child process ended."""


@dataclass(slots=True)
class _Child:
    """The process that runs tests, started when it is needed and again when it died."""

    _process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._kill()

    async def run(self, job: Job) -> AsyncGenerator[Ended]:
        """What became of the job's tests. A process that dies ends the file, at the test that ran."""
        running = ""
        try:
            process = await self._started()
            assert process.stdin is not None
            process.stdin.write(encode(job) + b"\n")
            await process.stdin.drain()
            while True:
                said = await self._heard(process, job.seconds + GRACE_SECONDS)
                match said:
                    case Began(name):
                        running = name
                    case Ended():
                        running = ""
                        yield said
                    case Finished():
                        return
        except (_Died, OSError) as error:
            await self._kill()
            yield Ended(running, "failed", error=ScriptError(str(error)))

    async def _heard(self, process: asyncio.subprocess.Process, seconds: float) -> Began | Ended | Finished:
        assert process.stdout is not None
        try:
            async with asyncio.timeout(seconds):
                line = await process.stdout.readline()
        except TimeoutError:
            raise _Died(f"it took longer than {seconds:g} s and could not be stopped") from None
        if not line:
            status = await process.wait()
            raise _Died(
                f"the process that runs the tests died (status {status}); the rest of the file did not run"
            )
        try:
            return decode_said.decode(line)
        except msgspec.MsgspecError as error:
            raise _Died(f"the process that runs the tests said something odd: {error}") from None

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "flora_dev.testing.child",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=LINE_LIMIT,
            )
        return self._process

    async def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def read_project(folder: Path, entrypoint: str | None) -> Project:
    """The project in ``folder``. A folder of tests alone is one, too: its first test file starts it."""
    entrypoint = entrypoint_of(folder, entrypoint)
    try:
        return Project.from_folder(folder, entrypoint=entrypoint)
    except FloraError:
        found = sorted(path for path in folder.rglob("*.test.ts") if "node_modules" not in path.parts)
        if entrypoint is not None or not found:
            raise
        return Project.from_folder(folder, entrypoint=found[0].relative_to(folder).as_posix())
