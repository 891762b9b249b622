"""The baseline: a bot on discord.py as its documentation shows it.

``python -m bench.plain_bot URL reply|count``

``reply`` answers every message but its own. ``count`` only takes events: for each line on standard input,
a number, it writes a line when it has had that many messages since the line before.
"""

from __future__ import annotations

import asyncio
import sys

import discord
import discord.http
import yarl
from discord.gateway import DiscordWebSocket

from flora_core.process import announce, outlive_no_parent
from flora_core.throughput import freeze_startup_objects, schedule_in_batches

TOKEN = "stub-plain"


class Replying(discord.Client):
    """Answers."""

    async def on_message(self, message: discord.Message) -> None:
        if message.author == self.user:
            return
        await message.reply("pong")


class Counting(discord.Client):
    """Counts."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # pyright: ignore[reportArgumentType]
        self.taken = 0
        self.wanted = 0
        self.enough = asyncio.Event()

    async def on_message(self, _message: discord.Message) -> None:
        self.taken += 1
        if self.taken == self.wanted:
            self.enough.set()


async def obey(bot: Counting) -> None:
    """One order a line."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        bot.taken, bot.wanted = 0, int(line)
        bot.enough.clear()
        await bot.enough.wait()
        print(bot.taken, flush=True)


async def main(url: str, mode: str) -> None:
    schedule_in_batches()  # as flora's processes do: nobody gains by what any program could have
    discord.http.Route.BASE = f"{url}/api/v10"
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(url.replace("http", "ws"))
    intents = discord.Intents.default()
    intents.message_content = True
    bot = Replying(intents=intents) if mode == "reply" else Counting(intents=intents)
    tasks = [asyncio.create_task(outlive_no_parent())]
    if isinstance(bot, Counting):
        tasks.append(asyncio.create_task(obey(bot)))
    await bot.login(TOKEN)
    freeze_startup_objects()
    announce("plain", url)
    await bot.connect()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
