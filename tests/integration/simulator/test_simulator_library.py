"""The rest of Discord's API through discord.py's own objects: moderation, places, webhooks, files, polls."""

from __future__ import annotations

import datetime as dt
import io

import discord
import pytest
from simulator_kit import BOB, GENERAL, GUILD, MODS, Bot, RunningBots

from flora_simulator import Simulator, SimulatorClient
from tests.waiting import until


@pytest.fixture
async def bot(simulator: Simulator, run_bot: RunningBots) -> Bot:
    bot = Bot()
    await run_bot(bot, simulator.token)
    return bot


@pytest.fixture
def guild(bot: Bot) -> discord.Guild:
    guild = bot.get_guild(int(GUILD))
    assert guild is not None
    return guild


@pytest.fixture
def general(guild: discord.Guild) -> discord.TextChannel:
    channel = guild.get_channel(int(GENERAL))
    assert isinstance(channel, discord.TextChannel)
    return channel


@pytest.fixture
def bob(guild: discord.Guild) -> discord.Member:
    member = guild.get_member(int(BOB))
    assert member is not None
    return member


# -------------------------------------------------------------- moderation


async def test_kick(guild: discord.Guild, bob: discord.Member) -> None:
    await bob.kick(reason="spam")
    await until(lambda: guild.get_member(bob.id) is None)
    entries = [entry async for entry in guild.audit_logs(action=discord.AuditLogAction.kick)]
    assert entries[0].reason == "spam"


async def test_ban_and_unban(guild: discord.Guild, bob: discord.Member) -> None:
    await guild.ban(bob, reason="worse")
    assert (await guild.fetch_ban(bob)).reason == "worse"
    await guild.unban(bob)
    with pytest.raises(discord.NotFound, match="10026"):
        await guild.fetch_ban(bob)


async def test_timeout_and_nickname(bob: discord.Member) -> None:
    await bob.edit(nick="Bobby", timed_out_until=discord.utils.utcnow() + dt.timedelta(minutes=5))
    await until(bob.is_timed_out)
    assert bob.nick == "Bobby"


async def test_someone_timed_out_cannot_write(bob: discord.Member, people: SimulatorClient) -> None:
    await bob.timeout(dt.timedelta(minutes=5))
    with pytest.raises(Exception, match="Missing Permissions"):
        await people.post("let me", user="bob")


async def test_roles_are_made_given_changed_and_removed(guild: discord.Guild, bob: discord.Member) -> None:
    role = await guild.create_role(name="helpers", colour=discord.Colour.red())
    await bob.add_roles(role)
    await until(lambda: role in bob.roles)
    await role.edit(name="aides", permissions=discord.Permissions(manage_messages=True))
    await until(lambda: guild.get_role(role.id) and guild.get_role(role.id).name == "aides")  # pyright: ignore[reportOptionalMemberAccess]
    await bob.remove_roles(role)
    await until(lambda: role not in bob.roles)
    await role.delete()
    await until(lambda: guild.get_role(role.id) is None)


async def test_the_owner_is_out_of_reach(guild: discord.Guild) -> None:
    owner = guild.owner
    assert owner is not None
    with pytest.raises(discord.Forbidden, match="50013"):
        await owner.kick()


async def test_messages_are_deleted_in_bulk(general: discord.TextChannel, people: SimulatorClient) -> None:
    sent = [await general.send(f"{n}") for n in range(3)]
    await general.delete_messages(sent[:2])
    assert [line.content for line in await people.transcript()] == ["2"]


async def test_purge_deletes_what_matches(general: discord.TextChannel, people: SimulatorClient) -> None:
    for content in ("keep", "drop", "drop"):
        await people.post(content)
    await general.purge(check=lambda message: message.content == "drop")
    assert [line.content for line in await people.transcript()] == ["keep"]


# ------------------------------------------------------------------ places


async def test_channels_are_made_edited_and_deleted(guild: discord.Guild) -> None:
    category = await guild.create_category("stuff")
    channel = await guild.create_text_channel("new", category=category, topic="t")
    assert channel.category_id == category.id
    edited = await channel.edit(topic="other", slowmode_delay=5)
    assert edited is not None
    assert (edited.topic, edited.slowmode_delay) == ("other", 5)
    await channel.delete()
    await until(lambda: guild.get_channel(channel.id) is None)


