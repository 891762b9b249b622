"""What an author asks of ``flora dev`` besides speaking to the bot: run a job, show storage, show logs.

On the command line (``--cron``, ``--kv``) and at the prompt (``:cron``, ``:kv``, ``:logs``). Each is carried
out in order with what is said, so that a line's effect can be looked at right behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from flora_core.errors import InvalidInput
from flora_core.ids import GuildId
from flora_core.wire.control import Outcome
from flora_core.wire.guilds import CronRan
from flora_dev.controller import GuildStatus
from flora_dev.logbook import KeptLine, LogBook, LogQuery
from flora_dev.pod_client import PodClient
from flora_dev.sources import NOBODY
from flora_dev.talk import LINGER_SECONDS, collect, position_now
from flora_simulator.client import SimulatorClient
from flora_simulator.wire import Action

KEYS_SHOWN: Final = 50
LINES_SHOWN: Final = 20
LOG_SECONDS: Final = 5.0
"""How long the lines of a run may take to arrive after its end: a stack is mapped first."""


@dataclass(slots=True, frozen=True)
class RunJob:
    """Run a job by the clock now."""

    name: str

    def __str__(self) -> str:
        return f":cron {self.name}"


@dataclass(slots=True, frozen=True)
class ShowKv:
    """Show a store's keys; without a store, the stores."""

    store: str = ""
    prefix: str = ""

    def __str__(self) -> str:
        return f":kv {self.store} {self.prefix}".rstrip()


@dataclass(slots=True, frozen=True)
class ShowLogs:
    """Show the newest lines."""

    count: int = LINES_SHOWN


Ask = RunJob | ShowKv | ShowLogs


@dataclass(slots=True)
class JobRun:
    """A job that was run, and what the bot did meanwhile."""

    ran: CronRan
    answers: list[Action] = field(default_factory=list[Action])

    @property
    def worked(self) -> bool:
        return self.ran.outcome is Outcome.OK


@dataclass(slots=True, frozen=True)
class KvPage:
    """What lies in a guild's storage."""

    store: str
    """Empty for the list of stores."""
    rows: list[dict[str, Any]]
    complete: bool = True


def parse_kv(text: str) -> ShowKv:
    """``STORE`` or ``STORE/PREFIX``: a store's name has no slash."""
    store, _, prefix = text.partition("/")
    return ShowKv(store, prefix)


def parse_ask(line: str) -> Ask | None:
    """What a line at the prompt asks; None when it is something to say. Raises InvalidInput."""
    word, _, rest = line.partition(" ")
    rest = rest.strip()
    if word == ":cron":
        if not rest:
            raise InvalidInput(":cron: write the job's name behind it")
        return RunJob(rest)
    if word == ":kv":
        store, _, prefix = rest.partition(" ")
        return ShowKv(store, prefix.strip())
    if word == ":logs":
        if rest and not (rest.isascii() and rest.isdigit() and len(rest) <= 6):
            raise InvalidInput(f":logs {rest[:20]}: write how many lines, or nothing")
        return ShowLogs(int(rest or LINES_SHOWN))
    return None


def the_guild(statuses: Sequence[GuildStatus], wanted: GuildId | None) -> GuildId:
    """The guild that jobs and stores are asked of; raises InvalidInput when it is not clear."""
    guilds = [status.guild for status in statuses if status.guild != NOBODY]
    if wanted is not None and wanted in guilds:
        return wanted
    if len(guilds) == 1 and wanted is None:
        return guilds[0]
    there = ", ".join(guilds) or "none"
    raise InvalidInput(f"which guild? Name it with --guild; there are {there}")


async def run_job(
    pod: PodClient, guild: GuildId, name: str, *, people: SimulatorClient | None, book: LogBook
) -> JobRun:
    """Run a job, wait for its end and for what it logged and did; raises PodRefused."""
    position = await position_now(people) if people is not None else 0
    began = book.newest
    ran = await pod.run_cron(guild, name)

    def all_heard() -> bool:
        if book.received < ran.logged:
            return False
        return ran.outcome is Outcome.OK or any(
            line.outcome is not None for line in book.lines(guild, LogQuery(after=began))
        )

    await book.wait(all_heard, seconds=LOG_SECONDS)
    answers = await collect(people, position, longest=LINGER_SECONDS) if people is not None else []
    return JobRun(ran, answers)


async def read_kv(pod: PodClient, guild: GuildId, ask: ShowKv) -> KvPage:
    """The stores, or a store's first keys with their values; raises PodRefused."""
    if not ask.store:
        return KvPage("", await pod.kv(guild, "kvStores"))
    page = await pod.kv(guild, "kvList", store=ask.store, prefix=ask.prefix, limit=KEYS_SHOWN)
    rows: list[dict[str, Any]] = []
    for key in page["keys"]:
        entry = await pod.kv(guild, "kvGet", store=ask.store, key=key["name"])
        if entry is not None:  # it may have gone meanwhile
            rows.append({"name": key["name"], **entry})
    return KvPage(ask.store, rows, complete=page["listComplete"])


def read_logs(book: LogBook, guild: GuildId, ask: ShowLogs) -> list[KeptLine]:
    """The newest lines, oldest first."""
    return book.lines(guild, msgspec.structs.replace(LogQuery(), limit=ask.count))
