"""A guild of a ``flora dev`` on this machine (docs/protocol.md, "Asked from outside")."""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlencode, urlsplit

import msgspec

from flora_cli.access import Job, Kept, KeyPage, Line, LogQuery, Put, Ran, Store, choose_guild
from flora_cli.errors import NotThere, Refused, Unavailable
from flora_core.errors import FloraError, InvalidInput, WireError
from flora_core.running import NothingRuns, Running, all_running, choose
from flora_core.wire import UNREADABLE
from flora_core.wire.gateway import SILENCE_SECONDS, OpError
from flora_core.wire.guilds import CronJob, CronRan, GuildRow, KeptLine, kept_lines
from flora_core.wire.ndjson import LINE_LIMIT

ANSWER_SECONDS: Final = 60.0
PAUSE_SECONDS: Final = 0.5
"""Between attempts to reach again what is followed."""


class RunningDev:
    """A ``flora dev``, and how to ask it."""

    def __init__(self, running: Running) -> None:
        parts = urlsplit(running.url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port
        self._headers = {"Authorization": f"Bearer {running.token}"}

    @classmethod
    def find(cls, project: Path | None) -> RunningDev:
        """The one for a folder, or the only one; raises NothingRuns or InvalidInput."""
        return cls(choose(all_running(), here=Path.cwd(), wanted=project))

    def guilds(self) -> list[GuildRow]:
        return msgspec.json.decode(self.ask("GET", "/v1/guilds"), type=list[GuildRow])

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """The answer to a request; raises what ``flora_cli.errors`` lists, or InvalidInput."""
        connection = self._connect(ANSWER_SECONDS)
        try:
            return self._send(connection, method, path, body).read()
        except (OSError, http.client.HTTPException) as error:
            raise _unreachable(error) from None
        finally:
            connection.close()

    def logs(self, guild: str, query: Mapping[str, str]) -> Generator[KeptLine]:
        """Lines as they come."""
        connection = self._connect(SILENCE_SECONDS)
        try:
            response = self._send(connection, "GET", f"/v1/guilds/{guild}/logs?{urlencode(query)}")
            while raw := response.readline(LINE_LIMIT):
                line = kept_lines.decode(raw)
                if isinstance(line, KeptLine):
                    yield line
        except (OSError, http.client.HTTPException, WireError) as error:
            raise _unreachable(error) from None
        finally:
            connection.close()

    def _connect(self, seconds: float) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._host, self._port, timeout=seconds)

    def _send(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None
    ) -> http.client.HTTPResponse:
        """The answer when it is a good one."""
        connection.request(method, path, body, self._headers)
        response = connection.getresponse()
        if response.status != 200:
            raise _refusal(response.status, response.read(64 << 10))
        return response


