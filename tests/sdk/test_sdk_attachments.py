"""Files that go with messages: bytes, text and URLs, on every call that sends a message."""

from __future__ import annotations

import base64

import pytest
from harness import GuildUnderTest
from payloads import command, component, message, modal, sent

FILE = "{ name: 'a.txt', data: 'hé' }"
AS_FILE = {"name": "a.txt", "data": base64.b64encode("hé".encode()).decode()}
ID = "111111111111111111"


def reply(guild: GuildUnderTest, attachments: str) -> None:
    guild.load(
        "on('messageCreate', async (ctx) => { try { await ctx.reply({ attachments: "
        + attachments
        + " }) } catch (e) { console.log(e.code, e.message) } })"
    )
    guild.event("MESSAGE_CREATE", message())


@pytest.mark.parity(34)
@pytest.mark.parametrize(
    ("attachment", "file"),
    [
        (FILE, AS_FILE),
        ("{ name: 'a', data: new Uint8Array([0, 255]), description: 'd' }", ("a", b"\x00\xff", "d")),
        ("{ name: 'a', data: new Uint8Array([1, 2, 3, 4]).subarray(1, 3) }", ("a", b"\x02\x03")),
        ("{ name: 'a', data: new Uint16Array([258]).buffer }", ("a", b"\x02\x01")),
        ("{ name: 'a', data: new DataView(new ArrayBuffer(2), 1) }", ("a", b"\x00")),
        ("{ name: 'empty', data: '' }", ("empty", b"")),
        ("{ filename: 'a', data: 'x' }", ("a", b"x")),
        ("{ url: 'https://x/y.png' }", {"url": "https://x/y.png"}),
        (
            "{ url: 'https://x/y.png', name: 'z', description: 'd' }",
            {"url": "https://x/y.png", "name": "z", "description": "d"},
        ),
        ("{ Url: { url: 'https://x', filename: 'z' } }", {"url": "https://x", "name": "z"}),
        ("{ url: { url: 'https://x', filename: 'z' } }", {"url": "https://x", "name": "z"}),
        (
            "{ Base64: { data: 'AAE=', filename: 'b', description: 'd' } }",
            {"name": "b", "description": "d", "data": "AAE="},
        ),
        ("{ base64: { data: 'AAE=', filename: 'b' } }", {"name": "b", "data": "AAE="}),
    ],
)
def test_a_file_may_be_given_in_many_ways(
    guild: GuildUnderTest, attachment: str, file: dict[str, str] | tuple[str, ...]
) -> None:
    if isinstance(file, tuple):
        name, data, *rest = file
        assert isinstance(data, bytes)
        file = {"name": str(name), "data": base64.b64encode(data).decode()}
        file |= {"description": str(rest[0])} if rest else {}
    reply(guild, f"[{attachment}]")
    assert guild.lines == []
    assert guild.op.args["files"] == [file]
    assert "files" not in guild.op.body
    assert "attachments" not in guild.op.body, "the gateway makes them of the files"


CONTEXTS = {
    "message": ("messageCreate", "MESSAGE_CREATE", message()),
    "command": ("interactionCreate", "INTERACTION_CREATE", command("x")),
    "component": ("componentInteraction", "INTERACTION_CREATE", component("x")),
    "modal": ("modalSubmit", "INTERACTION_CREATE", modal("x", [])),
}


@pytest.mark.parity(34, 35)
@pytest.mark.parametrize("context", CONTEXTS)
def test_every_answer_takes_files(guild: GuildUnderTest, context: str) -> None:
    name, kind, data = CONTEXTS[context]
    more = "" if context == "message" else f"await ctx.followup({{ attachments: [{FILE}] }});"
    guild.load(
        f"on('{name}', async (ctx) => {{ await ctx.reply({{ attachments: [{FILE}] }});"
        f" await ctx.edit({{ attachments: [{FILE}] }}); {more} }})"
    )
    guild.event(kind, data)
    asked: list[str] = []
    while guild.out.ops:
        op = guild.op
        asked.append(op.name)
        assert op.args["files"] == [AS_FILE]
        body = op.body.get("data", op.body)
        assert "files" not in body
        first = op.name.startswith("sendInteraction")
        guild.resolve(op, {"resource": {"message": sent()}} if first else sent())
    assert len(asked) == (2 if context == "message" else 3)


def test_a_deferred_answer_takes_files(guild: GuildUnderTest) -> None:
    guild.load(
        "on('interactionCreate', async (ctx) => { await ctx.defer();"
        f" await ctx.reply({{ attachments: [{FILE}] }}) }})"
    )
    guild.event("INTERACTION_CREATE", command("x"))
    guild.resolve()
    assert guild.op.name == "editOriginalInteractionResponse"
    assert guild.op.args["files"] == [AS_FILE]


