"""A process that writes until it is killed: ``python writer.py FOLDER``.

Four guilds move numbers about: each step is a transaction that takes from one key and gives to another, and a
counter. What was acknowledged is said on standard output, one line each, before the next is asked for.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

from flora_core.ids import GuildId
from flora_runtime.kv.calls import parse_call
from flora_runtime.kv.database import Database, Job

GUILDS = [GuildId(str(number)) for number in range(1, 5)]


def main() -> None:
    database = Database(Path(sys.argv[1]))
    said = threading.Lock()

    def move(guild: GuildId, number: int) -> None:
        steps = [
            {"op": "kvIncr", "store": "bank", "key": "a", "by": -1},
            {"op": "kvIncr", "store": "bank", "key": "b", "by": 1},
            {
                "op": "kvSet",
                "store": f"log{number % 3}",
                "key": f"{number:08}",
                "value": "x" * (number % 900),
            },
        ]
        call = parse_call("kvTransact", json.dumps({"steps": steps}).encode())
        database.submit(Job(guild, call, lambda result, error: done(guild, number, result, error)))

    def done(guild: GuildId, number: int, result: Any, error: Exception | None) -> None:
        assert error is None
        assert result["committed"]
        with said:
            print(guild, number, flush=True)  # noqa: T201  what the test reads
        move(guild, number + 1)

    for guild in GUILDS:
        held = [0]
        have = threading.Event()

        def told(result: Any, _error: Exception | None, held: list[int] = held, have: Any = have) -> None:
            held[0] = int(result["value"]) if result else 0
            have.set()

        database.submit(Job(guild, parse_call("kvGet", b'{"store":"bank","key":"b"}'), told))
        assert have.wait(60)
        move(guild, held[0] + 1)
    threading.Event().wait()


if __name__ == "__main__":
    main()
