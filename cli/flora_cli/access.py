"""Reaching guilds that run: what ``flora kv`` and ``flora logs`` need of whatever serves them.

``GuildAccess`` is the port; ``RunningDev`` speaks to a ``flora dev`` on this machine, over the paths that a
cluster's API has, too.
"""

from __future__ import annotations

import http.client
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlencode, urlsplit

import msgspec

from flora_core.errors import FloraError, InvalidInput, WireError
from flora_core.running import Running, all_running, choose
from flora_core.wire import UNREADABLE
from flora_core.wire.gateway import SILENCE_SECONDS, OpError
from flora_core.wire.guilds import GuildRow, KeptLine, Still, kept_lines
from flora_core.wire.ndjson import LINE_LIMIT

ANSWER_SECONDS: Final = 60.0


class Unreachable(FloraError):
    """Nobody answers there, or no longer."""


class Refused(FloraError):
    """The other side said no; ``code`` says why."""

    def __init__(self, error: OpError) -> None:
        again = f"; try again in {error.retry_after:.0f} s" if error.retry_after else ""
        super().__init__(f"{error.message}{again}")
        self.code = error.code


class GuildAccess(Protocol):
    """Methods raise Unreachable, Refused, or InvalidInput for what was asked wrongly."""

    def guilds(self) -> list[GuildRow]:
        """Those that are served."""
        ...

    def kv(self, guild: str, call: str, **args: Any) -> Any:
        """A KV op as a script would make it (``kvGet`` …); what it answers."""
        ...

    def logs(self, guild: str, query: Mapping[str, str]) -> Iterator[KeptLine | Still]:
        """The lines asked for; with ``follow`` in the query also those to come."""
        ...


class RunningDev:
    """A ``flora dev`` on this machine."""

    def __init__(self, running: Running) -> None:
        parts = urlsplit(running.url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port
        self._headers = {"Authorization": f"Bearer {running.token}"}

    @classmethod
    def find(cls, project: Path | None) -> RunningDev:
        """The one for a folder, or the only one; raises NothingRuns or InvalidInput."""
        return cls(choose(all_running(), here=Path.cwd(), wanted=project))

    def guilds(self) -> list[GuildRow]:
        return msgspec.json.decode(self._ask("GET", "/v1/guilds"), type=list[GuildRow])

    def kv(self, guild: str, call: str, **args: Any) -> Any:
        return msgspec.json.decode(
            self._ask("POST", f"/v1/guilds/{guild}/kv/{call}", msgspec.json.encode(args))
        )

    def logs(self, guild: str, query: Mapping[str, str]) -> Generator[KeptLine | Still]:
        connection = self._connect(SILENCE_SECONDS)
        try:
            response = self._send(connection, "GET", f"/v1/guilds/{guild}/logs?{urlencode(query)}")
            while line := response.readline(LINE_LIMIT):
                yield kept_lines.decode(line)
        except (OSError, http.client.HTTPException, WireError) as error:
            raise _unreachable(error) from None
        finally:
            connection.close()

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        connection = self._connect(ANSWER_SECONDS)
        try:
            return self._send(connection, method, path, body).read()
        except (OSError, http.client.HTTPException) as error:
            raise _unreachable(error) from None
        finally:
            connection.close()

    def _connect(self, seconds: float) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._host, self._port, timeout=seconds)

    def _send(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None
    ) -> http.client.HTTPResponse:
        """The answer when it is a good one; raises Refused or InvalidInput."""
        connection.request(method, path, body, self._headers)
        response = connection.getresponse()
        if response.status != 200:
            raise _refusal(response.status, response.read(64 << 10))
        return response


def choose_guild(rows: list[GuildRow], wanted: str | None) -> str:
    """The guild that is meant; raises InvalidInput when it is not there, or not clear."""
    there = ", ".join(row.guild for row in rows) or "none"
    if wanted is not None:
        if wanted not in {row.guild for row in rows}:
            raise InvalidInput(f"--guild: there is no guild {wanted} here; there are {there}")
        return wanted
    if len(rows) != 1:
        raise InvalidInput(f"which guild? Name it with --guild; there are {there}")
    return rows[0].guild


def _refusal(status: int, body: bytes) -> FloraError:
    try:
        error = msgspec.json.decode(body, type=OpError)
    except UNREADABLE:
        text = body.decode(errors="replace").strip()
        return Unreachable(f"it answered {status}: {text[:200] or 'nothing'}")
    return InvalidInput(error.message) if error.code == "INVALID_INPUT" else Refused(error)


def _unreachable(error: Exception) -> Unreachable:
    why = str(error) or type(error).__name__
    return Unreachable(f"`flora dev` does not answer ({why}); is it still running?")
