"""What TAB offers besides commands and options: guilds and environments of ``flora.toml``, stores, jobs.

Nothing is asked, nothing is said and nothing takes longer than ANSWER_SECONDS: where something is wrong,
there is nothing to offer.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import typer

from flora_cli.in_time import answer_within
from flora_core.errors import FloraError
from flora_core.running import NothingRuns

if TYPE_CHECKING:
    from flora_cli.api_access import ApiGuild
    from flora_cli.client import Api
    from flora_cli.project_file import Environment

ANSWER_SECONDS: Final = 2.0
"""For an API, or a `flora dev`, that is asked."""

Offers = list[tuple[str, str]]
"""What can be typed, and what it is."""


def guilds(incomplete: str) -> Offers:
    """Those that the project names, with their environments."""
    named: dict[str, list[str]] = {}
    for name, environment in _project().items():
        for guild in environment.guilds:
            named.setdefault(guild, []).append(name)
    return _beginning([(guild, ", ".join(names)) for guild, names in named.items()], incomplete)


def environments(incomplete: str) -> Offers:
    """Those of the project, with how many guilds each has."""
    named = [
        (name, f"{len(one.guilds)} guild{'s' * (len(one.guilds) != 1)} {one.api}".rstrip())
        for name, one in _project().items()
    ]
    return _beginning(named, incomplete)


def stores(ctx: typer.Context, incomplete: str) -> Offers:
    """Those of the guild that is meant."""
    return _asked(
        ctx, incomplete, lambda access: [(one.store_name, f"{one.keys} keys") for one in access.stores()]
    )


def jobs(ctx: typer.Context, incomplete: str) -> Offers:
    """Those of the guild that is meant."""
    return _asked(ctx, incomplete, lambda access: [(one.name, one.expression) for one in access.jobs()])


def _asked(ctx: typer.Context, incomplete: str, ask: Callable[[ApiGuild], Offers]) -> Offers:
    params = dict(ctx.params)

    def answer() -> Offers:
        with _reach(params) as access:
            return ask(access)

    return _beginning(answer_within(ANSWER_SECONDS, answer, otherwise=[]), incomplete)


@contextmanager
def _reach(params: Mapping[str, Any]) -> Generator[ApiGuild]:
    """As ``access.reach``, where that needs no question."""
    # Here, because nothing of it is needed to run a command.
    from flora_cli.access import Asked, target_of  # noqa: PLC0415
    from flora_cli.api_access import ApiGuild  # noqa: PLC0415
    from flora_cli.client import Api  # noqa: PLC0415

    project, guild = params.get("project"), params.get("guild")
    asked = Asked(guild, params.get("env"), params.get("api"), Path(project) if project else None)
    target = target_of(asked, sleep=_give_up)
    if target is None:
        raise NothingRuns
    with Api(target, sleep=_give_up) as api:
        yield ApiGuild(api, guild or _only(target.guilds) or _only(_guilds_at(api)))


def _guilds_at(api: Api) -> list[str]:
    return [str(each["id"]) for each in api.get("/guilds", list[dict[str, Any]])]


def _only(found: Sequence[str]) -> str:
    """The only one there is; raises ValueError for several: nobody can be asked which."""
    (only,) = found or [""]
    return only


def _project() -> Mapping[str, Environment]:
    """The environments of the project around; none where its file is wrong."""
    from flora_cli.config import find_project  # noqa: PLC0415
    from flora_cli.project_file import read_project_file  # noqa: PLC0415

    folder = find_project(Path.cwd())
    try:
        return read_project_file(folder).env if folder is not None else {}
    except FloraError:
        return {}


def _beginning(offers: Iterable[tuple[str, str]], incomplete: str) -> Offers:
    return [offer for offer in offers if offer[0].startswith(incomplete)]


def _give_up(_seconds: float) -> NoReturn:
    raise TimeoutError
