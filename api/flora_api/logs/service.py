"""Logs of one process of the API: the store, and who follows."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aiohttp import web
from pydantic import SecretStr

from flora_api.logs.followers import Followers
from flora_api.logs.intake import LogIntake
from flora_api.logs.notes import Note, Notes
from flora_api.logs.store import Keep, LogStore
from flora_core.identity import Identities


class LogService:
    """Made by ``open_logs``."""

    def __init__(self, store: LogStore, followers: Followers, note: Note) -> None:
        self.store = store
        self.followers = followers
        self.note = note
        """Writes a line of the API's own, at some time."""

    def add_routes(self, app: web.Application, identities: Identities) -> None:
        """The pods' way in, on the internal port."""
        LogIntake(app, self.store, identities)

    def trouble(self) -> str | None:
        """What is wrong; None when nothing is, as far as is known."""
        return self.store.trouble

    def stop(self) -> None:
        """End the streams, so that the server can finish; to be called when the process is told to stop."""
        self.followers.stop()


@asynccontextmanager
async def open_logs(redis_url: SecretStr, keep: Keep) -> AsyncGenerator[LogService]:
    """The service, reading for its followers for as long as the block lasts. Redis need not be there yet.

    Raises InvalidSettings when ``redis_url`` is none.
    """
    store = LogStore(redis_url, keep)
    followers = Followers(redis_url, store)
    notes = Notes(store)
    working = [asyncio.create_task(followers.run()), asyncio.create_task(notes.run())]
    try:
        yield LogService(store, followers, notes.add)
    finally:
        followers.stop()
        await notes.flush()
        for task in working:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await followers.close()
        await store.close()