class DevGuild:
    """One guild of it; a ``GuildAccess``."""

    def __init__(self, dev: RunningDev, guild: str, *, find: Callable[[], RunningDev]) -> None:
        self._dev = dev
        self.guild = guild
        self._find = find

    @classmethod
    def find(cls, project: Path | None, guild: str | None) -> DevGuild:
        """Of the ``flora dev`` for a folder, or of the only one; raises NothingRuns or InvalidInput."""
        dev = RunningDev.find(project)
        return cls(dev, choose_guild(dev.guilds(), guild), find=lambda: RunningDev.find(project))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """Each request has a connection of its own."""

    def stores(self) -> list[Store]:
        return [
            Store(self.guild, found["name"], found["keys"], found["bytes"]) for found in self._kv("kvStores")
        ]

    def keys(self, store: str, *, prefix: str = "", limit: int = 100, cursor: str = "") -> KeyPage:
        page = self._kv("kvList", store=store, prefix=prefix, limit=limit, cursor=cursor)
        return KeyPage(page["keys"], page["listComplete"], page.get("cursor"))

    def get(self, store: str, key: str) -> Kept | None:
        found = self._kv("kvGet", store=store, key=key)
        return None if found is None else msgspec.convert(found, Kept)

    def put(self, store: str, put: Put) -> None:
        options: dict[str, Any] = {
            name: value
            for name, value in (("ttl", put.ttl), ("expiration", put.expiration))
            if value is not None
        }
        if isinstance(put.metadata, msgspec.Raw):
            options["metadata"] = put.metadata
        self._kv("kvSet", store=store, key=put.key, value=put.value, options=options)

    def delete(self, store: str, key: str) -> bool:
        return bool(self._kv("kvDelete", store=store, key=key))

    def clear(self, store: str, *, prefix: str = "") -> int:
        removed, complete = 0, False
        while not complete:
            answer = self._kv("kvClear", store=store, prefix=prefix)
            removed, complete = removed + answer["removed"], answer["complete"]
        return removed

    def logs(self, query: LogQuery) -> Iterator[Line]:
        return map(_line, self._dev.logs(self.guild, _written(query)))

    def follow(self, query: LogQuery, *, on_break: Callable[[str], None]) -> Iterator[Line]:
        """What was had is not asked for again; a ``flora dev`` that was started anew is found."""
        asked = {**_written(query), "follow": "1"}
        while True:
            last = 0
            with contextlib.suppress(Unavailable):
                for line in self._dev.logs(self.guild, asked):
                    last = line.id
                    yield _line(line)
            if last:
                asked |= {"after": str(last), "limit": "1000"}
            on_break("waiting for `flora dev` to come back")
            self._dev = self._again()

    def jobs(self) -> list[Job]:
        found = msgspec.json.decode(
            self._dev.ask("GET", f"/v1/guilds/{self.guild}/crons"), type=list[CronJob]
        )
        return [Job(job.name, job.expression, job.next, job.last or None, job.skip) for job in found]

    def run_job(self, name: str) -> Ran:
        body = msgspec.json.encode({"name": name})
        ran = msgspec.json.decode(
            self._dev.ask("POST", f"/v1/guilds/{self.guild}/crons/run", body), type=CronRan
        )
        return Ran(ran.name, ran.outcome.value, ran.milliseconds)

    def _kv(self, call: str, **args: Any) -> Any:
        """A KV op as a script would make it; what it answers."""
        body = msgspec.json.encode(args)
        return msgspec.json.decode(self._dev.ask("POST", f"/v1/guilds/{self.guild}/kv/{call}", body))

    def _again(self) -> RunningDev:
        while True:
            time.sleep(PAUSE_SECONDS)
            with contextlib.suppress(Unavailable, NothingRuns):
                dev = self._find()
                choose_guild(dev.guilds(), self.guild)
                return dev


def _written(query: LogQuery) -> dict[str, str]:
    if query.until is not None:
        raise InvalidInput("--until: `flora dev` keeps only the newest lines; use --since")
    written = {"limit": str(query.limit), "level": query.level, "grep": query.grep}
    return written if query.since is None else {**written, "since": str(query.since)}


def _line(line: KeptLine) -> Line:
    return Line(
        str(line.id),
        line.at,
        line.level,
        line.source,
        line.guild,
        line.text,
        line.outcome.value if line.outcome else None,
        line.stack or None,
        line.event or None,
        line.revision or None,
    )


def _refusal(status: int, body: bytes) -> FloraError:
    try:
        error = msgspec.json.decode(body, type=OpError)
    except UNREADABLE:
        text = body.decode(errors="replace").strip()
        return Unavailable(f"it answered {status}: {text[:200] or 'nothing'}")
    again = f"; try again in {error.retry_after:.0f} s" if error.retry_after else ""
    if error.code == "INVALID_INPUT":
        return InvalidInput(error.message)
    kind = NotThere if status == 404 else Unavailable if status in {429, 503} else Refused
    return kind(f"{error.message}{again}", code=error.code)


def _unreachable(error: Exception) -> Unavailable:
    why = str(error) or type(error).__name__
    return Unavailable(f"`flora dev` does not answer ({why}); is it still running?")
