"""Every example of the guides loads and gets through one of each event."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import node
import pytest
from harness import BOT_ID, GUILD_ID, GuildUnderTest
from payloads import (
    BOT,
    CHANNEL_ID,
    MESSAGE_ID,
    USER,
    USER_ID,
    command,
    component,
    interaction,
    message,
    modal,
    option,
    reaction,
    sent,
)

from conftest import NewGuild
from flora_core.events import TABLE
from tests.event_samples import Samples

DOCS = Path(__file__).parents[2] / "docs"

SAMPLES = Samples(guild=GUILD_ID, channel=CHANNEL_ID, user=USER_ID)


def typing(name: str) -> dict[str, Any]:
    """The first letter of an option."""
    return interaction(4, {"name": name, "type": 1, "options": [option("city", "B") | {"focused": True}]})


def menu(kind: int, name: str) -> dict[str, Any]:
    """A command in the menu of a user or message."""
    resolved = {"users": {USER_ID: USER}, "messages": {MESSAGE_ID: message("one two")}}
    target = USER_ID if kind == 2 else MESSAGE_ID
    return interaction(2, {"name": name, "type": kind, "target_id": target, "resolved": resolved})


EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("READY", {"user": BOT, "application": {"id": BOT_ID}}),
    *(
        ("MESSAGE_CREATE", message(text))
        for text in (
            "!ping a b",
            "!clear",
            "!report",
            "!say hello",
            "!joke",
            "!rain",
            "!race",
            "!upload",
            "!pay 5",
            "!sign",
            "!roll 20",
            "!roll x",
            "!count",
            "!card",
            "!try",
            "good bot",
            "hello",
        )
    ),
    ("MESSAGE_CREATE", message("mine", author=BOT)),
    ("MESSAGE_UPDATE", message("edited", edited_timestamp="2024-01-01T00:00:00Z")),
    ("MESSAGE_DELETE", {"id": "1", "channel_id": "2", "guild_id": "3"}),
    ("MESSAGE_REACTION_ADD", reaction()),
    ("INTERACTION_CREATE", command("hello", option("name", "Bob"))),
    (
        "INTERACTION_CREATE",
        command(
            "remind", option("who", USER_ID, 6), option("minutes", 1, 4), resolved={"users": {USER_ID: USER}}
        ),
    ),
    ("INTERACTION_CREATE", command("counter", option("add", kind=1, options=[option("by", 2, 4)]))),
    (
        "INTERACTION_CREATE",
        command("counter", option("admin", kind=2, options=[option("reset", kind=1, options=[])])),
    ),
    ("INTERACTION_CREATE", command("hush", option("who", USER_ID, 6))),
    *(("INTERACTION_CREATE", command(name)) for name in ("work", "poll", "feedback")),
    *(("INTERACTION_CREATE", component(custom_id, values=["1"])) for custom_id in ("sugar", "vote:tea")),
    (
        "INTERACTION_CREATE",
        modal("feedback", [{"type": 18, "component": {"type": 4, "custom_id": "text", "value": "fine"}}]),
    ),
    *(("INTERACTION_CREATE", command(name)) for name in ("countdown", "card", "research")),
    ("INTERACTION_CREATE", command("divide", option("by", 5, 4))),
    ("INTERACTION_CREATE", command("introduce", option("who", USER_ID, 6), option("role", "5", 8))),
    *(("INTERACTION_CREATE", typing(name)) for name in ("time", "dice")),
    ("INTERACTION_CREATE", menu(2, "How long here?")),
    ("INTERACTION_CREATE", menu(3, "Count words")),
    *((kind.type, SAMPLES.of(kind)) for kind in TABLE if kind.type not in ("READY", "INTERACTION_CREATE")),
]


FETCHED = {
    "status": 200,
    "statusText": "OK",
    "url": "https://api.example.com/",
    "headers": [["content-type", "application/json"], ["x-signature", "00"]],
    "text": '{"joke":"Knock, knock.","names":["Ann"],"temperature":21.5}',
}
"""What every server answers the examples."""


def names() -> list[str]:
    """The examples, by guide and line of their first line."""
    found: list[str] = []
    for guide in sorted(DOCS.glob("*.md")):
        text = guide.read_text()
        starts = [match.start() for match in re.finditer(r"^```ts\n", text, re.MULTILINE)]
        found += [f"docs/{guide.name}:{text.count(chr(10), 0, start) + 2}" for start in starts]
    return found


@pytest.fixture(scope="module")
def scripts() -> dict[str, str]:
    result = node.run("node", "types/examples.mjs", "--print")
    assert result.returncode == 0, result.stderr
    return {example["name"]: example["code"] for example in json.loads(result.stdout)}


def settle(guild: GuildUnderTest) -> None:
    """Answer every call and let time pass, until an interval at most is left."""
    for _ in range(5):
        while guild.out.ops:
            op = guild.out.ops[0]
            first = op.name in ("sendInteractionResponse", "updateInteractionResponse")
            answer: Any = {"resource": {"message": sent()}} if first else sent()
            if op.name == "fetch":
                answer = FETCHED
            elif op.name == "fetchMessages":
                answer = [sent(), sent()]
            elif op.name == "createWebhook":
                answer = {"id": "800000000000000008", "token": "hook"}
            elif op.name == "kvGet":
                answer = None
            guild.resolve(op, answer)
        if guild.out.timers:
            guild.fire()


SECRETS = dict.fromkeys(("WEATHER_KEY", "SHOP_KEY", "SHOP_PASSWORD"), f"__FLORA_SECRET__{'0' * 32}")


@pytest.fixture
def guild(new_guild: NewGuild) -> GuildUnderTest:
    return new_guild(userId=BOT_ID, secrets=SECRETS)


@pytest.mark.parity(112)
@pytest.mark.parametrize("name", names())
def test_an_example_runs(guild: GuildUnderTest, scripts: dict[str, str], name: str) -> None:
    code = scripts[name].replace("export {};", "")
    guild.load(code)
    assert guild.out.load is True
    for kind, data in EVENTS:
        guild.event(kind, data)
        settle(guild)
    guild.feed()
    assert {number: error for number, error in guild.out.done.items() if error} == {}
    assert len(guild.out.done) == len(EVENTS)
    assert [text for level, text in guild.out.logs if level == "error"] == []


def test_all_examples_are_run(scripts: dict[str, str]) -> None:
    assert sorted(scripts) == sorted(names())
    assert len(scripts) >= 12
