"""``flora token``: API tokens for programs, as CI."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, TypeVar

import typer

from flora_cli import show
from flora_cli.client import Api, segment
from flora_cli.errors import NotAllowed
from flora_cli.options import ApiUrl, AsJson, Env, connect
from flora_cli.output import note, print_json
from flora_core.errors import InvalidInput
from flora_core.ids import parse_guild_id

T = TypeVar("T")

app: Final = typer.Typer(name="token", help="Make and revoke tokens for programs.", no_args_is_help=True)


class Scope(StrEnum):
    """What a token may be limited to."""

    READ = "read"
    DEPLOY = "deploy"
    KV = "kv"
    SECRETS = "secrets"


@app.command()
def create(
    *,
    label: Annotated[str, typer.Option("--label", "-l", help="What it is for.")] = "",
    guild: Annotated[
        list[str] | None, typer.Option("--guild", "-g", help="Only for this guild; may be repeated.")
    ] = None,
    scope: Annotated[
        list[Scope] | None, typer.Option("--scope", help="Only for this; may be repeated. Default: all.")
    ] = None,
    expires_in_days: Annotated[
        int | None, typer.Option("--expires-in-days", help="Good for so long.", min=1)
    ] = None,
    api: ApiUrl = None,
    env: Env = None,
    json: AsJson = False,
) -> None:
    """Make a token. It is printed once, to standard output, and never shown again.

    Example: flora token create --label ci --guild 123456789012345678 --scope deploy
    """
    body = {
        "label": label or None,
        "guilds": [parse_guild_id(each, field="--guild") for each in guild or ()] or None,
        "scopes": list(scope or ()) or None,
        "expires_in_days": expires_in_days,
    }
    with connect(api, env) as known:
        given = {name: value for name, value in body.items() if value is not None}
        made = _as_session(known, "POST", "/tokens", dict[str, Any], given)
    if json:
        print_json(made)
        return
    note(f"token {made['token_id']}; keep it now, it is not shown again:")
    sys.stdout.write(f"{made['token']}\n")


@app.command(name="list")
def list_tokens(*, api: ApiUrl = None, env: Env = None, json: AsJson = False) -> None:
    """List your tokens, newest first.

    Example: flora token list
    """
    with connect(api, env) as known:
        found = _as_session(known, "GET", "/tokens", list[dict[str, Any]])
    if json:
        print_json(found)
    elif not found:
        note("there are none")
    else:
        show.print_rows(("ID", "LABEL", "SCOPES", "LAST USED", "EXPIRES", "GUILDS"), map(_token_row, found))


@app.command()
def revoke(
    token_id: Annotated[str, typer.Argument(help="Its id, from `flora token list`.")],
    *,
    api: ApiUrl = None,
    env: Env = None,
) -> None:
    """Revoke a token: it stops working at once.

    Example: flora token revoke 3f9a1c
    """
    if token_id.count("_") > 1:
        raise InvalidInput("give the token's id (flora token list), and never the token itself")
    with connect(api, env) as known:
        _as_session(known, "DELETE", f"/tokens/{segment(token_id)}", type(None))
    note(f"{token_id} is revoked")


def _token_row(row: Mapping[str, Any]) -> list[object]:
    scopes, guilds = (", ".join(row.get(name) or ()) or "all" for name in ("scopes", "guilds"))
    used, expires = (show.when(row.get(name)) or "never" for name in ("last_used_at", "expires_at"))
    return [row["token_id"], row.get("label"), scopes, used, expires, guilds]


def _as_session(api: Api, method: str, path: str, into: type[T], body: object = None) -> T:
    """A call that tokens of programs may not make."""
    try:
        return api.call(method, path, into, body=body)
    except NotAllowed as error:
        raise NotAllowed(
            f"{error}; what you use now was made for a program",
            code=error.code,
        ) from None
