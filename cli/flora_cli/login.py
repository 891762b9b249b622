"""``flora login``, ``logout``, ``whoami``: being known to an API."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any, Final

import msgspec
import typer
from msgspec import Struct
from rich.text import Text

from flora_cli import config, show
from flora_cli.client import Api
from flora_cli.config import Login, Target
from flora_cli.errors import CliError, NotLoggedIn, NotThere
from flora_cli.options import ApiUrl, AsJson, Env, can_ask, connect
from flora_cli.output import note, print_json, standard_input, warn
from flora_core.errors import InvalidInput

WAIT_SECONDS: Final = 300.0
"""For a person to log in at Discord."""


class Person(Struct, frozen=True):
    """Somebody with an account at Discord."""

    id: str
    username: str = ""
    global_name: str | None = None

    @property
    def shown(self) -> str:
        """As people call him."""
        return self.global_name or self.username or self.id


class TokenLimits(Struct, frozen=True):
    """What a token may be used for."""

    token_id: str
    label: str | None = None
    guilds: list[str] | None = None
    scopes: list[str] | None = None
    expires_at: str | None = None


class Me(Struct, frozen=True):
    """Who an API takes us for."""

    user: Person
    type: str
    token: TokenLimits | None = None


def login(
    *,
    api: ApiUrl = None,
    env: Env = None,
    token: Annotated[
        str | None,
        typer.Option(help="Take a token instead of a browser: - reads it from standard input, or asks."),
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the browser; else its address is shown.")] = True,
) -> None:
    """Log in with Discord, or with a token.

    A `flora dev` on this machine needs no login; `--api dev` makes it what is meant from now on.

    Example: flora login --api https://flora.example.com
    """
    if token not in {None, "-"}:
        raise InvalidInput(
            "--token: a token does not belong on a command line, where others can read it; write "
            "`--token -` and give it on standard input, or set FLORA_TOKEN"
        )
    target = _target(api, env)
    if target.folder and token is None:
        _log_in_here(target)
        return
    config.check_transport(target.url)
    given = _asked_for_token() if token else _from_browser(target, open_browser=browser)
    with Api(Target(target.url, target.source, given)) as known:
        me = known.get("/auth/me", Me)
    token_id = me.token.token_id if me.token else ""
    in_keyring = config.remember(target.url, Login(me.user.shown, token_id), given)
    place = "the system's keyring" if in_keyring else str(config.user_file())
    note(f"logged in at {target.url} as {me.user.shown}; the token is in {place}")
    if os.environ.get(config.TOKEN):
        warn(f"{config.TOKEN} is set and comes before this login")


def logout(*, api: ApiUrl = None, env: Env = None) -> None:
    """Revoke this machine's token and forget it.

    Example: flora logout
    """
    target = _target(api, env)
    if target.folder:
        config.forget(config.HERE)
        note("logged out; while nothing else is configured, commands reach a `flora dev` all the same")
        return
    if target.url not in config.read_user().logins:
        raise NotLoggedIn(f"nobody is logged in at {target.url} from here")
    stored = config.resolve(api=target.url, env=None, environ=_without_token())
    try:
        if stored is not None and stored.token:
            _revoke(stored)
    finally:
        config.forget(target.url)
    note(f"logged out of {target.url}")


def whoami(*, api: ApiUrl = None, env: Env = None, json: AsJson = False) -> None:
    """Show as whom, where and with which rights you are known.

    Example: flora whoami
    """
    with connect(api, env) as known:
        if not known.target.token:
            raise NotLoggedIn(f"nobody is logged in at {known.target.url}: flora login")
        answer = known.get("/auth/me", dict[str, Any])
    if json:
        print_json({"api": known.target.url, **answer})
        return
    me = msgspec.convert(answer, Me)
    console = show.console()
    console.print(Text(f"{show.plain(me.user.shown)} ({me.user.id}) at {known.target.url}"))
    if me.token:
        limits = me.token
        console.print(
            Text(
                f"token {show.plain(limits.label or limits.token_id)}: "
                f"{', '.join(limits.scopes or []) or 'all scopes'}; "
                f"{'guilds ' + ', '.join(limits.guilds) if limits.guilds else 'all your guilds'}; "
                f"{'expires ' + limits.expires_at if limits.expires_at else 'does not expire'}",
                style="dim",
            )
        )


def _log_in_here(target: Target) -> None:
    """A ``flora dev`` knows its developer: there is nothing to ask, and nothing to keep."""
    with Api(target) as known:
        me = known.get("/auth/me", Me)
    config.remember_dev()
    note(f"logged in at {target.url} as {me.user.shown}: {target.source}, whichever runs from now on")


def _target(api: str | None, env: str | None) -> Target:
    with connect(api, env) as known:
        return known.target


def _without_token() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != config.TOKEN}


def _asked_for_token() -> str:
    asked = sys.stdin.isatty()
    given = typer.prompt("Token", hide_input=True, err=True) if asked else standard_input()
    if not given.strip() or len(given.split()) != 1:
        raise InvalidInput("--token: should be one token, as `flora token create` or the console shows it")
    return given.strip()


def _from_browser(target: Target, *, open_browser: bool) -> str:
    if not can_ask():
        raise InvalidInput(
            "a browser needs somebody to use it: give a token with `--token -`, or set FLORA_TOKEN"
        )
    from flora_cli.browser_login import log_in  # noqa: PLC0415  an HTTP server that nothing else needs

    return log_in(target, open_browser=open_browser, seconds=WAIT_SECONDS)


def _revoke(target: Target) -> None:
    """End the token at the API too; where that does not work, say so: it lives on there."""
    try:
        with Api(target) as known:
            known.call("POST", "/auth/logout", type(None))
    except (NotLoggedIn, NotThere):
        return
    except CliError as error:
        warn(f"the token could not be revoked and is good until it expires: {error}")
