"""The API of a ``flora dev`` on this machine, as something to speak to.

Each session leaves where its API is, with the developer's token, in a file for its user alone
(``flora_core.running``). It is looked up for each command, because both change from session to session.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from flora_cli.config import DEV, Target
from flora_cli.errors import CliError, Unavailable
from flora_cli.output import note
from flora_core.running import NothingRuns, Running, all_running, choose

START_SECONDS: Final = 120.0
"""A session's first start makes a database; after this long there is something wrong with it."""
POLL_SECONDS: Final = 0.1


class NoApi(CliError):
    """The session has none."""


def runs_here() -> bool:
    """Whether there is any ``flora dev`` on this machine."""
    return bool(all_running())


def dev_target(
    project: Path | None = None,
    *,
    guilds: tuple[str, ...] = (),
    sleep: Callable[[float], None] = time.sleep,
) -> Target:
    """The API of the session for the folder ``project``; without it of the one around us, or the only one.

    Waits for one that still starts. Raises NothingRuns, InvalidInput when it is not clear which, NoApi, or
    Unavailable when it does not come.
    """
    session = choose(all_running(), here=Path.cwd(), wanted=project)
    waited = 0.0
    while not session.api:
        _check(session)
        if not waited:
            note("waiting for the API of `flora dev` to start …")
        if waited >= START_SECONDS:
            raise Unavailable(f"the API of the `flora dev` in {session.folder} does not start")
        sleep(POLL_SECONDS)
        waited += POLL_SECONDS
        session = choose(all_running(), here=Path.cwd(), wanted=Path(session.folder))
    return _target(session, guilds)


def found_again(target: Target) -> Target | None:
    """The same folder's session now; None when none runs, or its API does not yet."""
    try:
        session = choose(all_running(), here=Path.cwd(), wanted=Path(target.folder))
    except NothingRuns:
        return None
    return _target(session, target.guilds) if session.api else None


def _target(session: Running, guilds: tuple[str, ...]) -> Target:
    source = f"the `{DEV}` in {session.folder}"
    return Target(session.api, source, session.api_token, guilds, folder=session.folder)


def _check(session: Running) -> None:
    if session.no_api:
        raise NoApi(
            f"the `flora dev` in {session.folder} has no API ({session.no_api}); "
            "at its prompt there are :kv, :logs and :cron"
        )