async def test_overwrites_decide_who_may_write(
    guild: discord.Guild, general: discord.TextChannel, people: SimulatorClient
) -> None:
    await people.add_member("garden", "eve")
    await general.set_permissions(guild.default_role, send_messages=False)
    with pytest.raises(Exception, match="Missing Permissions"):
        await people.post("x", user="eve")
    await general.set_permissions(guild.default_role, overwrite=None)
    await people.post("x", user="eve")


async def test_threads_of_both_kinds(general: discord.TextChannel) -> None:
    public = await general.create_thread(name="open", type=discord.ChannelType.public_thread)
    private = await general.create_thread(name="shut", type=discord.ChannelType.private_thread)
    await public.send("a")
    await private.send("b")
    await public.edit(archived=True)
    archived = [thread.name async for thread in general.archived_threads()]
    assert archived == ["open"]


async def test_a_forum_post_is_a_thread_with_a_message(guild: discord.Guild, people: SimulatorClient) -> None:
    forum_id = await people.create_channel("garden", "ideas", kind="forum")
    await until(lambda: guild.get_channel(int(forum_id)))
    forum = guild.get_channel(int(forum_id))
    assert isinstance(forum, discord.ForumChannel)
    made = await forum.create_thread(name="an idea", content="what if")
    assert made.message.content == "what if"
    assert [line.content for line in await people.transcript(str(made.thread.id))] == ["what if"]


async def test_the_guild_can_be_renamed(guild: discord.Guild, people: SimulatorClient) -> None:
    await guild.edit(name="park")
    await until(lambda: guild.name == "park")
    assert (await people.world())["guilds"][0]["name"] == "park"


async def test_leaving_a_guild(bot: Bot, guild: discord.Guild, people: SimulatorClient) -> None:
    await guild.leave()
    await until(lambda: not bot.guilds)
    assert (await people.world())["guilds"] == []


async def test_a_guild_made_while_running_is_seen(bot: Bot, people: SimulatorClient) -> None:
    made = await people.create_guild("lab")
    await until(lambda: bot.get_guild(int(made)))


async def test_invites(general: discord.TextChannel, bot: Bot) -> None:
    invite = await general.create_invite(max_uses=3)
    assert (await bot.fetch_invite(invite.code)).code == invite.code
    assert [found.code for found in await general.invites()] == [invite.code]
    await invite.delete()
    assert await general.invites() == []


async def test_scheduled_events(guild: discord.Guild) -> None:
    start = discord.utils.utcnow() + dt.timedelta(hours=1)
    event = await guild.create_scheduled_event(
        name="party",
        start_time=start,
        end_time=start + dt.timedelta(hours=2),
        entity_type=discord.EntityType.external,
        location="here",
        privacy_level=discord.PrivacyLevel.guild_only,
    )
    assert [found.name for found in await guild.fetch_scheduled_events()] == ["party"]
    await event.delete()


# ---------------------------------------------------------------- messages


async def test_history_pages_back(general: discord.TextChannel, people: SimulatorClient) -> None:
    ids = [(await people.post(f"{n}")).id for n in range(7)]
    newest = [message.content async for message in general.history(limit=3)]
    before = [message.content async for message in general.history(before=discord.Object(int(ids[2])))]
    after = [message.content async for message in general.history(after=discord.Object(int(ids[4])))]
    assert (newest, before, after) == (["6", "5", "4"], ["1", "0"], ["5", "6"])


async def test_embeds_and_replies_survive(general: discord.TextChannel, people: SimulatorClient) -> None:
    act = await people.post("question")
    question = discord.MessageReference(message_id=int(act.id), channel_id=general.id)
    embed = discord.Embed(title="T", description="D", colour=5).add_field(name="n", value="v")
    await general.send("answer", embed=embed, reference=question)
    line = (await people.transcript())[-1]
    assert line.reply_to == act.id
    assert line.embeds[0]["title"] == "T"
    assert line.embeds[0]["fields"][0]["name"] == "n"


