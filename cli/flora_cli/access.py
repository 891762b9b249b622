"""Reaching a guild that runs: what ``flora kv``, ``logs`` and ``cron`` need of whatever serves it.

``GuildAccess`` is the port. Behind it is a guild of an API (``api_access``): of the one that is configured,
else of the ``flora dev`` that runs on this machine. It speaks in the shapes of docs/api.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from msgspec import UNSET, Raw, Struct, UnsetType

from flora_cli import config
from flora_cli.errors import CliError
from flora_cli.output import note
from flora_core.errors import InvalidInput
from flora_core.running import all_running, choose


class Store(Struct, frozen=True):
    """A store and its size."""

    guild_id: str
    store_name: str
    keys: int
    bytes: int


class Kept(Struct, frozen=True, omit_defaults=True):
    """A value, and what is kept beside it."""

    value: str
    expiration: float | None = None
    """Unix seconds."""
    metadata: Any = None


class KeyPage(Struct, frozen=True, omit_defaults=True):
    """Some keys of a store: ``{name, expiration?, metadata?}``."""

    keys: list[dict[str, Any]]
    list_complete: bool | UnsetType = UNSET
    cursor: str | None = None
    """Where the next page begins; None behind the last."""


class Put(Struct, frozen=True, omit_defaults=True):
    """A value to be stored."""

    key: str
    value: str
    ttl: float | None = None
    """Seconds from now; or instead ``expiration``, Unix seconds."""
    expiration: float | None = None
    metadata: Raw | UnsetType = UNSET


class Line(Struct, frozen=True, omit_defaults=True):
    """A line of a guild's log."""

    id: str
    timestamp: int
    """Milliseconds since 1970."""
    level: str
    target: str
    """``script`` or ``runtime``."""
    guild_id: str
    message: str
    outcome: str | None = None
    stack: str | None = None
    event: str | None = None
    revision: int | str | None = None


class LogQuery(Struct, frozen=True):
    """Which lines."""

    limit: int = 100
    level: str = "debug"
    grep: str = ""
    since: int | None = None
    """Milliseconds since 1970; so is ``until``."""
    until: int | None = None


class Job(Struct, frozen=True):
    """A job by the clock; times in Unix seconds."""

    name: str
    expression: str
    next: float | None = None
    last: float | None = None
    skip_if_running: bool = False


class Ran(Struct, frozen=True):
    """A job that was run on demand has ended."""

    name: str
    outcome: str
    milliseconds: float = 0.0


class GuildAccess(Protocol):
    """One guild. Methods raise what ``flora_cli.errors`` lists, or InvalidInput for a wrong call."""

    guild: str

    def stores(self) -> list[Store]: ...

    def keys(self, store: str, *, prefix: str = "", limit: int = 100, cursor: str = "") -> KeyPage: ...

    def get(self, store: str, key: str) -> Kept | None: ...

    def put(self, store: str, put: Put) -> None: ...

    def delete(self, store: str, key: str) -> bool:
        """Whether there was something to delete."""
        ...

    def clear(self, store: str, *, prefix: str = "") -> int:
        """Delete all keys that begin so; how many there were."""
        ...

    def logs(self, query: LogQuery) -> Iterator[Line]:
        """The newest lines asked for, oldest first."""
        ...

    def follow(self, query: LogQuery, *, on_break: Callable[[str], None]) -> Iterator[Line]:
        """The same and those to come, for ever and over breaks, of which ``on_break`` is told."""
        ...

    def jobs(self) -> list[Job]: ...

    def run_job(self, name: str) -> Ran:
        """Run a job now and wait for its end."""
        ...


class Asked(Struct, frozen=True):
    """Where to reach a guild, as the command line says it."""

    guild: str | None = None
    env: str | None = None
    api: str | None = None
    project: Path | None = None


def reach(asked: Asked) -> AbstractContextManager[GuildAccess]:
    """The guild that is meant: at the API that is configured, else at the ``flora dev`` of this folder.

    ``--project`` means ``flora dev`` in any case. Raises CliError, InvalidInput, or NothingRuns.
    """
    from flora_cli.api_access import reach_api  # noqa: PLC0415  it is made of this
    from flora_cli.dev_target import dev_target  # noqa: PLC0415

    if asked.project is not None and (asked.api or asked.env):
        raise InvalidInput("--project means a `flora dev` on this machine; leave out --api and --env, or it")
    if asked.project is not None:
        return reach_api(dev_target(asked.project), asked.guild)
    target = config.resolve(api=asked.api, env=asked.env)
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
