"""What becomes of each REST call in the journal."""

from __future__ import annotations

from typing import Any

import pytest

from flora_simulator import GuildSpec, MemberSpec, WorldSpec
from flora_simulator.journal import Journal
from flora_simulator.live_backend import LiveBackend
from flora_simulator.observer import Observer
from flora_simulator.routing import Call
from flora_simulator.simcord_port import Interaction, routes
from flora_simulator.wire import Action
from flora_simulator.world import World

MESSAGES = "/channels/{channel_id}/messages"
CALLBACK = "/interactions/{interaction_id}/{token}/callback"
WEBHOOK = "/webhooks/{webhook_id}/{token}"
ROUTES = {(route.method, route.template): route for route in routes()}


class Desk:
    """Does calls on a world and shows what was noted."""

    def __init__(self) -> None:
        guild = GuildSpec("garden", id="1001", owner="ada", members=(MemberSpec("ada", id="4001"),))
        self.world = World(WorldSpec(guilds=(guild,)), LiveBackend())
        self.journal = Journal(100)
        self.observer = Observer(self.world.backend, self.journal)
        self.channel = str(self.world.channel("general").id)

    def do(self, method: str, template: str, args: dict[str, str], json: Any = None) -> Any:
        call = Call(method, template, args=args, json=json)
        answer, _ = ROUTES[method, template](self.world.backend, args, json=json)
        self.observer.note(template, call, answer)
        return answer

    def send(self, content: str = "hi") -> str:
        return self.do("POST", MESSAGES, {"channel_id": self.channel}, {"content": content})["id"]

    def asked(self) -> Interaction:
        return self.world.backend.new_interaction(2, int(self.channel), 4001, 1001)

    def reply(self, record: Interaction, kind: int, **data: Any) -> None:
        args = {"interaction_id": str(record.id), "token": record.token}
        self.do("POST", CALLBACK, args, {"type": kind, "data": data})

    def webhook(self, record: Interaction) -> dict[str, str]:
        return {"webhook_id": str(self.world.backend.application_id), "token": record.token}

    @property
    def noted(self) -> list[Action]:
        return self.journal.since(0).actions

    @property
    def last(self) -> Action:
        return self.noted[-1]


@pytest.fixture
async def desk() -> Desk:
    return Desk()


async def test_a_message_is_noted_as_discord_returns_it(desk: Desk) -> None:
    message = desk.send("hello")
    assert (desk.last.kind, desk.last.guild, desk.last.channel) == ("message", "1001", desk.channel)
    assert desk.last.message is not None
    assert (desk.last.message["id"], desk.last.message["content"]) == (message, "hello")
    assert not desk.last.ephemeral


@pytest.mark.parametrize(
    ("method", "suffix", "json", "kind"),
    [
        ("PATCH", "", {"content": "changed"}, "edit"),
        ("PUT", "/reactions/{emoji}/@me", None, "reaction"),
        ("DELETE", "", None, "delete"),
    ],
)
async def test_what_happens_to_a_message_names_it(
    desk: Desk, method: str, suffix: str, json: Any, kind: str
) -> None:
    message = desk.send()
    args = {"channel_id": desk.channel, "message_id": message, "emoji": "x"}
    desk.do(method, MESSAGES + "/{message_id}" + suffix, args, json)
    assert desk.last.kind == kind
    assert desk.last.message is not None
    assert desk.last.message["id"] == message


async def test_an_emoji_is_in_the_data(desk: Desk) -> None:
    args = {"channel_id": desk.channel, "message_id": desk.send(), "emoji": "🌱"}
    desk.do("PUT", MESSAGES + "/{message_id}/reactions/{emoji}/@me", args)
    assert desk.last.data == {"emoji": "🌱"}


async def test_reading_leaves_no_trace(desk: Desk) -> None:
    desk.do("GET", MESSAGES, {"channel_id": desk.channel})
    desk.do("GET", "/guilds/{guild_id}", {"guild_id": "1001"})
    assert desk.noted == []


async def test_other_changes_are_noted_by_their_route(desk: Desk) -> None:
    args = {"guild_id": "1001"}
    desk.do("POST", "/guilds/{guild_id}/roles", args, {"name": "new"})
    assert (desk.last.kind, desk.last.guild) == ("rest", "1001")
    assert desk.last.data == {"method": "POST", "path": "/guilds/{guild_id}/roles"}


