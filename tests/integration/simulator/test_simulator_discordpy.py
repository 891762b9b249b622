"""An unmodified discord.py against the simulator: what a bot's author would do."""

from __future__ import annotations

import asyncio
import io
import time

import aiohttp
import discord
import pytest
from discord import app_commands
from simulator_kit import GENERAL, GUILD, PATIENCE, Bot, RunningBots

from flora_simulator import Attachment, Simulator, SimulatorClient, SimulatorRefused
from tests.waiting import until


class Everything(Bot):
    """A bot that answers to whatever the tests do."""

    async def setup_hook(self) -> None:
        guild = discord.Object(int(GUILD))

        @self.tree.command(description="Says it back", guild=guild)
        async def echo(
            interaction: discord.Interaction, text: str, times: int = 1, loud: bool = False
        ) -> None:
            said = " ".join([text] * times)
            await interaction.response.send_message(said.upper() if loud else said)

        @self.tree.command(description="Whispers", guild=guild)
        async def whisper(interaction: discord.Interaction) -> None:
            await interaction.response.send_message("only you", ephemeral=True)

        @self.tree.command(description="Takes its time", guild=guild)
        async def slow(interaction: discord.Interaction) -> None:
            await interaction.response.defer()
            await interaction.edit_original_response(content="done")
            await interaction.followup.send("and more")

        @self.tree.command(description="Shows a menu", guild=guild)
        async def menu(interaction: discord.Interaction) -> None:
            await interaction.response.send_message("pick", view=Menu())

        @self.tree.command(description="About a member", guild=guild)
        @app_commands.describe(member="whom", where="where")
        async def about(
            interaction: discord.Interaction, member: discord.Member, where: discord.TextChannel
        ) -> None:
            await interaction.response.send_message(f"{member.name} in {where.name}")

        @self.tree.command(description="Completes", guild=guild)
        @app_commands.autocomplete(fruit=fruits)
        async def eat(interaction: discord.Interaction, fruit: str) -> None:
            await interaction.response.send_message(fruit)

        @self.tree.context_menu(name="Shout", guild=guild)
        async def shout(interaction: discord.Interaction, message: discord.Message) -> None:
            await interaction.response.send_message(message.content.upper())

        await self.tree.sync(guild=guild)

    async def on_message(self, message: discord.Message) -> None:
        await super().on_message(message)
        if message.content == "!ping":
            await message.reply("pong")
        if message.content == "!file":
            text = (await message.attachments[0].read()).decode()
            await message.channel.send(file=discord.File(io.BytesIO(text[::-1].encode()), "answer.txt"))


async def fruits(_: discord.Interaction, current: str) -> list[app_commands.Choice[str]]:
    return [app_commands.Choice(name=n, value=n) for n in ("apple", "banana") if n.startswith(current)]


class Form(discord.ui.Modal, title="A form"):
    name = discord.ui.TextInput(label="Name", custom_id="name", max_length=10)

    async def on_submit(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"hello {self.name.value}")


class Menu(discord.ui.View):
    @discord.ui.button(label="Go", custom_id="go")
    async def go(self, interaction: discord.Interaction, _: discord.ui.Button) -> None:
        await interaction.response.edit_message(content="gone", view=None)

    @discord.ui.button(label="Form", custom_id="form")
    async def form(self, interaction: discord.Interaction, _: discord.ui.Button) -> None:
        await interaction.response.send_modal(Form())

    @discord.ui.select(custom_id="colour", options=[discord.SelectOption(label=n) for n in ("red", "green")])
    async def colour(self, interaction: discord.Interaction, select: discord.ui.Select) -> None:
        await interaction.response.send_message(f"you like {select.values[0]}", ephemeral=True)


@pytest.fixture
async def bot(simulator: Simulator, run_bot: RunningBots) -> Everything:
    bot = Everything()
    await run_bot(bot, simulator.token)
    return bot


