"""Prefix commands, slash commands, and their registration."""

from __future__ import annotations

from typing import Any

import pytest
from harness import GuildUnderTest
from payloads import BOT, ROLE_ID, command, message, option

PING = "prefix({ name: 'ping', run: (ctx) => console.log(JSON.stringify(ctx.args)) })"


def registered(guild: GuildUnderTest, commands: str) -> Any:
    """Discord's JSON for what createBot registers."""
    guild.load(f"createBot({{ slashCommands: {commands} }})")
    return guild.declaration["commands"]


# -------------------------------------------------------------------- prefix commands


@pytest.mark.parametrize(
    ("content", "args"),
    [
        ("!ping", []),
        ("!ping a b", ["a", "b"]),
        ("  !ping   a \t b\n c  ", ["a", "b", "c"]),
        ("! ping a", ["a"]),
        ("!ping\u00a0a\u2003b\u3000c\ufeffd", ["a", "b", "c", "d"]),
        ("!ping 'a b' -x=1", ["'a", "b'", "-x=1"]),
        ("!ping \U0001f525", ["\U0001f525"]),
    ],
)
@pytest.mark.parity(5)
def test_the_words_after_the_name_are_the_arguments(
    guild: GuildUnderTest, content: str, args: list[str]
) -> None:
    guild.load(f"createBot({{ commands: [{PING}] }})")
    guild.event("MESSAGE_CREATE", message(content))
    assert guild.value(guild.lines[0]) == args


@pytest.mark.parametrize("content", ["ping", "!pin", "!PING", "!pingx", "!", "", "  ", "x !ping", "?ping"])
@pytest.mark.parity(5)
def test_anything_else_is_no_command(guild: GuildUnderTest, content: str) -> None:
    guild.load(f"createBot({{ commands: [{PING}] }})")
    guild.event("MESSAGE_CREATE", message(content))
    assert guild.lines == []


@pytest.mark.parity(5)
def test_bots_are_ignored(guild: GuildUnderTest) -> None:
    guild.load(f"createBot({{ commands: [{PING}] }})")
    guild.event("MESSAGE_CREATE", message("!ping", author=BOT | {"id": "55"}))
    assert guild.lines == []


@pytest.mark.parametrize(
    ("prefix", "content"), [("?", "?ping x"), ("flora ", "flora ping x"), ("", "ping x")]
)
def test_the_prefix_may_be_any_text(guild: GuildUnderTest, prefix: str, content: str) -> None:
    guild.load(f"createBot({{ prefix: '{prefix}', prefixCommands: [{PING}] }})")
    guild.event("MESSAGE_CREATE", message(content))
    assert guild.lines == ['["x"]']


def test_the_first_of_two_commands_with_one_name_wins(guild: GuildUnderTest) -> None:
    guild.load(
        "createBot({ commands: [{ name: 'a', run: () => console.log(1) }, { name: 'a', run: () =>"
        " console.log(2) }] })"
    )
    guild.event("MESSAGE_CREATE", message("!a"))
    assert guild.lines == ["1"]


def test_commands_win_over_prefix_commands(guild: GuildUnderTest) -> None:
    guild.load(
        "createBot({ commands: [{ name: 'a', run: () => console.log(1) }],"
        " prefixCommands: [{ name: 'a', run: () => console.log(2) }] })"
    )
    guild.event("MESSAGE_CREATE", message("!a"))
    assert guild.lines == ["1"]


def test_a_prefix_command_has_the_context_of_its_message(guild: GuildUnderTest) -> None:
    guild.load(
        "createBot({ commands: [{ name: 'say', run: ({ args, msg, reply }) =>"
        " reply(msg.author.username + args[0]) }] })"
    )
    guild.event("MESSAGE_CREATE", message("!say x"))
    assert guild.op.body["content"] == "adax"


def test_an_error_in_a_command_is_the_events_error(guild: GuildUnderTest) -> None:
    guild.load("createBot({ commands: [{ name: 'a', async run() { throw new Error('oops') } }] })")
    error = guild.out.done[guild.event("MESSAGE_CREATE", message("!a"))]
    assert error is not None
    assert "oops" in error


# -------------------------------------------------------------------- createBot


@pytest.mark.parity(8)
def test_create_bot_subscribes_to_what_it_needs(guild: GuildUnderTest) -> None:
    guild.load(f"createBot({{ commands: [{PING}] }})")
    assert guild.declaration == {"events": ["messageCreate"], "own": False, "commands": None}


def test_create_bot_with_slash_commands_only(guild: GuildUnderTest) -> None:
    guild.load("createBot({ slashCommands: [{ name: 'a', description: 'b', run() {} }] })")
    assert guild.declaration == {
        "events": ["interactionCreate"],
        "own": False,
        "commands": [{"type": 1, "name": "a", "description": "b"}],
    }


