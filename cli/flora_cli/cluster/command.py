"""The command line of ``flora cluster``."""

from __future__ import annotations

import os
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.text import Text

from flora_cli import show
from flora_cli.cluster.facts import Kube, open_cluster
from flora_cli.cluster.findings import Finding, judge
from flora_cli.options import AsJson
from flora_cli.output import print_json

app: Final = typer.Typer(
    name="cluster", help="Look after an installation of flora on Kubernetes.", no_args_is_help=True
)

_MARKS: Final = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "problem": ("✗", "red")}


@app.callback()
def cluster() -> None:
    """Look after an installation of flora on Kubernetes."""


@app.command()
def doctor(
    *,
    namespace: Annotated[
        str | None, typer.Option("-n", "--namespace", help="Look here alone; without it everywhere.")
    ] = None,
    kubeconfig: Annotated[
        Path | None, typer.Option(help="The cluster's file; else KUBECONFIG, or ~/.kube/config.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings are problems, too.")] = False,
    json: AsJson = False,
) -> None:
    """Say what is wrong with an installation, and what to do. Exits with 1 when something is.

    Nothing is changed, and no Secret is read. Other exit codes: 3 you may not look, 5 the cluster cannot be
    reached.

    Example: flora cluster doctor -n flora
    """
    facts = Kube(open_cluster(kubeconfig, os.environ)).facts(namespace)
    findings = judge(facts, cli_version=version("flora"))
    counts = Counter(finding.level for finding in findings)
    if json:
        print_json({"server": facts.server, "findings": findings})
    else:
        _print(f"{facts.server}  {facts.kubernetes}", findings)
    raise typer.Exit(1 if counts["problem"] or (strict and counts["warning"]) else 0)


def _print(head: str, findings: list[Finding]) -> None:
    console = show.console()
    console.print(Text(show.plain(head), style="dim"))
    for finding in findings:
        mark, style = _MARKS[finding.level]
        console.print(Text(f"{mark} ", style=style) + Text(show.plain(f"{finding.subject}: {finding.text}")))
        if finding.advice and finding.level != "ok":
            console.print(Text(f"    → {show.plain(finding.advice)}", style="dim"))