async def test_typing_is_noted(desk: Desk) -> None:
    desk.do("POST", "/channels/{channel_id}/typing", {"channel_id": desk.channel})
    assert (desk.last.kind, desk.last.channel) == ("typing", desk.channel)


@pytest.mark.parametrize("kind", [4, 5])
async def test_an_answer_names_its_interaction(desk: Desk, kind: int) -> None:
    record = desk.asked()
    desk.reply(record, kind, content="hi")
    assert desk.last.kind == {4: "message", 5: "defer"}[kind]
    assert (desk.last.interaction, desk.last.channel) == (str(record.id), desk.channel)


async def test_an_ephemeral_answer_names_who_sees_it(desk: Desk) -> None:
    desk.reply(desk.asked(), 4, content="psst", flags=64)
    assert (desk.last.ephemeral, desk.last.seen_by) == (True, "4001")


async def test_an_ephemeral_defer_does_too(desk: Desk) -> None:
    record = desk.asked()
    desk.reply(record, 5, flags=64)
    assert (desk.last.ephemeral, desk.last.seen_by) == (True, "4001")
    args = desk.webhook(record)
    desk.do("PATCH", WEBHOOK + "/messages/@original", args, {"content": "now"})
    assert (desk.last.kind, desk.last.ephemeral, desk.last.seen_by) == ("edit", True, "4001")
    assert desk.last.interaction == str(record.id)


async def test_a_modal_is_noted_whole(desk: Desk) -> None:
    row = {"type": 1, "components": [{"type": 4, "custom_id": "a", "style": 1, "label": "A"}]}
    desk.reply(desk.asked(), 9, custom_id="m", title="M", components=[row])
    assert (desk.last.kind, desk.last.seen_by) == ("modal", "4001")
    assert (desk.last.data["custom_id"], desk.last.data["title"]) == ("m", "M")


async def test_choices_are_noted(desk: Desk) -> None:
    desk.reply(desk.asked(), 8, choices=[{"name": "A", "value": "a"}])
    assert (desk.last.kind, desk.last.data) == ("choices", {"choices": [{"name": "A", "value": "a"}]})


async def test_a_followup_is_a_message_and_can_be_deleted(desk: Desk) -> None:
    record = desk.asked()
    desk.reply(record, 4, content="one")
    followup = desk.do("POST", WEBHOOK, desk.webhook(record), {"content": "two"})
    assert (desk.last.kind, desk.last.interaction) == ("message", str(record.id))
    args = desk.webhook(record) | {"message_id": followup["id"]}
    desk.do("DELETE", WEBHOOK + "/messages/{message_id}", args)
    assert (desk.last.kind, desk.last.message, desk.last.channel) == (
        "delete",
        {"id": followup["id"]},
        desk.channel,
    )


async def test_a_webhooks_message_is_in_the_webhooks_channel(desk: Desk) -> None:
    template = "/channels/{channel_id}/webhooks"
    hook = desk.do("POST", template, {"channel_id": desk.channel}, {"name": "news"})
    args = {"webhook_id": hook["id"], "token": hook["token"]}
    desk.do("POST", WEBHOOK, args, {"content": "extra"})
    assert (desk.last.kind, desk.last.channel, desk.last.interaction) == ("message", desk.channel, None)


async def test_an_interaction_without_an_answer_is_noted(desk: Desk) -> None:
    silent, answered = desk.asked(), desk.asked()
    desk.reply(answered, 5)
    desk.observer.unanswered(answered.id)
    assert desk.last.kind == "defer"
    desk.observer.unanswered(silent.id)
    assert (desk.last.kind, desk.last.interaction) == ("unanswered", str(silent.id))
    desk.observer.unanswered(12345)
    assert desk.journal.position == 2


@pytest.mark.parametrize("name", ["POST", "PATCH", "DELETE"])
async def test_single_commands_are_noted(desk: Desk, name: str) -> None:
    answer = {"id": "9", "name": "go"} if name != "DELETE" else None
    template = "/applications/{application_id}/commands/{command_id}"
    desk.observer.note(template, Call(name, template, args={"command_id": "9"}), answer)
    expected = "go" if answer is not None else "9"
    assert (desk.last.kind, desk.last.data) == ("commands", {"method": name, "names": [expected]})