def test_create_bot_without_commands_asks_for_nothing(guild: GuildUnderTest) -> None:
    guild.load("createBot({})")
    assert guild.out.declarations == []


@pytest.mark.parity(8)
def test_a_second_create_bot_is_logged_and_ignored(guild: GuildUnderTest) -> None:
    guild.load(f"createBot({{ commands: [{PING}] }}); createBot({{ commands: [{PING}] }})")
    guild.event("MESSAGE_CREATE", message("!ping"))
    assert guild.out.logs == [
        ("info", "[flora/sdk] createBot called multiple times; skipping duplicate registration"),
        ("info", "[]"),
    ]


def test_commands_of_the_wrong_form_are_logged(guild: GuildUnderTest) -> None:
    guild.load("createBot({ slashCommands: [{ name: 'a', run() {} }] })")
    assert guild.out.logs[0][0] == "error"
    assert "Invalid input for commands[0].description: a slash command needs one" in guild.lines[0]


# -------------------------------------------------------------------- slash commands


@pytest.mark.parity(4, 6)
def test_prefix_and_slash_return_what_they_get(guild: GuildUnderTest) -> None:
    assert guild.value("(() => { const c = {}; return [prefix(c) === c, slash(c) === c] })()") == [True, True]


@pytest.mark.parity(6)
def test_a_slash_command_is_routed_by_name(guild: GuildUnderTest) -> None:
    guild.load(
        "createBot({ slashCommands: [slash({ name: 'a', description: 'a', run: () => console.log('a') }),"
        " slash({ name: 'b', description: 'b', options: [{ name: 'n', description: 'n', type: 'integer' }],"
        " run: (ctx) => console.log(ctx.options.n, ctx.msg.commandName) })] })"
    )
    guild.event("INTERACTION_CREATE", command("b", option("n", 5, 4)))
    guild.event("INTERACTION_CREATE", command("nobodys"))
    assert guild.lines == ["5 b"]


TREE = """slash({
  name: 'tree', description: 'd', run: () => console.log('never'),
  subcommands: [
    { name: 'add', description: 'd', options: [{ name: 'n', description: 'd', type: 'integer' }],
      run: async (ctx) => console.log('add', ctx.options.n, getSubcommand(ctx), getSubcommandGroup(ctx)) },
    { name: 'list', description: 'd', run: () => console.log('list') },
  ],
  groups: [
    { name: 'admin', description: 'd', subcommands: [
      { name: 'add', description: 'd',
        run: (ctx) => console.log('admin', ctx.options.x, getSubcommand(ctx), getSubcommandGroup(ctx)) } ] },
  ],
})"""


@pytest.mark.parametrize(
    ("used", "line"),
    [
        (option("add", kind=1, options=[option("n", 2, 4)]), "add 2 add undefined"),
        (option("list", kind=1, options=[]), "list"),
        (
            option("admin", kind=2, options=[option("add", kind=1, options=[option("x", "y")])]),
            "admin y add admin",
        ),
    ],
)
@pytest.mark.parity(10)
def test_subcommands_and_groups_are_routed(guild: GuildUnderTest, used: dict[str, Any], line: str) -> None:
    guild.load(f"createBot({{ slashCommands: [{TREE}] }})")
    guild.event("INTERACTION_CREATE", command("tree", used))
    assert guild.lines == [line]


@pytest.mark.parametrize(
    "used", [[], [option("gone", kind=1, options=[])], [option("gone", kind=2, options=[])]]
)
def test_an_unknown_subcommand_is_nobodys(guild: GuildUnderTest, used: list[dict[str, Any]]) -> None:
    guild.load(f"createBot({{ slashCommands: [{TREE}] }})")
    number = guild.event("INTERACTION_CREATE", command("tree", *used))
    guild.feed()
    assert guild.lines == []
    assert guild.out.done == {number: None}


def test_subcommands_among_the_options_go_to_the_commands_own_run(guild: GuildUnderTest) -> None:
    guild.load(
        "createBot({ slashCommands: [{ name: 'a', description: 'b',"
        " options: [{ name: 'sub', description: 'c', type: 'subcommand', options: [{ name: 'n',"
        " description: 'd' }] }],"
        " run: (ctx) => console.log(getSubcommand(ctx), ctx.options.n) }] })"
    )
    guild.event("INTERACTION_CREATE", command("a", option("sub", kind=1, options=[option("n", "x")])))
    assert guild.lines == ["sub x"]


