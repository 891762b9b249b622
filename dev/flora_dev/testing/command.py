"""The command line of ``flora test``."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Annotated

import typer

from flora_dev.testing.report import Report
from flora_dev.testing.runner import Wanted, read_project, run_tests


def run(
    folder: Annotated[Path, typer.Argument(help="The project's folder.")] = Path(),
    files: Annotated[
        list[str] | None, typer.Argument(help="Only test files with one of these texts in their paths.")
    ] = None,
    *,
    name: Annotated[str, typer.Option("-t", "--name", help="Only tests with this text in their names.")] = "",
    timeout: Annotated[float, typer.Option(help="Seconds that a test may take.", min=0.1, max=600)] = 5.0,
    watch: Annotated[bool, typer.Option("-w", "--watch", help="Run again when a file is saved.")] = False,
    entrypoint: Annotated[str | None, typer.Option(help="The script's first file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for scripts.")] = False,
) -> None:
    """Run a project's tests (*.test.ts) in the engine of the pods. Exits with 1 when one fails.

    Example: flora test my-bot -t ping
    """
    wanted = Wanted(files=tuple(files or ()), pattern=name, seconds=timeout)
    if watch:
        asyncio.run(_watch(folder, entrypoint, wanted, as_json=json))
        return
    raise typer.Exit(1 if asyncio.run(_run(folder, entrypoint, wanted, as_json=json)) else 0)


async def _run(folder: Path, entrypoint: str | None, wanted: Wanted, *, as_json: bool) -> bool:
    """Whether a test failed."""
    started = time.monotonic()
    report = Report(as_json=as_json)
    async for result in run_tests(read_project(folder, entrypoint), wanted):
        report.add(result)
    report.finish(time.monotonic() - started)
    return report.failed


async def _watch(folder: Path, entrypoint: str | None, wanted: Wanted, *, as_json: bool) -> None:
    """Run now and after every change, until Ctrl-C."""
    from watchfiles import awatch  # noqa: PLC0415  most runs watch nothing

    from flora_core.errors import FloraError  # noqa: PLC0415

    async def once() -> None:
        try:
            await _run(folder, entrypoint, wanted, as_json=as_json)
        except FloraError as error:
            typer.secho(f"error: {error}", fg=typer.colors.RED, err=True)

    await once()
    async for _ in awatch(folder):
        typer.echo(err=True)
        await once()