async def test_a_message_gets_its_reply(bot: Bot, people: SimulatorClient) -> None:
    act = await people.post("!ping", user="bob")
    answer = await people.next_action(act.position, kinds=["message"])
    assert answer.message is not None
    assert answer.message["content"] == "pong"
    assert answer.message["message_reference"]["message_id"] == act.id
    assert [(line.author, line.content) for line in await people.transcript()] == [
        ("bob", "!ping"),
        ("flora", "pong"),
    ]


async def test_the_cache_holds_what_the_simulator_holds(bot: Bot) -> None:
    guild = bot.get_guild(int(GUILD))
    assert guild is not None
    assert guild.name == "garden"
    assert [channel.name for channel in guild.text_channels] == ["general", "random"]
    assert guild.member_count == 3
    assert {member.name for member in guild.members} == {"ada", "bob", "flora"}


async def test_a_slash_command_runs_with_typed_options(bot: Bot, people: SimulatorClient) -> None:
    act = await people.slash('/echo text:"two words" times:2 loud:true')
    answer = await people.next_action(act.position)
    assert answer.message is not None
    assert answer.message["content"] == "TWO WORDS TWO WORDS"
    assert answer.interaction == act.id
    assert (await people.interaction(act.id)).kind == "message"


async def test_members_and_channels_are_resolved(bot: Bot, people: SimulatorClient) -> None:
    act = await people.slash("/about member:@bob where:#random")
    answer = await people.next_action(act.position)
    assert answer.message is not None
    assert answer.message["content"] == "bob in random"


async def test_an_ephemeral_answer_is_seen_by_one_person_only(bot: Bot, people: SimulatorClient) -> None:
    act = await people.slash("/whisper", user="bob")
    answer = await people.next_action(act.position)
    assert answer.ephemeral
    assert answer.seen_by == "4002"
    assert [line.content for line in await people.transcript(user="bob")] == ["only you"]
    assert await people.transcript(user="ada") == []


async def test_a_deferred_answer_is_completed_and_followed_up(bot: Bot, people: SimulatorClient) -> None:
    act = await people.slash("/slow")
    defer = await people.next_action(act.position)
    edit = await people.next_action(defer.position)
    followup = await people.next_action(edit.position)
    assert [action.kind for action in (defer, edit, followup)] == ["defer", "edit", "message"]
    assert [line.content for line in await people.transcript()] == ["done", "and more"]
    assert not (await people.transcript())[0].thinking


async def test_a_button_edits_its_message(bot: Bot, people: SimulatorClient) -> None:
    await shown_menu(people)
    act = await people.click("go")
    answer = await people.next_action(act.position)
    assert answer.kind == "edit"
    line = (await people.transcript())[-1]
    assert (line.content, line.components) == ("gone", [])
    assert [edit["content"] for edit in line.edits] == ["pick"]


async def test_a_select_menu_answers_with_what_was_chosen(bot: Bot, people: SimulatorClient) -> None:
    await shown_menu(people)
    act = await people.select("colour", ["green"])
    answer = await people.next_action(act.position)
    assert answer.message is not None
    assert answer.message["content"] == "you like green"


async def test_a_modal_is_opened_filled_in_and_submitted(bot: Bot, people: SimulatorClient) -> None:
    await shown_menu(people)
    act = await people.click("form")
    modal = await people.next_action(act.position)
    assert modal.kind == "modal"
    assert modal.data["title"] == "A form"
    act = await people.submit_modal({"name": "Ada"})
    answer = await people.next_action(act.position)
    assert answer.message is not None
    assert answer.message["content"] == "hello Ada"


async def shown_menu(people: SimulatorClient) -> None:
    act = await people.slash("/menu")
    await people.next_action(act.position)


async def test_autocomplete_offers_choices(bot: Bot, people: SimulatorClient) -> None:
    act = await people.autocomplete("/eat fruit:b", "fruit")
    answer = await people.next_action(act.position)
    assert answer.kind == "choices"
    assert [choice["value"] for choice in answer.data["choices"]] == ["banana"]