def test_handle_subcommand_works_in_handlers_of_ones_own(guild: GuildUnderTest) -> None:
    guild.load(f"const tree = {TREE}; on('interactionCreate', (ctx) => handleSubcommand(ctx, tree))")
    guild.event("INTERACTION_CREATE", command("tree", option("list", kind=1, options=[])))
    assert guild.lines == ["list"]


@pytest.mark.parity(12)
def test_get_subcommand_is_undefined_for_plain_options(guild: GuildUnderTest) -> None:
    guild.load("on('interactionCreate', (ctx) => console.log(getSubcommand(ctx), getSubcommandGroup(ctx)))")
    guild.event("INTERACTION_CREATE", command("a", option("n", "x")))
    assert guild.lines == ["undefined undefined"]


@pytest.mark.parity(12)
def test_has_role(guild: GuildUnderTest) -> None:
    guild.load(f"on('interactionCreate', (ctx) => console.log(hasRole(ctx, '{ROLE_ID}'), hasRole(ctx, '1')))")
    guild.event("INTERACTION_CREATE", command("a"))
    assert guild.lines == ["true false"]
    assert guild.value("hasRole({ msg: {} }, '1')") is False


@pytest.mark.parity(9)
def test_flatten_interaction_options(guild: GuildUnderTest) -> None:
    options = [
        option("a", 1, 4),
        option("s", kind=1, options=[option("b", "x"), option("c", True, 5)]),
        option("g", kind=2, options=[option("t", kind=1, options=[option("d", 1.5, 10)])]),
    ]
    assert guild.value(f"flattenInteractionOptions({options!r})".replace("True", "true")) == {
        "a": 1,
        "b": "x",
        "c": True,
        "d": 1.5,
    }
    assert guild.value("[flattenInteractionOptions(undefined), flattenInteractionOptions([])]") == [{}, {}]


# -------------------------------------------------------------------- registration


@pytest.mark.parity(7)
def test_every_property_of_a_command_becomes_discords_json(guild: GuildUnderTest) -> None:
    assert registered(
        guild,
        """[{
          name: 'all', description: 'd', nsfw: true,
          nameLocalizations: { de: 'alle' }, descriptionLocalizations: { de: 'b' },
          defaultMemberPermissions: Permissions.ManageGuild | Permissions.BanMembers,
          options: [
            { name: 's', description: 'd', required: true, minLength: 1, maxLength: 5, autocomplete: true },
            { name: 'c', description: 'd', type: 'string',
              choices: [{ name: 'A', value: 'a', nameLocalizations: { de: 'Ä' } }] },
            { name: 'i', description: 'd', type: 'integer', minValue: 0, maxValue: 9, required: false },
            { name: 'n', description: 'd', type: 'number',
              nameLocalizations: { de: 'z' }, descriptionLocalizations: { de: 'y' } },
            { name: 'b', description: 'd', type: 'boolean' },
            { name: 'u', description: 'd', type: 'user' },
            { name: 'r', description: 'd', type: 'role' },
            { name: 'ch', description: 'd', type: 'channel', channelTypes: [ChannelType.GuildText] },
            { name: 'm', description: 'd', type: 'mentionable' },
            { name: 'a', description: 'd', type: 'attachment' },
            { name: 'unknown', description: 'd', type: 'nonsense' },
          ],
          run() {},
        }]""",
    ) == [
        {
            "type": 1,
            "name": "all",
            "name_localizations": {"de": "alle"},
            "description": "d",
            "description_localizations": {"de": "b"},
            "default_member_permissions": "36",
            "nsfw": True,
            "options": [
                {
                    "type": 3,
                    "name": "s",
                    "description": "d",
                    "required": True,
                    "min_length": 1,
                    "max_length": 5,
                    "autocomplete": True,
                },
                {
                    "type": 3,
                    "name": "c",
                    "description": "d",
                    "choices": [{"name": "A", "name_localizations": {"de": "Ä"}, "value": "a"}],
                },
                {
                    "type": 4,
                    "name": "i",
                    "description": "d",
                    "required": False,
                    "min_value": 0,
                    "max_value": 9,
                },
                {
                    "type": 10,
                    "name": "n",
                    "name_localizations": {"de": "z"},
                    "description": "d",
                    "description_localizations": {"de": "y"},
                },
                {"type": 5, "name": "b", "description": "d"},
                {"type": 6, "name": "u", "description": "d"},
                {"type": 8, "name": "r", "description": "d"},
                {"type": 7, "name": "ch", "description": "d", "channel_types": [0]},
                {"type": 9, "name": "m", "description": "d"},
                {"type": 11, "name": "a", "description": "d"},
                {"type": 3, "name": "unknown", "description": "d"},
            ],
        }
    ]


