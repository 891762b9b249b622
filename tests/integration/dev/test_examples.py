"""Every example runs, and answers as its text says: real gateway, stream, worker, V8; simulated Discord."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from flora_core.ids import GuildId
from flora_dev import talk
from flora_dev.session import DevSession, Options
from flora_dev.sources import FolderSource
from flora_dev.talk import Exchange, Said, speak
from flora_dev.view import View
from flora_simulator.world_spec import DEV_GUILD

EXAMPLES = Path(__file__).parents[3] / "examples"

pytestmark = pytest.mark.asyncio(loop_scope="module")


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


@asynccontextmanager
async def running(name: str) -> AsyncIterator[Bot]:
    options = Options(FolderSource(EXAMPLES / name, GuildId(DEV_GUILD)))
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
