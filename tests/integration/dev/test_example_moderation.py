"""The moderation example does what its page says: real gateway, stream, worker, V8; simulated Discord."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from flora_dev import talk
from flora_dev.talk import Said
from flora_simulator.client import SimulatorClient
from flora_simulator.world_spec import DEV_CHANNEL, DEV_GUILD, DEV_WORLD
from tests.integration.dev.test_examples import Bot, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

Ask = Callable[..., Awaitable[Any]]


class Server:
    """The example's guild: people who act in it, and what Discord knows of it."""

    def __init__(self, bot: Bot, ask: Ask, mod_log: str, people: SimulatorClient) -> None:
        self.bot = bot
        self.ask = ask
        self.mod_log = mod_log
        self.people = people

    async def says(self, command: str) -> str:
        """What the bot answers to a slash command of the owner, who alone sees it."""
        exchange = await self.bot.hears(talk.slash(command))
        assert exchange.answers, exchange.refused or f"no answer to {command}"
        found = exchange.answers
        while not (own := [answer for answer in found if answer.ephemeral and answer.message]):
            found = await talk.collect(
                self.people, found[-1].position, longest=10
            )  # what it notes comes first
            assert found, "moderators' answers are theirs alone"
        return (own[-1].message or {})["content"]

    async def member(self, name: str) -> str:
        """Somebody new, who was noticed."""
        who = await self.people.add_member(DEV_GUILD, name)
        await self.notes(f"📥 <@{who}> came, with an account of 0 days.")
        return who

    async def recorded(self) -> str:
        """The newest line in #mod-log about what a moderator did."""
        return next(line for line in await self.log() if line[0] not in "📥📤⚠")

    async def log(self) -> list[str]:
        """The lines in #mod-log, newest first."""
        lines = await self.ask("GET", f"/channels/{self.mod_log}/messages?limit=50")
        return [line["content"] for line in lines]

    async def notes(self, line: str) -> None:
        """Wait until ``line`` is in #mod-log."""
        async with asyncio.timeout(20):
            while line not in await self.log():
                await asyncio.sleep(0.05)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Server]:
    async with running("moderation") as bot, aiohttp.ClientSession() as http:
        session = bot._session
        assert session.people is not None
        (simulator,) = (part for part in session._components if part.name == "simulator")
        headers = {"Authorization": f"Bot {DEV_WORLD.token}"}

        async def ask(method: str, path: str, body: Any = None) -> Any:
            url = f"{simulator.url}/api/v10{path}"
            async with http.request(method, url, headers=headers, json=body) as response:
                return await response.json() if response.status == 200 else response.status

        mod_log = await session.people.create_channel(DEV_GUILD, "mod-log")
        yield Server(bot, ask, mod_log, session.people)


async def test_a_third_warning_is_a_time_out(server: Server) -> None:
    who = await server.member("rude")
    assert await server.says("/warn who:rude reason:one") == f"<@{who}> has 1 of 3 warnings."
    assert await server.says("/warn who:rude reason:two") == f"<@{who}> has 2 of 3 warnings."
    third = await server.says("/warn who:rude reason:three")
    assert third == f"<@{who}> has 3 warnings, and 60 min to think about them."
    assert (await server.ask("GET", f"/guilds/{DEV_GUILD}/members/{who}"))["communication_disabled_until"]
    assert await server.recorded() == f"🔇 <@{who}> for 60 min. 3 warnings"


async def test_warnings_can_be_read_and_forgotten(server: Server) -> None:
    await server.member("sorry")
    await server.says("/warn who:sorry reason:loud")
    assert await server.says("/warnings who:sorry") == "1. you: loud"
    assert await server.says("/forgive who:sorry") == "1 forgotten."
    assert await server.says("/warnings who:sorry") == "None."


async def test_a_time_out_begins_and_ends(server: Server) -> None:
    who = await server.member("noisy")
    assert await server.says("/timeout who:noisy minutes:5 reason:noise") == f"<@{who}> is quiet for 5 min."
    assert await server.recorded() == f"🔇 <@{who}> for 5 min. you: noise"
    assert await server.says("/untimeout who:noisy") == f"<@{who}> may write again."
    assert not (await server.ask("GET", f"/guilds/{DEV_GUILD}/members/{who}"))["communication_disabled_until"]


async def test_a_kick_stands_in_the_audit_log_with_who_and_why(server: Server) -> None:
    who = await server.member("kicked")
    assert await server.says('/kick who:kicked reason:"bad manners"') == f"<@{who}> is gone."
    await server.notes(f"📤 <@{who}> is no longer here.")
    assert await server.ask("GET", f"/guilds/{DEV_GUILD}/members/{who}") == 404
    log = await server.ask("GET", f"/guilds/{DEV_GUILD}/audit-logs?action_type=20&limit=1")
    assert log["audit_log_entries"][0]["reason"] == "you: bad manners"


