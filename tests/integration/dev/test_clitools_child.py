"""The process that runs tests may do anything; `flora test` says what it did and ends in time."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flora_core.toolchain import Project
from flora_dev.testing import runner
from flora_dev.testing.runner import Result, Wanted, run_tests
from tests.waiting import eventually

BEGAN = '{"type": "began", "name": "a"}'


def ran(code: str, monkeypatch: pytest.MonkeyPatch, *, files: int = 1, seconds: float = 60.0) -> list[Result]:
    """Results of a project whose child process runs ``code`` instead."""
    real = asyncio.create_subprocess_exec

    async def start(program: str, *arguments: str, **options: object) -> asyncio.subprocess.Process:
        if arguments == ("-m", "flora_dev.testing.child"):
            return await real(program, "-c", code, **options)  # pyright: ignore[reportArgumentType]
        return await real(program, *arguments, **options)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    project = Project({f"{number}.test.ts": "" for number in range(files)}, "0.test.ts")

    async def collect() -> list[Result]:
        return [result async for result in run_tests(project, Wanted(seconds=seconds))]

    return asyncio.run(collect())


def why(result: Result) -> str:
    assert result.outcome == "failed"
    assert result.error is not None
    return result.error.message


def test_a_process_that_dies_fails_the_test_that_ran_and_the_next_file_gets_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = f"import sys; sys.stdin.readline(); print('{BEGAN}', flush=True); sys.exit(9)"
    first, second = ran(code, monkeypatch, files=2)
    assert (first.file, first.name) == ("0.test.ts", "a")
    assert "died (status 9); the rest of the file did not run" in why(first)
    assert second.file == "1.test.ts"


def test_a_process_that_does_not_answer_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "GRACE_SECONDS", 0.5)
    (result,) = ran("import sys; sys.stdin.read()", monkeypatch, seconds=0.2)
    assert "longer than 0.7 s and could not be stopped" in why(result)


def test_a_process_that_says_something_odd_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    (result,) = ran("import sys; sys.stdin.readline(); print('hello')", monkeypatch)
    assert "said something odd" in why(result)


def test_watching_runs_again_when_a_file_is_saved(tmp_path: Path) -> None:
    test = tmp_path / "a.test.ts"
    code = 'import {{ expect, test }} from "flora-test";\ntest("{name}", () => expect(1).toBe({value}));\n'
    test.write_text(code.format(name="before", value=1))
    output = tmp_path / "out.txt"
    with output.open("wb") as out:
        watching = subprocess.Popen(
            [sys.executable, "-m", "flora_cli.main", "test", str(tmp_path), "--watch"],
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, "NO_COLOR": "1"},
        )
    try:
        eventually(lambda: "1 passed" in output.read_text(), seconds=60)

        def saved_and_seen() -> bool:
            test.write_text(code.format(name="behind", value=2))  # the watch may not be set up yet
            return "✗ behind" in output.read_text()

        eventually(saved_and_seen, seconds=60, pause=3)
        assert watching.poll() is None
    finally:
        watching.kill()
        watching.wait()