async def test_mentions_follow_the_policy(general: discord.TextChannel, people: SimulatorClient) -> None:
    text = f"<@{BOB}> <@&{MODS}> @everyone"
    loud = await general.send(text)
    quiet = await general.send(text, allowed_mentions=discord.AllowedMentions.none())
    assert loud.mention_everyone
    assert not quiet.mention_everyone


async def test_reactions_are_listed_and_cleared(
    general: discord.TextChannel, people: SimulatorClient
) -> None:
    message = await general.send("vote")
    await people.react("general", str(message.id), "👍", user="bob")
    await message.add_reaction("👍")
    fetched = await general.fetch_message(message.id)
    assert {user.name async for user in fetched.reactions[0].users()} == {"bob", "flora"}
    await message.clear_reactions()
    assert (await people.transcript())[0].reactions == {}


async def test_polls(general: discord.TextChannel) -> None:
    poll = discord.Poll("lunch?", dt.timedelta(hours=1))
    poll.add_answer(text="soup")
    poll.add_answer(text="salad")
    message = await general.send(poll=poll)
    fetched = await general.fetch_message(message.id)
    assert fetched.poll is not None
    assert [answer.text for answer in fetched.poll.answers] == ["soup", "salad"]
    await message.end_poll()


async def test_webhooks_send_edit_and_delete(general: discord.TextChannel, people: SimulatorClient) -> None:
    hook = await general.create_webhook(name="herald")
    message = await hook.send("hear", username="Town Crier", wait=True)
    await message.edit(content="hear ye")
    (line,) = await people.transcript()
    assert (line.author, line.content) == ("Town Crier", "hear ye")
    await message.delete()
    assert await people.transcript() == []
    assert [found.name for found in await general.webhooks()] == ["herald"]
    await hook.delete()


async def test_a_file_can_be_swapped(general: discord.TextChannel) -> None:
    message = await general.send(file=discord.File(io.BytesIO(b"1"), "one.txt", description="first"))
    assert message.attachments[0].description == "first"
    edited = await message.edit(attachments=[discord.File(io.BytesIO(b"2"), "two.txt")])
    assert [attachment.filename for attachment in edited.attachments] == ["two.txt"]
    assert await edited.attachments[0].read() == b"2"


async def test_emojis_and_stickers(guild: discord.Guild) -> None:
    png = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
    emoji = await guild.create_custom_emoji(name="leaf", image=png)
    await until(lambda: guild.emojis)
    await emoji.delete()
    sticker = await guild.create_sticker(
        name="tree", description="d", emoji="🌳", file=discord.File(io.BytesIO(png), "t.png")
    )
    assert sticker.name == "tree"


async def test_components_v2(general: discord.TextChannel, people: SimulatorClient) -> None:
    class Layout(discord.ui.LayoutView):
        text = discord.ui.TextDisplay("shown")
        row = discord.ui.ActionRow()

        @row.button(label="Go", custom_id="go")
        async def go(self, interaction: discord.Interaction, _: discord.ui.Button[Layout]) -> None:
            await interaction.response.send_message("went", ephemeral=True)

    await general.send(view=Layout())
    act = await people.click("go")
    answer = await people.next_action(act.position)
    assert answer.message is not None
    assert answer.message["content"] == "went"


async def test_a_direct_message(bot: Bot, people: SimulatorClient) -> None:
    user = await bot.fetch_user(int(BOB))
    await user.send("hello")
    channel = await people.open_dm("bob")
    assert [line.content for line in await people.transcript(channel)] == ["hello"]


async def test_a_presence_change_is_taken(bot: Bot, people: SimulatorClient) -> None:
    await bot.change_presence(activity=discord.Game("go"))
    await people.post("still here")
    await until(lambda: "still here" in bot.seen)


async def test_two_shards_split_the_guilds(
    simulator: Simulator, run_bot: RunningBots, people: SimulatorClient
) -> None:
    odd = str(1 << 22)
    await people.create_guild("odd", guild_id=odd)
    bots = [Bot(shard_id=number, shard_count=2) for number in (0, 1)]
    for bot in bots:
        await run_bot(bot, simulator.token)
    assert [[guild.name for guild in bot.guilds] for bot in bots] == [["garden"], ["odd"]]