async def test_a_ban_and_a_pardon(server: Server) -> None:
    who = await server.member("spammer")
    assert await server.says("/ban who:spammer reason:spam days:1") == f"<@{who}> is banned."
    await server.notes(f"📤 <@{who}> is no longer here.")
    assert (await server.ask("GET", f"/guilds/{DEV_GUILD}/bans/{who}"))["reason"] == "you: spam"
    assert await server.says(f"/unban id:{who}") == f"<@{who}> may come back."
    assert await server.ask("GET", f"/guilds/{DEV_GUILD}/bans/{who}") == 404
    assert await server.says("/unban id:999") == "I cannot find that."
    assert "invalid snowflake" in await server.says("/unban id:somebody")


async def test_purge_deletes_the_latest_and_keeps_what_is_pinned(server: Server) -> None:
    for text in ("one", "two", "three"):
        await server.people.post(text)
    kept = (await server.people.post("keep me")).id
    await server.ask("PUT", f"/channels/{DEV_CHANNEL}/messages/pins/{kept}")
    assert await server.says("/purge count:4") in {"3 deleted.", "2 deleted."}, "the pin itself is a message"
    left = [m["content"] for m in await server.ask("GET", f"/channels/{DEV_CHANNEL}/messages")]
    assert "keep me" in left
    assert not {"two", "three"} & set(left)


async def test_slow_mode(server: Server) -> None:
    assert await server.says("/slowmode seconds:30") == "One message in 30 s."
    assert (await server.ask("GET", f"/channels/{DEV_CHANNEL}"))["rate_limit_per_user"] == 30
    assert await server.says("/slowmode seconds:0") == "Slow mode is over."


async def test_a_channel_is_closed_and_opened(server: Server) -> None:
    async def denied() -> int:
        found = (await server.ask("GET", f"/channels/{DEV_CHANNEL}"))["permission_overwrites"]
        return sum(int(entry["deny"]) for entry in found if entry["id"] == DEV_GUILD)

    assert await server.says("/lock reason:raid") == "Locked."
    assert await denied() & 2048
    assert await server.recorded() == f"🔒 <#{DEV_CHANNEL}>. you: raid"
    assert await server.says("/unlock") == "Unlocked."
    assert not await denied() & 2048


async def test_somebody_without_the_right_is_refused_by_discord_or_by_the_bot(server: Server) -> None:
    await server.member("visitor")
    said = Said("/lock", lambda people, channel: people.slash("/lock", channel=channel, user="visitor"))
    exchange = await server.bot.hears(said)
    words = [(answer.message or {}).get("content") for answer in exchange.answers]
    assert exchange.refused or words == ["You may not do that here."]


async def test_strangers_invites_are_deleted_and_counted(server: Server) -> None:
    who = await server.member("advertiser")

    def post(people: SimulatorClient, channel: str) -> Awaitable[Any]:
        return people.post("join discord.gg/abc123 now", channel=channel, user="advertiser")

    exchange = await server.bot.hears(Said("an invite", post))
    assert exchange.answers
    await _comes_to(lambda: server.says("/warnings who:advertiser"), "1. an invite")
    texts = [m["content"] for m in await server.ask("GET", f"/channels/{DEV_CHANNEL}/messages")]
    assert not any("discord.gg" in text for text in texts)
    assert f"<@{who}>, no invites here, please." in texts


async def test_moderators_may_invite(server: Server) -> None:
    role = await server.people.create_role(DEV_GUILD, "Moderators")
    who = await server.people.add_member(DEV_GUILD, "helper", roles=[role])
    await server.notes(f"📥 <@{who}> came, with an account of 0 days.")

    def post(people: SimulatorClient, channel: str) -> Awaitable[Any]:
        return people.post("our other place: discord.gg/friends", channel=channel, user="helper")

    await talk.speak(server.people, Said("an invite", post), channel="general", longest=0.5)
    texts = [m["content"] for m in await server.ask("GET", f"/channels/{DEV_CHANNEL}/messages")]
    assert "our other place: discord.gg/friends" in texts


async def test_who_comes_and_who_goes_is_noted(server: Server) -> None:
    who = await server.member("passer-by")
    await server.people.remove_member(DEV_GUILD, who)
    await server.notes(f"📤 <@{who}> is no longer here.")


async def test_roles_that_become_powerful_are_noted(server: Server) -> None:
    await server.people.create_role(DEV_GUILD, "Readers", permissions=1 << 10)
    await server.people.create_role(DEV_GUILD, "Crew", permissions=(1 << 5) | (1 << 2))
    await server.notes("⚠️ The role Crew may: Manage server, Ban members.")
    assert not any("Readers" in line for line in await server.log())


async def _comes_to(ask: Callable[[], Awaitable[str]], wanted: str) -> None:
    """Ask again until the answer is the wanted one."""
    found = ""
    for _ in range(20):
        found = await ask()
        if found == wanted:
            return
    pytest.fail(f"{found!r} is not {wanted!r}")
