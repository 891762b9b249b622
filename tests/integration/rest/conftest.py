"""A script that does what it is told, in a real isolate, behind real processes, before a simulated Discord."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest_asyncio

from flora_simulator.world_spec import DEV_CHANNEL, DEV_GUILD, DEV_USER
from tests.integration.fleet.fleet import Fleet

SCRIPT = """
let interaction;
createBot({ slashCommands: [slash({ name: 'open', description: 'An interaction', run() {} })] });
on('interactionCreate', (ctx) => { interaction = ctx.msg; });
on('messageCreate', async (ctx) => {
  if (!ctx.msg.content.startsWith('!')) return;
  const [name, input, interacting] = JSON.parse(ctx.msg.content.slice(1));
  const { interactionId, interactionToken: token } = interaction ?? {};
  const given = interacting ? { interactionId, token, ...input } : input;
  let answer;
  try { answer = { value: (await rest[name](given)) ?? null }; }
  catch (e) { answer = { error: e.code ?? 'thrown', message: e.message }; }
  // In an embed: a message of text alone may have 2,000 characters.
  await ctx.reply({ embeds: [{ description: JSON.stringify(answer).slice(0, 4000) }] });
});
"""


class Refused(Exception):
    """What the script caught: its code, and in words."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Puppet:
    """The script's `rest`, called from a test; and Discord as it is behind it."""

    guild, channel, user = DEV_GUILD, DEV_CHANNEL, DEV_USER

    def __init__(self, fleet: Fleet, session: aiohttp.ClientSession) -> None:
        self._fleet = fleet
        self._session = session
        self.people = fleet.people

    async def rest(self, method: str, *, interacting: bool = False, **given: Any) -> Any:
        """Have the script call ``rest[method]``; its answer, or Refused."""
        text = "!" + json.dumps([method, given, interacting])
        posted = await self.people.post(text)
        async with asyncio.timeout(20):
            while True:
                answer = await self._answer_to(posted.id)
                if answer is not None:
                    break
                await asyncio.sleep(0.01)
        if "error" in answer:
            raise Refused(answer["error"], answer["message"])
        return answer["value"]

    async def _answer_to(self, message: str) -> Any:
        for found in await self.discord("GET", f"/channels/{self.channel}/messages?limit=5"):
            if (found.get("message_reference") or {}).get("message_id") == message:
                text = found["embeds"][0]["description"]
                try:
                    return json.loads(text)
                except json.JSONDecodeError:  # cut: the answer was long
                    return {"value": text}
        return None

    async def discord(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the simulated Discord itself; fails for an answer that is none."""
        status, answer = await self.ask_discord(method, path, body)
        assert status < 300, (method, path, answer)
        return answer

    async def ask_discord(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        simulator = self._fleet.simulator
        headers = {"Authorization": f"Bot {simulator.token}"}
        url = f"{simulator.api_url}{path}"
        async with self._session.request(method, url, json=body, headers=headers) as response:
            return response.status, await response.json() if response.status != 204 else None

    async def message(self, content: str = "hello", channel: str | None = None) -> str:
        """A message of the bot's."""
        return (
            await self.discord("POST", f"/channels/{channel or self.channel}/messages", {"content": content})
        )["id"]

    async def member(self, name: str) -> str:
        """A new member."""
        return await self.people.add_member(self.guild, name)

    async def role(self, name: str = "role") -> str:
        return (await self.discord("POST", f"/guilds/{self.guild}/roles", {"name": name}))["id"]

    async def new_channel(self, name: str = "place", kind: int = 0) -> str:
        body = {"name": name, "type": kind}
        return (await self.discord("POST", f"/guilds/{self.guild}/channels", body))["id"]

    async def thread(self) -> str:
        body = {"name": "thread", "type": 11}
        return (await self.discord("POST", f"/channels/{self.channel}/threads", body))["id"]

    async def webhook(self) -> dict[str, str]:
        made = await self.discord("POST", f"/channels/{self.channel}/webhooks", {"name": "hook"})
        return {"webhookId": made["id"], "token": made["token"]}

    async def interact(self) -> None:
        """Somebody uses the slash command, which the script does not answer by itself."""
        await self.people.slash("/open")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def puppet(tmp_path_factory: Any) -> AsyncIterator[Puppet]:
    fleet = Fleet(Path(tmp_path_factory.mktemp("rest")))
    await fleet.start()
    await fleet.deploy(SCRIPT)
    await fleet.ready()
    async with aiohttp.ClientSession() as session:
        async with asyncio.timeout(20):
            while not await fleet.people.commands(guild=DEV_GUILD):
                await asyncio.sleep(0.02)
        yield Puppet(fleet, session)
    await fleet.stop()
