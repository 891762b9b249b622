"""Interactions from a person's click to what they see, through every process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psutil
import pytest
import pytest_asyncio

from flora_simulator.wire import Acted, Action, ActionKind
from tests.integration.fleet.fleet import PATIENCE, Fleet

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCRIPT = """
let go = () => {};
const wait = () => new Promise((resolve) => { go = resolve });
on("messageCreate", (ctx) => ctx.msg.content === "go" && go());
const d = { description: "d" };
const animals = ["cat", "cow", "dog"];
createBot({
  slashCommands: [
    slash({ ...d, name: "find", options: [{ ...d, name: "animal", autocomplete: true }],
      run: (ctx) => ctx.reply("found " + ctx.options.animal),
      autocomplete: ({ focused }) => animals.filter((animal) => animal.startsWith(focused.value)) }),
    slash({ ...d, name: "slow", async run(ctx) { await wait(); await ctx.reply("at last") } }),
    slash({ ...d, name: "late", async run(ctx) { await wait(); throw new Error("a secret") } }),
    slash({ ...d, name: "broken", run() { throw new Error("a secret") } }),
    slash({ ...d, name: "loop", async run(ctx) { for (;;); } }),
    slash({ ...d, name: "panel", run: (ctx) => ctx.reply({ content: "panel", components: [
      button().setCustomId("slow").setLabel("Slow"),
      button().setCustomId("form").setLabel("Form")] }) }),
    slash({ ...d, name: "many", async run(ctx) {
      await ctx.reply("one");
      const more = await ctx.followup({ content: "two", ephemeral: true });
      await ctx.editFollowup(more, "three");
      const first = await ctx.fetchReply();
      await ctx.deleteFollowup(more.id);
      await ctx.edit(first.content + ", fetched");
      await ctx.deleteReply();
    } }),
    slash({ ...d, name: "box", run: (ctx) => ctx.reply({ ephemeral: true, components: [
      container().addComponents(textDisplay("a box"))] }) }),
  ],
  contextCommands: [
    userCommand({ name: "Who is this", run: (ctx) => ctx.reply("this is " + ctx.targetUser.username) }),
    messageCommand({ name: "Say again", run: (ctx) => ctx.reply("again: " + ctx.targetMessage.content) }),
  ],
});
on("componentInteraction", async (ctx) => {
  if (ctx.msg.customId === "form") {
    return ctx.showModal(modal("form", "A form").addComponents(label("Name").setComponent(inputText("name"))));
  }
  await wait();
  await ctx.update({ content: "updated", components: [] });
});
on("modalSubmit", async (ctx) => {
  await ctx.deferUpdate();
  await ctx.edit("hello " + ctx.fields.name);
});
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fleet(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Fleet]:
    """Everything up once, and the bot's commands registered."""
    running = Fleet(tmp_path_factory.mktemp("fleet"))
    await running.start()
    await running.deploy(SCRIPT)
    await running.ready()
    guild = (await running.people.world())["guilds"][0]["id"]
    async with asyncio.timeout(PATIENCE):
        while not any(name.startswith("/find") for name in await running.people.commands(guild=guild)):
            await asyncio.sleep(0.02)
    yield running
    await running.stop()


async def seen(fleet: Fleet, acted: Acted, *kinds: ActionKind) -> Action:
    """The next thing of these kinds that the bot does."""
    return await fleet.people.next_action(acted.position, kinds=kinds, longest=PATIENCE)


def text_of(action: Action) -> str:
    return str((action.message or {}).get("content"))


async def test_suggestions_arrive_while_somebody_types(fleet: Fleet) -> None:
    acted = await fleet.people.autocomplete("/find animal:c", "animal")
    action = await seen(fleet, acted, "choices")
    assert action.data["choices"] == [{"name": "cat", "value": "cat"}, {"name": "cow", "value": "cow"}]
    acted = await fleet.people.slash("/find animal:cow")
    assert text_of(await seen(fleet, acted, "message")) == "found cow"


@pytest.mark.parity(14, 35)
async def test_a_slow_command_is_deferred_and_its_reply_takes_the_place(fleet: Fleet) -> None:
    acted = await fleet.people.slash("/slow")
    deferred = await seen(fleet, acted, "defer", "unanswered")
    assert deferred.kind == "defer"
    went_on = await fleet.people.post("go")
    filled = await seen(fleet, went_on, "message", "edit")
    assert (text_of(filled), filled.interaction) == ("at last", acted.id)