async def test_a_context_menu_runs_on_a_message(bot: Bot, people: SimulatorClient) -> None:
    quiet = await people.post("quiet")
    act = await people.context_menu("Shout", target_message=quiet.id)
    answer = await people.next_action(act.position)
    assert answer.message is not None
    assert answer.message["content"] == "QUIET"


async def test_files_travel_both_ways(bot: Bot, people: SimulatorClient, http: aiohttp.ClientSession) -> None:
    act = await people.post("!file", attachments=[Attachment("question.txt", b"abc")])
    answer = await people.next_action(act.position)
    assert answer.message is not None
    (attachment,) = answer.message["attachments"]
    assert attachment["filename"] == "answer.txt"
    async with http.get(attachment["url"]) as response:
        assert await response.read() == b"cba"
        assert response.headers["Content-Type"] == "text/plain"


async def test_a_cut_connection_is_resumed_without_a_loss(bot: Bot, people: SimulatorClient) -> None:
    await people.post("before")
    await people.drop()
    await people.post("while away")
    await asyncio.wait_for(bot.resumed.wait(), PATIENCE)
    await people.post("after")
    await until(lambda: "after" in bot.seen)
    assert bot.seen == ["before", "while away", "after"]
    stats = await people.stats()
    assert (stats.identifies, stats.resumes, stats.resumes_elsewhere) == (1, 1, 0)


async def test_op_7_makes_it_resume(bot: Bot, people: SimulatorClient) -> None:
    await people.reconnect()
    await asyncio.wait_for(bot.resumed.wait(), PATIENCE)
    assert (await people.stats()).identifies == 1


async def test_an_invalid_session_makes_it_identify_again(bot: Bot, people: SimulatorClient) -> None:
    bot.ready.clear()
    await people.invalidate()
    await asyncio.wait_for(bot.ready.wait(), PATIENCE)
    await people.post("!ping")
    await until(lambda: "!ping" in bot.seen)
    assert (await people.stats()).identifies == 2


async def test_discords_errors_are_the_librarys_exceptions(bot: Bot) -> None:
    channel = bot.get_channel(int(GENERAL))
    assert isinstance(channel, discord.TextChannel)
    with pytest.raises(discord.NotFound, match="10008"):
        await channel.fetch_message(1)
    with pytest.raises(discord.HTTPException, match=r"(?s)50035.*In content: Must be 2000 or fewer"):
        await channel.send("x" * 2001)


async def test_a_rate_limit_is_waited_for(bot: Bot, people: SimulatorClient) -> None:
    message = await bot.get_partial_messageable(int(GENERAL)).send("vote")
    await people.set_rate_limits()
    began = time.monotonic()
    await asyncio.gather(*(message.add_reaction(emoji) for emoji in "👍👎🤷"))
    assert time.monotonic() - began > 0.4
    stats = await people.stats()
    assert (stats.rate_limited, stats.invalid_requests) == (0, 0)


async def test_reactions_threads_and_pins_work(bot: Bot, people: SimulatorClient) -> None:
    channel = bot.get_channel(int(GENERAL))
    assert isinstance(channel, discord.TextChannel)
    message = await channel.send("start")
    await message.add_reaction("👍")
    await message.pin()
    thread = await message.create_thread(name="a thread")
    await thread.send("inside")
    first = (await people.transcript())[0]
    assert first.reactions == {"👍": 1}
    assert [pin.content async for pin in channel.pins()] == ["start"]
    assert [line.content for line in await people.transcript(str(thread.id))] == ["inside"]


async def test_an_unknown_command_lists_the_known_ones(bot: Bot, people: SimulatorClient) -> None:
    with pytest.raises(SimulatorRefused, match=r"no command /nope; there are: .*/echo text:<string>"):
        await people.slash("/nope")


async def test_members_are_chunked_on_request(bot: Bot, people: SimulatorClient) -> None:
    guild = bot.get_guild(int(GUILD))
    assert guild is not None
    found = await guild.query_members("bo")
    assert [member.name for member in found] == ["bob"]
    await people.add_member("garden", "carol")
    await until(lambda: guild.member_count == 4)