@pytest.mark.parametrize(
    "call",
    [
        f"sendMessage({{ channelId: '{ID}', attachments: [{FILE}] }})",
        f"editMessage({{ channelId: '{ID}', messageId: '{ID}', attachments: [{FILE}] }})",
        f"sendInteractionResponse({{ interactionId: '{ID}', token: 't', attachments: [{FILE}] }})",
        f"updateInteractionResponse({{ interactionId: '{ID}', token: 't', attachments: [{FILE}] }})",
        f"editOriginalInteractionResponse({{ token: 't', attachments: [{FILE}] }})",
        f"createFollowupMessage({{ token: 't', attachments: [{FILE}] }})",
        f"editFollowupMessage({{ token: 't', messageId: '{ID}', attachments: [{FILE}] }})",
        f"executeWebhook({{ webhookId: '{ID}', token: 't', attachments: [{FILE}] }})",
        f"editWebhookMessage({{ webhookId: '{ID}', token: 't', messageId: '{ID}', attachments: [{FILE}] }})",
        f"createThread({{ channelId: '{ID}', payload: {{ name: 'n', message: {{ attachments: [{FILE}] }} }} }})",
    ],
)
def test_every_call_that_sends_a_message_takes_files(guild: GuildUnderTest, call: str) -> None:
    guild.run(f"rest.{call}.catch((e) => console.log(String(e)))")
    assert guild.lines == []
    assert guild.op.args["files"] == [AS_FILE]


def test_an_edit_keeps_what_it_names_and_adds_the_rest(guild: GuildUnderTest) -> None:
    guild.run(
        f"rest.editMessage({{ channelId: '{ID}', messageId: '{ID}',"
        f" attachments: [{{ id: '{ID}', description: 'd' }}, {FILE}] }})"
    )
    assert guild.op.body == {"attachments": [{"id": ID, "description": "d"}]}
    assert guild.op.args["files"] == [AS_FILE]


def test_an_edit_may_take_all_attachments_away(guild: GuildUnderTest) -> None:
    guild.run(f"rest.editMessage({{ channelId: '{ID}', messageId: '{ID}', attachments: [] }})")
    assert guild.op.body == {"attachments": []}
    assert "files" not in guild.op.args


@pytest.mark.parametrize(
    ("attachments", "text"),
    [
        ("'x'", "attachments: must be an array"),
        ("[]", "payload: message must include content, embeds, attachments, or components"),
        ("[5]", "attachments[0]: must be an object with name and data, or with url"),
        (f"[{FILE}, null]", "attachments[1]: must be an object with name and data, or with url"),
        ("[{ data: 'x' }]", 'attachments[0].name: a file needs one, like "report.txt"'),
        ("[{ name: '', data: 'x' }]", "attachments[0].name: a file needs one"),
        ("[{ name: 5, data: 'x' }]", "attachments[0].name: must be text, not number"),
        ("[{ name: 'x' }]", "attachments[0].data: must be text, a Uint8Array or another view"),
        ("[{ name: 'x', data: 5 }]", "attachments[0].data: must be text, a Uint8Array or another view"),
        ("[{ name: 'x', data: {} }]", "attachments[0].data: must be text, a Uint8Array or another view"),
        (
            "[{ name: 'x', data: 'y', description: 5 }]",
            "attachments[0].description: must be text, not number",
        ),
        ("[{ url: '' }]", "attachments[0].url: must be a URL as text"),
        ("[{ Base64: { data: 5, filename: 'x' } }]", "attachments[0].data: must be base64 as text"),
        (f"[{{ id: '{ID}' }}]", "attachments[0]: only an edit can keep an attachment by its id"),
        (f"Array(11).fill({FILE})", "attachments: a message takes 10 files"),
        (
            "[{ name: 'x', data: 'y'.repeat(716801) }]",
            "attachments[0].data: files by value may have 700 KiB together in one turn; give the url",
        ),
        ("[{ name: 'x', data: 'é'.repeat(400000) }]", "attachments[0].data: files by value may have 700 KiB"),
        ("[{ name: 'x', data: new Uint8Array(716801) }]", "attachments[0].data: files by value may have"),
        (
            "[{ base64: { data: 'A'.repeat(1 << 20), filename: 'x' } }]",
            "attachments[0].data: files by value may have",
        ),
        (
            "Array(2).fill({ name: 'x', data: new Uint8Array(400 << 10) })",
            "attachments: files by value may have 700 KiB together in one turn",
        ),
    ],
)
def test_what_is_wrong_is_named(guild: GuildUnderTest, attachments: str, text: str) -> None:
    reply(guild, attachments)
    assert guild.out.ops == []
    assert guild.lines[0].startswith(f"INVALID_INPUT Invalid input for {text}")


def test_the_largest_file_by_value_fits_into_one_turn(guild: GuildUnderTest) -> None:
    reply(guild, "[{ name: 'x', data: new Uint8Array(700 << 10).fill(255) }]")
    assert guild.lines == []
    assert len(guild.op.args["files"][0]["data"]) == 955_736


def test_files_of_one_turn_share_its_room(guild: GuildUnderTest) -> None:
    guild.load(
        "on('messageCreate', async (ctx) => { const file = { name: 'x', data: new Uint8Array(600 << 10) };"
        " ctx.reply({ attachments: [file] }); ctx.reply({ attachments: [file] }).catch((e) => console.log(e.message));"
        " })"
    )
    guild.event("MESSAGE_CREATE", message())
    assert len(guild.out.ops) == 1
    assert "files by value may have 700 KiB together in one turn" in guild.lines[0]