async def test_a_slow_button_is_deferred_and_its_message_updated(fleet: Fleet) -> None:
    shown = await seen(fleet, await fleet.people.slash("/panel"), "message")
    acted = await fleet.people.click("slow")
    assert (await seen(fleet, acted, "defer", "unanswered")).kind == "defer"
    updated = await seen(fleet, await fleet.people.post("go"), "edit")
    assert text_of(updated) == "updated"
    assert (updated.message or {})["id"] == (shown.message or {})["id"]


@pytest.mark.parity(32)
async def test_a_modal_opens_and_its_answer_updates_the_message(fleet: Fleet) -> None:
    await seen(fleet, await fleet.people.slash("/panel"), "message")
    opened = await seen(fleet, await fleet.people.click("form"), "modal")
    assert opened.data["custom_id"] == "form"
    acted = await fleet.people.submit_modal({"name": "Ada"})
    assert text_of(await seen(fleet, acted, "edit")) == "hello Ada"


async def test_a_command_that_fails_tells_its_user_alone_and_logs_why(fleet: Fleet) -> None:
    before = len(fleet.operator.logs)
    answer = await seen(fleet, await fleet.people.slash("/broken"), "message")
    assert answer.ephemeral
    assert "Something went wrong" in text_of(answer)
    assert "secret" not in text_of(answer)
    await fleet.wait(lambda: any("a secret" in line.text for line in fleet.operator.logs[before:]))


async def test_a_command_that_fails_late_says_so_in_the_deferred_message(fleet: Fleet) -> None:
    acted = await fleet.people.slash("/late")
    await seen(fleet, acted, "defer")
    filled = await seen(fleet, await fleet.people.post("go"), "message", "edit")
    assert "Something went wrong" in text_of(filled)


async def test_a_command_whose_isolate_dies_is_answered_all_the_same(fleet: Fleet) -> None:
    answer = await seen(fleet, await fleet.people.slash("/loop"), "message")
    assert answer.ephemeral
    assert "Something went wrong" in text_of(answer)
    assert "flora_runtime_apologies_total 1.0" in await fleet.metrics(fleet.runtime)


async def test_a_deferred_command_whose_worker_is_killed_is_answered_in_its_message(fleet: Fleet) -> None:
    acted = await fleet.people.slash("/slow")
    await seen(fleet, acted, "defer")
    assert fleet.runtime is not None
    for worker in psutil.Process(fleet.runtime.pid).children(recursive=True):
        worker.kill()
    filled = await seen(fleet, acted, "message", "edit")
    assert (filled.interaction, "Something went wrong" in text_of(filled)) == (acted.id, True)


@pytest.mark.parity(35)
async def test_replies_and_follow_ups_are_fetched_changed_and_deleted(fleet: Fleet) -> None:
    acted = await fleet.people.slash("/many")
    found: list[tuple[str, str | None]] = []
    position = acted.position
    while len(found) < 6:
        actions = await fleet.people.wait(position, kinds=["message", "edit", "delete"], longest=PATIENCE)
        found += [(a.kind, (a.message or {}).get("content")) for a in actions.actions]
        position = actions.position
    assert [what for what in found if what[0] != "delete"] == [
        ("message", "one"),
        ("message", "two"),
        ("edit", "three"),
        ("edit", "one, fetched"),
    ]
    assert [kind for kind, _ in found].count("delete") == 2


async def test_components_v2_are_ephemeral_when_asked(fleet: Fleet) -> None:
    answer = await seen(fleet, await fleet.people.slash("/box"), "message")
    assert answer.ephemeral
    assert (answer.message or {})["flags"] & (64 | 32768) == 64 | 32768


async def test_commands_of_menus_know_their_target(fleet: Fleet) -> None:
    user = await fleet.people.context_menu("Who is this", target_user="you")
    assert text_of(await seen(fleet, user, "message")).startswith("this is ")
    posted = await fleet.people.post("hear, hear")
    again = await fleet.people.context_menu("Say again", target_message=posted.id)
    assert text_of(await seen(fleet, again, "message")) == "again: hear, hear"
