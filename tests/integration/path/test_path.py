"""Events down, ops up, results down: over real streams, through real workers."""

from __future__ import annotations

import msgspec
import pytest

from flora_core.wire.control import Failed, Limits, Loaded, Outcome
from flora_core.wire.gateway import OpError
from tests.integration.path.path_under_test import POD, PathUnderTest, guild_on_worker

ECHO = "on('messageCreate', async (ctx) => { await ctx.reply('echo ' + ctx.msg.content); });"


async def test_a_message_is_answered(path: PathUnderTest) -> None:
    await path.deploy("1", ECHO)
    path.message("hello")
    assert await path.wait_contents(1) == ["echo hello"]


async def test_the_answer_to_a_call_reaches_the_script(path: PathUnderTest) -> None:
    await path.deploy(
        "1",
        "on('messageCreate', async (ctx) => { const m = await ctx.reply('x'); console.log('id', m.id); });",
    )
    path.message("hello")
    line = await path.wait_log("id 1")
    assert (line.guild, line.level) == ("1", "info")


async def test_a_refused_call_reaches_the_script_with_its_code(path: PathUnderTest) -> None:
    path.discord.answering = False
    await path.deploy(
        "1",
        "on('messageCreate', async (ctx) => { try { await ctx.reply('x'); } catch (e) { console.log(e.code); } });",
    )
    path.message("hello")
    await path.wait_contents(1)
    path.discord.refuse_all(OpError("SCOPE_FORBIDDEN", "no"))
    await path.wait_log("SCOPE_FORBIDDEN")


async def test_events_of_a_guild_arrive_in_order(path: PathUnderTest) -> None:
    await path.deploy("1", ECHO)
    for number in range(200):
        path.message(str(number))
    assert await path.wait_contents(200) == [f"echo {number}" for number in range(200)]


@pytest.mark.parity(11)
async def test_slash_commands_are_pushed_after_a_load_and_once(path: PathUnderTest) -> None:
    script = "createBot({ slashCommands: [slash({ name: 'hi', description: 'Says hi', run() {} })] });"
    await path.deploy("1", script)
    await path.wait(lambda: path.discord.bodies("upsertGuildCommands"))
    assert path.discord.bodies("upsertGuildCommands")[0][0]["name"] == "hi"
    await path.deploy("1", script + "\n// a comment")
    path.message("x")
    assert len(path.discord.bodies("upsertGuildCommands")) == 1


async def test_a_script_without_commands_takes_earlier_ones_away(path: PathUnderTest) -> None:
    await path.deploy("1", ECHO)
    await path.wait(lambda: path.discord.bodies("upsertGuildCommands"))
    assert path.discord.bodies("upsertGuildCommands") == [[]]


async def test_commands_of_a_script_that_does_not_load_are_never_pushed(path: PathUnderTest) -> None:
    path.operator.deploy(
        "1",
        "createBot({ slashCommands: [slash({ name: 'hi', description: 'x', run() {} })] }); throw new Error('no');",
    )
    await path.wait(lambda: any(isinstance(report, Failed) for report in path.operator.reports))
    assert path.discord.ops == []


async def test_events_nobody_handles_never_leave_the_gateway(path: PathUnderTest) -> None:
    await path.deploy("1", "on('reactionAdd', () => {});")
    await path.wait(lambda: (POD, "1") in path.hub._subscriptions)
    before = path.hub.pod("flora-runtime-0").buffer.next_offset
    path.message("hello")
    assert path.hub.pod("flora-runtime-0").buffer.next_offset == before


async def test_the_bots_own_messages_come_only_on_request(path: PathUnderTest) -> None:
    await path.deploy("1", ECHO)
    await path.wait(lambda: (POD, "1") in path.hub._subscriptions)
    path.message("me", author="3")
    path.message("you")
    assert await path.wait_contents(1) == ["echo you"]
    await path.deploy(
        "1", "on('messageCreate', (ctx) => console.log('own ' + ctx.msg.content), { own: true });"
    )
    await path.wait(lambda: path.hub._subscriptions[POD, "1"].own)
    path.message("me again", author="3")
    await path.wait_log("own me again")


async def test_an_event_of_an_unknown_guild_goes_nowhere_and_harms_nobody(path: PathUnderTest) -> None:
    await path.deploy("1", ECHO)
    path.message("lost", guild="999")
    path.message("found")
    assert await path.wait_contents(1) == ["echo found"]


@pytest.mark.parity(60)
async def test_a_failed_deploy_is_reported_and_the_old_script_answers(path: PathUnderTest) -> None:
    await path.deploy("1", ECHO)
    path.operator.deploy("1", "throw new Error('boom')")
    report = await path.wait(lambda: [r for r in path.operator.reports if isinstance(r, Failed)])
    assert "boom" in report[0].error.message
    path.message("still")
    assert await path.wait_contents(1) == ["echo still"]


async def test_a_script_over_its_limit_is_made_anew_for_the_next_event(path: PathUnderTest) -> None:
    await path.deploy(
        "1",
        "on('messageCreate', async (ctx) => { if (ctx.msg.content === 'loop') while (true); await ctx.reply('ok'); });",
        limits=Limits(cpu_milliseconds=30),
    )
    path.message("loop")
    line = await path.wait_log("more than 30 ms of CPU")
    assert line.outcome is Outcome.EXCEEDED_CPU
    path.message("again")
    assert await path.wait_contents(1) == ["ok"]
    loaded = [report for report in path.operator.reports if isinstance(report, Loaded)]
    assert len(loaded) == 1, "coming back is no new deploy"


async def test_a_guild_that_moves_away_is_unloaded(path: PathUnderTest) -> None:
    await path.deploy("1", ECHO)
    path.operator.state.release("1")  # type: ignore[arg-type]
    assert path.pod is not None
    await path.wait(lambda: path.pod is not None and "1" not in path.pod._guilds)


async def test_guilds_on_different_workers_answer_side_by_side(path: PathUnderTest) -> None:
    guilds = [guild_on_worker(0), guild_on_worker(1)]
    for guild in guilds:
        await path.deploy(guild, ECHO)
        path.message(f"from {guild}", guild=guild)
    assert set(await path.wait_contents(2)) == {f"echo from {guild}" for guild in guilds}


@pytest.mark.parity(29)
async def test_ready_is_broadcast_without_telling_of_other_guilds(path: PathUnderTest) -> None:
    await path.deploy("1", "on('ready', (ctx) => console.log(JSON.stringify(ctx.msg)));")
    path.dispatch(
        "READY",
        {
            "user": {"id": "3", "username": "flora", "discriminator": "0"},
            "application": {"id": "3"},
            "guilds": [{"id": "1"}, {"id": "2"}],
            "session_id": "s",
        },
    )
    line = await path.wait_log("guildIds")
    ready = msgspec.json.decode(line.text)
    assert ready["guildIds"] == []
    assert ready["user"]["username"] == "flora"


@pytest.mark.parametrize("text", ["line one\nline two", "\u2028 and \u0000", "é 🌸", '"quoted\\"'])
async def test_any_text_makes_the_round_trip(path: PathUnderTest, text: str) -> None:
    await path.deploy("1", ECHO)
    path.message(text)
    assert await path.wait_contents(1) == [f"echo {text}"]


async def test_half_an_emoji_is_repaired_and_not_lost(path: PathUnderTest) -> None:
    await path.deploy(
        "1", "on('messageCreate', async (ctx) => { await ctx.reply('🌸'.slice(0, 1) + '!'); });"
    )
    path.message("x")
    assert await path.wait_contents(1) == ["\ufffd!"]
