"""``flora open`` and ``flora health``: the installation that one speaks to."""

from __future__ import annotations

import webbrowser
from typing import Annotated

import typer

from flora_cli import show
from flora_cli.options import ApiUrl, AsJson, Env, connect
from flora_cli.output import print_json


def health(*, api: ApiUrl = None, env: Env = None, json: AsJson = False) -> None:
    """Ask whether the API answers. Exits with 5 when it does not.

    Example: flora health
    """
    with connect(api, env) as known:
        answer = known.text("/health")
        url = known.target.url
    if json:
        print_json({"api": url, "health": answer})
    else:
        typer.echo(f"{url} {show.plain(answer)}")


def open_page(
    *,
    reference: Annotated[bool, typer.Option("--docs", help="The API's reference instead.")] = False,
    show_only: Annotated[bool, typer.Option("--print", help="Print the address, open nothing.")] = False,
    api: ApiUrl = None,
    env: Env = None,
) -> None:
    """Open this installation's page in the browser.

    Example: flora open --docs
    """
    with connect(api, env) as known:
        address = f"{known.target.url}/{'api-docs' if reference else ''}"
    if show_only or not webbrowser.open(address):
        typer.echo(address)