def test_subcommands_and_groups_become_options(guild: GuildUnderTest) -> None:
    (tree,) = registered(guild, f"[{TREE}]")
    integer = {"type": 4, "name": "n", "description": "d"}
    assert tree == {
        "type": 1,
        "name": "tree",
        "description": "d",
        "options": [
            {"type": 1, "name": "add", "description": "d", "options": [integer]},
            {"type": 1, "name": "list", "description": "d"},
            {
                "type": 2,
                "name": "admin",
                "description": "d",
                "options": [{"type": 1, "name": "add", "description": "d"}],
            },
        ],
    }


def test_flatten_commands(guild: GuildUnderTest) -> None:
    assert guild.value(
        "flattenCommands([{ name: 'a', description: 'b', run() {} },"
        " { name: 'c', description: 'd', subcommands: [{ name: 'e', description: 'f', run() {} }] }])"
    ) == [
        {"name": "a", "description": "b"},
        {
            "name": "c",
            "description": "d",
            "options": [{"name": "e", "description": "f", "type": "subcommand"}],
        },
    ]


@pytest.mark.parametrize(
    ("permissions", "sent"),
    [("null", None), ("'0'", "0"), ("8", "8"), ("8n", "8"), ("Permissions.Administrator", "8")],
)
def test_default_member_permissions_are_a_decimal_string(
    guild: GuildUnderTest, permissions: str, sent: str | None
) -> None:
    (got,) = registered(
        guild, f"[{{ name: 'a', description: 'b', defaultMemberPermissions: {permissions}, run() {{}} }}]"
    )
    assert got["default_member_permissions"] == sent


@pytest.mark.parity(11)
def test_registering_while_loading_resolves_at_once_and_is_only_declared(guild: GuildUnderTest) -> None:
    guild.load("console.log(await registerSlashCommands([{ name: 'a', description: 'b' }]))")
    assert guild.lines == ["undefined"]
    assert guild.out.ops == []
    assert guild.declaration["commands"] == [{"type": 1, "name": "a", "description": "b"}]


@pytest.mark.parity(11)
def test_registering_later_calls_discord_and_changes_the_declaration(guild: GuildUnderTest) -> None:
    guild.load(
        "on('messageCreate', async () => { console.log(await registerSlashCommands([{ name: 'a',"
        " description: 'b' }])) })"
    )
    guild.event("MESSAGE_CREATE", message())
    commands = [{"type": 1, "name": "a", "description": "b"}]
    assert guild.op.name == "upsertGuildCommands"
    assert guild.op.args == {"body": commands}
    assert guild.declaration["commands"] == commands
    guild.resolve(value=[])
    assert guild.lines == ["undefined"]


def test_registering_an_empty_list_takes_all_commands_away(guild: GuildUnderTest) -> None:
    guild.load("registerSlashCommands([])")
    assert guild.declaration["commands"] == []


def test_discords_own_json_may_be_registered(guild: GuildUnderTest) -> None:
    guild.load(
        "registerSlashCommands([{ type: 2, name: 'User info' }, { type: 1, name: 'a', description: 'b',"
        " name_localizations: { de: 'x' }, default_member_permissions: '8',"
        " options: [{ type: 4, name: 'n', description: 'd', min_value: 1, max_value: 2,"
        " channel_types: [0] }] }])"
    )
    assert guild.declaration["commands"] == [
        {"type": 2, "name": "User info", "description": ""},
        {
            "type": 1,
            "name": "a",
            "name_localizations": {"de": "x"},
            "description": "b",
            "default_member_permissions": "8",
            "options": [
                {
                    "type": 4,
                    "name": "n",
                    "description": "d",
                    "min_value": 1,
                    "max_value": 2,
                    "channel_types": [0],
                }
            ],
        },
    ]


@pytest.mark.parametrize(
    ("commands", "told"),
    [
        ("'x'", "TypeError: registerSlashCommands() takes an array of commands"),
        ("[1]", "FloraError: Invalid input for commands[0]: must be an object"),
        (
            "[{ description: 'b' }]",
            "FloraError: Invalid input for commands[0].name: must be a non-empty string",
        ),
        (
            "[{ name: 'a' }]",
            "FloraError: Invalid input for commands[0].description: a slash command needs one",
        ),
        (
            "[{ name: 'a', description: 'b', options: [{ name: 'x', description: 'y' }, {}] }]",
            "FloraError: Invalid input for commands[0].options[1].name: must be a non-empty string",
        ),
    ],
)
def test_wrong_commands_reject(guild: GuildUnderTest, commands: str, told: str) -> None:
    guild.load(f"await registerSlashCommands({commands}).catch((e) => console.log(String(e)))")
    assert guild.lines == [told]
    assert guild.out.declarations == []
