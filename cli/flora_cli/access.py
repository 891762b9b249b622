"""Reaching a guild that runs, for ``flora kv``, ``logs`` and ``cron``: at an API, or a ``flora dev``'s."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from msgspec import Struct

from flora_cli import config
from flora_cli.api_access import ApiGuild, reach_api
from flora_cli.config import Target
from flora_cli.dev_target import dev_target
from flora_cli.errors import CliError
from flora_cli.output import note
from flora_core.errors import InvalidInput
from flora_core.running import all_running, choose


class Asked(Struct, frozen=True):
    """Where to reach a guild, as the command line says it."""

    guild: str | None = None
    env: str | None = None
    api: str | None = None
    project: Path | None = None


def target_of(asked: Asked, *, sleep: Callable[[float], None] = time.sleep) -> Target | None:
    """Whom to ask; None when none is configured and no ``flora dev`` runs. Raises as ``reach``."""
    if asked.project is not None:
        return dev_target(asked.project, sleep=sleep)
    return config.resolve(api=asked.api, env=asked.env)


def reach(asked: Asked) -> AbstractContextManager[ApiGuild]:
    """The guild that is meant: at the API that is configured, else at the ``flora dev`` of this folder.

    ``--project`` means ``flora dev`` in any case. Raises CliError, InvalidInput, or NothingRuns.
    """
    if asked.project is not None and (asked.api or asked.env):
        raise InvalidInput("--project means a `flora dev` on this machine; leave out --api and --env, or it")
    target = target_of(asked)
    if target is None:
        raise CliError(
            "no `flora dev` runs on this machine, and no API is configured; start one: flora dev my-bot; "
            "or name an API: flora login --api https://flora.example.com"
        )
    if not target.folder and not asked.api and not asked.env:
        _remark_on_dev(target.url)
    return reach_api(target, asked.guild)


def _remark_on_dev(url: str) -> None:
    """Say who is asked, where it could be thought that it is the ``flora dev`` of this folder."""
    here = Path.cwd().resolve()
    around = [running for running in all_running() if here.is_relative_to(running.folder)]
    if around:
        folder = choose(around, here=here).folder
        note(f"asking {url}; for the `flora dev` of this folder say --project {folder}")
