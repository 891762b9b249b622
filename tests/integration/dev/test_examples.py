"""Every example runs, and answers as its text says: real gateway, stream, worker, V8; simulated Discord."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from flora_core.assets import TYPES, asset
from flora_core.ids import GuildId
from flora_core.toolchain import Diagnostic, Project, Toolchain
from flora_core.wire.control import Outcome
from flora_dev import talk
from flora_dev.asks import JobRun, KvPage, ShowKv, read_kv, run_job
from flora_dev.session import DevSession, Options
from flora_dev.sources import FolderSource
from flora_dev.talk import Exchange, Said, speak
from flora_dev.view import View
from flora_simulator.world_spec import DEV_CHANNEL, DEV_GUILD, DEV_USER

EXAMPLES = Path(__file__).parents[3] / "examples"

pytestmark = pytest.mark.asyncio(loop_scope="module")

needs_rest = pytest.mark.skipif(
    re.search(r"\b(const|namespace) rest\b", asset(TYPES).read_text()) is None,
    reason="the SDK has no rest yet",
)


class Bot:
    """A running example."""

    def __init__(self, session: DevSession) -> None:
        self._session = session

    async def hears(self, said: Said) -> Exchange:
        assert self._session.people is not None
        return await speak(self._session.people, said, channel="general", longest=10)

    async def answers(self, said: Said) -> dict[str, Any]:
        """The message that comes back."""
        exchange = await self.hears(said)
        assert exchange.answers, exchange.refused or f"no answer to {said.text}"
        return {"ephemeral": exchange.answers[0].ephemeral, **(exchange.answers[0].message or {})}

    async def runs(self, job: str) -> JobRun:
        """A job by the clock, run now."""
        session = self._session
        assert session._pod is not None
        guild, book = GuildId(DEV_GUILD), session.controller.book
        return await run_job(session._pod, guild, job, people=session.people, book=book)

    async def keeps(self, store: str = "", prefix: str = "") -> KvPage:
        """What is stored."""
        assert self._session._pod is not None
        return await read_kv(self._session._pod, GuildId(DEV_GUILD), ShowKv(store, prefix))

    async def values(self, store: str) -> dict[str, str]:
        return {row["name"]: row["value"] for row in (await self.keeps(store)).rows}


@asynccontextmanager
async def running(name: str, *, state: Path | None = None) -> AsyncIterator[Bot]:
    options = Options(FolderSource(EXAMPLES / name, GuildId(DEV_GUILD)), state_dir=state)
    async with DevSession.start(options, View(as_json=True, many_guilds=False)) as session:
        await session.finish_checks()
        yield Bot(session)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def basic() -> AsyncIterator[Bot]:
    async with running("basic") as bot:
        yield bot


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop() -> AsyncIterator[Bot]:
    async with running("shop") as bot:
        yield bot


async def test_basic_answers_a_prefix_command_with_its_words(basic: Bot) -> None:
    assert (await basic.answers(talk.message("!ping one two")))["content"] == "pong one two"


async def test_basic_answers_as_a_discord_reply(basic: Bot) -> None:
    answer = await basic.answers(talk.message("!ping"))
    assert answer["message_reference"]["message_id"]


async def test_basic_says_nothing_to_other_messages(basic: Bot) -> None:
    assert basic._session.people is not None
    exchange = await speak(basic._session.people, talk.message("ping"), channel="general", longest=0.5)
    assert not exchange.answered


async def test_basic_answers_its_slash_commands(basic: Bot) -> None:
    assert (await basic.answers(talk.slash("/ping")))["content"] == "pong"
    hello = await basic.answers(talk.slash("/hello name:Ann"))
    assert (hello["content"], hello["ephemeral"]) == ("Hello Ann!", True)
    assert (await basic.answers(talk.slash("/hello")))["content"] == "Hello there!"


async def test_basic_counts_clicks_in_place(basic: Bot) -> None:
    first = await basic.answers(talk.message("!count"))
    once = await basic.answers(talk.click("count"))
    assert once["id"] == first["id"], "the message itself is edited"
    twice = await basic.answers(talk.click("count"))
    assert (once["content"], twice["content"]) == ("Clicked 1 times", "Clicked 2 times")


async def test_an_unknown_command_is_refused_by_discord_itself(basic: Bot) -> None:
    exchange = await basic.hears(talk.slash("/nothing"))
    assert "hello" in exchange.refused, "the known ones are listed"


async def test_shop_filters_and_sorts_by_typed_options(shop: Bot) -> None:
    (box,) = (await shop.answers(talk.slash("/shop max:10 sort:name")))["components"]
    texts = [part["content"] for part in box["components"] if part["type"] == 10]
    assert [text.split("\n")[0] for text in texts] == ["**Cactus** (7 €)", "**Tulip** (3 €)"]
    nothing = await shop.answers(talk.slash("/shop max:1"))
    assert (nothing["content"], nothing["ephemeral"]) == ("Nothing for 1 or less.", True)


async def test_shop_goes_from_select_over_modal_to_receipt(shop: Bot) -> None:
    await shop.answers(talk.slash("/shop"))
    opened = (await shop.hears(talk.select("choose=orchid"))).answers[0]
    assert (opened.kind, opened.data["title"]) == ("modal", "Order Orchid")
    (embed,) = (await shop.answers(talk.modal("amount=2")))["embeds"]
    assert (embed["title"], embed["description"]) == ("2 × Orchid", "24 € in all")
    listed = await shop.answers(talk.slash("/order list"))
    assert "2 × Orchid" in listed["content"]


async def test_shop_refuses_an_odd_amount_only_to_the_buyer(shop: Bot) -> None:
    await shop.answers(talk.slash("/shop"))
    await shop.hears(talk.select("choose=tulip"))
    refused = await shop.answers(talk.modal("amount=x"))
    assert (refused["content"], refused["ephemeral"]) == ("How many? A whole number, please.", True)


async def test_shop_routes_subcommands_with_their_options(shop: Bot) -> None:
    (embed,) = (await shop.answers(talk.slash("/order add item:tulip amount:4")))["embeds"]
    assert embed["title"] == "4 × Tulip"


# ---------------------------------------------------------------- counter


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def counter() -> AsyncIterator[Bot]:
    async with running("counter") as bot:
        yield bot


async def test_counter_counts_clicks_by_person_and_channel_in_storage(counter: Bot) -> None:
    shown = await counter.answers(talk.message("!counter"))
    assert shown["content"] == "Nobody has clicked yet."
    once = await counter.answers(talk.click("count"))
    twice = await counter.answers(talk.click("count"))
    assert once["id"] == twice["id"] == shown["id"], "the message itself is edited"
    assert twice["content"] == "**2** clicks so far."
    assert [row["name"] for row in (await counter.keeps()).rows] == ["channels", "people", "totals"]
    assert await counter.values("totals") == {"clicks": "2"}
    assert await counter.values("people") == {DEV_USER: "2"}
    assert await counter.values("channels") == {DEV_CHANNEL: "2"}


async def test_counter_shows_leaders_and_forgets_them(counter: Bot) -> None:
    (embed,) = (await counter.answers(talk.slash("/top by:channels")))["embeds"]
    assert (embed["title"], embed["description"]) == ("Most clicks: channels", f"1. <#{DEV_CHANNEL}>: 2")
    await counter.answers(talk.message("!counter"))
    board = await counter.answers(talk.click("board"))
    assert (board["ephemeral"], board["embeds"][0]["description"]) == (True, f"1. <@{DEV_USER}>: 2")
    reset = await counter.answers(talk.slash("/reset"))
    assert reset["content"] == "Forgot the clicks of 1 people."
    assert (await counter.keeps()).rows == []
    assert (await counter.answers(talk.slash("/top")))["embeds"][0]["description"] == "Nobody yet."


# ---------------------------------------------------------------- reminders


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def reminders() -> AsyncIterator[Bot]:
    async with running("reminders") as bot:
        yield bot


def id_of(answer: dict[str, Any]) -> str:
    return answer["content"].split("`")[1]


async def due(bot: Bot) -> list[str]:
    return [row["name"] for row in (await bot.keeps("reminders", "due/")).rows]


@pytest.mark.parametrize("when", ["soon", "10", "0m", "10m later", "9999d", "-5m"])
async def test_reminders_refuse_what_is_no_duration(reminders: Bot, when: str) -> None:
    refused = await reminders.answers(talk.slash(f'/remind in:"{when}" text:x'))
    assert (refused["ephemeral"], "Write 10m" in refused["content"]) == (True, True)
    assert await due(reminders) == []


async def test_reminders_are_listed_next_first_and_cancelled_by_id(reminders: Bot) -> None:
    later = await reminders.answers(talk.slash('/remind in:"1h 30m" text:"the later one"'))
    sooner = await reminders.answers(talk.slash("/remind in:10m text:sooner"))
    listed = (await reminders.answers(talk.slash("/reminders list")))["content"].splitlines()
    assert [line.split(": ")[1] for line in listed] == ["sooner", "the later one"]
    assert "<t:" in listed[0], "everybody's own time zone"
    for answer in (later, sooner):
        assert (await reminders.answers(talk.slash(f"/reminders cancel id:{id_of(answer)}")))[
            "content"
        ] == "Forgotten."
    assert (await reminders.answers(talk.slash("/reminders list")))["content"] == "Nothing to come."
    again = await reminders.answers(talk.slash(f"/reminders cancel id:{id_of(later)}"))
    assert again["content"] == "You have none of that id."
    assert (await reminders.keeps()).rows == [], "nothing is left behind"


async def test_reminders_that_are_not_due_are_left_alone(reminders: Bot) -> None:
    answer = await reminders.answers(talk.slash("/remind in:1d text:tomorrow"))
    run = await reminders.runs("deliver")
    assert (run.ran.outcome, run.answers, len(await due(reminders))) == (Outcome.OK, [], 1)
    await reminders.answers(talk.slash(f"/reminders cancel id:{id_of(answer)}"))


async def test_reminders_survive_a_restart(tmp_path: Path) -> None:
    async with running("reminders", state=tmp_path) as bot:
        await bot.answers(talk.slash("/remind in:1d text:remember"))
        before = await due(bot)
    async with running("reminders", state=tmp_path) as bot:
        assert await due(bot) == before
        assert "remember" in (await bot.answers(talk.slash("/reminders list")))["content"]


@needs_rest
async def test_reminders_are_given_once_when_they_are_due(reminders: Bot) -> None:
    await reminders.answers(talk.slash('/remind in:1s text:"drink water"'))
    async with asyncio.timeout(30):
        while not (run := await reminders.runs("deliver")).answers and await due(reminders):
            await asyncio.sleep(0.1)
    (given,) = run.answers
    assert given.message is not None
    assert given.message["content"] == f"<@{DEV_USER}> drink water"
    assert (await reminders.runs("deliver")).answers == []
    assert await due(reminders) == []


# ---------------------------------------------------------------- all of them


@pytest.mark.parametrize("name", ["basic", "counter", pytest.param("reminders", marks=needs_rest), "shop"])
async def test_an_example_has_no_type_errors(name: str) -> None:
    async with Toolchain() as toolchain:
        found: list[Diagnostic] = await toolchain.check(Project.from_folder(EXAMPLES / name))
    assert found == []
