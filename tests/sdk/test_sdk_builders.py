"""Builders: every method of every class, and the JSON that leaves the isolate."""

from __future__ import annotations

from typing import Any

import pytest
from harness import GuildUnderTest
from payloads import message

EMBEDS = [
    ("embed()", {}),
    ("embed({ title: 'a', color: 1 })", {"title": "a", "color": 1}),
    ("new EmbedBuilder({ title: 'a' }).setTitle('b')", {"title": "b"}),
    (
        "embed().setDescription('d').setUrl('u').setColor(0xff)",
        {"description": "d", "url": "u", "color": 255},
    ),
    ("embed().setTimestamp('2024-01-01T00:00:00Z')", {"timestamp": "2024-01-01T00:00:00Z"}),
    ("embed().setTimestamp(new Date(0))", {"timestamp": "1970-01-01T00:00:00.000Z"}),
    ("embed().setFooter('t')", {"footer": {"text": "t"}}),
    ("embed().setFooter('t', 'i')", {"footer": {"text": "t", "iconUrl": "i"}}),
    ("embed().setImage('u').setThumbnail('v')", {"image": {"url": "u"}, "thumbnail": {"url": "v"}}),
    (
        "embed().setAuthor('n', { url: 'u', iconUrl: 'i' })",
        {"author": {"name": "n", "url": "u", "iconUrl": "i"}},
    ),
    ("embed().setAuthor('n')", {"author": {"name": "n"}}),
    (
        "embed().addField('a', 'b').addField('c', 'd', true)",
        {
            "fields": [
                {"name": "a", "value": "b", "inline": False},
                {"name": "c", "value": "d", "inline": True},
            ]
        },
    ),
    (
        "embed().setFields([{ name: 'a', value: 'b' }]).addFields([{ name: 'c', value: 'd', inline: true }])",
        {"fields": [{"name": "a", "value": "b"}, {"name": "c", "value": "d", "inline": True}]},
    ),
]

COMPONENTS = [
    ("actionRow()", {"type": 1, "components": []}),
    (
        "actionRow().addComponents(button(), { type: 2 })",
        {"type": 1, "components": [{"type": 2}, {"type": 2}]},
    ),
    ("actionRow().addComponents([button()])", {"type": 1, "components": [{"type": 2}]}),
    (
        "actionRow().addComponents(button()).setComponents([userSelect('u')])",
        {"type": 1, "components": [{"type": 5, "custom_id": "u"}]},
    ),
    (
        "button().setStyle(ButtonStyle.Danger).setCustomId('a').setLabel('l').setEmoji('🔥').setDisabled()",
        {"type": 2, "style": 4, "custom_id": "a", "label": "l", "emoji": "🔥", "disabled": True},
    ),
    ("button().setDisabled(false)", {"type": 2, "disabled": False}),
    ("button().setUrl('u')", {"type": 2, "style": 5, "url": "u"}),
    ("button().setSkuId('1')", {"type": 2, "style": 6, "sku_id": "1"}),
    (
        (
            "stringSelect('s').setOptions([{ label: 'a', value: 'b' }]).addOptions({ label: 'c',"
            " value: 'd', default: true })"
        ),
        {
            "type": 3,
            "custom_id": "s",
            "options": [{"label": "a", "value": "b"}, {"label": "c", "value": "d", "default": True}],
        },
    ),
    (
        "stringSelect('s').addOptions([{ label: 'a', value: 'b' }])",
        {"type": 3, "custom_id": "s", "options": [{"label": "a", "value": "b"}]},
    ),
    (
        "userSelect('u').setPlaceholder('p').setMinValues(0).setMaxValues(3).setRequired().setDisabled()",
        {
            "type": 5,
            "custom_id": "u",
            "placeholder": "p",
            "min_values": 0,
            "max_values": 3,
            "required": True,
            "disabled": True,
        },
    ),
    ("roleSelect('a').setCustomId('r')", {"type": 6, "custom_id": "r"}),
    (
        "mentionableSelect('m').addDefaultUser('1').addDefaultRole('2').addDefaultValue('3', 'user')",
        {
            "type": 7,
            "custom_id": "m",
            "default_values": [
                {"id": "1", "type": "user"},
                {"id": "2", "type": "role"},
                {"id": "3", "type": "user"},
            ],
        },
    ),
    (
        "mentionableSelect('m').setDefaultUsers(['1', '2']).setDefaultRoles(['3']).setDefaultUsers(['4'])",
        {
            "type": 7,
            "custom_id": "m",
            "default_values": [{"id": "3", "type": "role"}, {"id": "4", "type": "user"}],
        },
    ),
    (
        "channelSelect('c').setChannelTypes([0, 5]).setDefaultChannels(['1']).addDefaultChannel('2')",
        {
            "type": 8,
            "custom_id": "c",
            "channel_types": [0, 5],
            "default_values": [{"id": "1", "type": "channel"}, {"id": "2", "type": "channel"}],
        },
    ),
    (
        "channelSelect('c').setDefaultValues([{ id: '1', type: 'channel' }])",
        {"type": 8, "custom_id": "c", "default_values": [{"id": "1", "type": "channel"}]},
    ),
    ("new SelectMenuBuilderBase(5, 'x')", {"type": 5, "custom_id": "x"}),
    (
        (
            "inputText('i').setStyle(InputTextStyle.Paragraph).setMinLength(1).setMaxLength(9).setRequired(false)"
            ".setValue('v').setPlaceholder('p').setCustomId('j')"
        ),
        {
            "type": 4,
            "custom_id": "j",
            "style": 2,
            "min_length": 1,
            "max_length": 9,
            "required": False,
            "value": "v",
            "placeholder": "p",
        },
    ),
    ("textDisplay('a').setContent('b')", {"type": 10, "content": "b"}),
    (
        "thumbnail('u').setUrl('v').setDescription('d').setSpoiler()",
        {"type": 11, "media": {"url": "v"}, "description": "d", "spoiler": True},
    ),
    (
        "section().addComponents(textDisplay('a')).setAccessory(thumbnail('u'))",
        {
            "type": 9,
            "components": [{"type": 10, "content": "a"}],
            "accessory": {"type": 11, "media": {"url": "u"}},
        },
    ),
    ("section().setComponents([])", {"type": 9, "components": [], "accessory": None}),
    (
        "mediaGallery().addItem('u').addItem('v', { description: 'd', spoiler: true })",
        {
            "type": 12,
            "items": [{"media": {"url": "u"}}, {"media": {"url": "v"}, "description": "d", "spoiler": True}],
        },
    ),
    ("mediaGallery().setItems([{ media: { url: 'u' } }])", {"type": 12, "items": [{"media": {"url": "u"}}]}),
    ("file('u').setUrl('v').setSpoiler()", {"type": 13, "file": {"url": "v"}, "spoiler": True}),
    ("separator()", {"type": 14, "divider": True}),
    ("separator(false).setDivider().setSpacing('large')", {"type": 14, "divider": True, "spacing": "large"}),
    (
        "container().addComponents(textDisplay('a')).setAccentColor(5).setSpoiler(false)",
        {"type": 17, "components": [{"type": 10, "content": "a"}], "accent_color": 5, "spoiler": False},
    ),
    (
        "label('a').setLabel('b').setDescription('d').setComponent(inputText('i'))",
        {"type": 18, "label": "b", "description": "d", "component": {"type": 4, "custom_id": "i"}},
    ),
    ("label('a')", {"type": 18, "label": "a", "component": None}),
    (
        "fileUpload('f').setCustomId('g').setMinValues(1).setMaxValues(2).setRequired()",
        {"type": 19, "custom_id": "g", "min_values": 1, "max_values": 2, "required": True},
    ),
    (
        "modal('m', 't').addComponents(textDisplay('a')).setTitle('u').setCustomId('n')",
        {"custom_id": "n", "title": "u", "components": [{"type": 10, "content": "a"}]},
    ),
    ("modal()", {"components": []}),
]


@pytest.mark.parametrize(("code", "json"), EMBEDS + COMPONENTS)
@pytest.mark.parity(16, 17, 18)
def test_to_json(page: GuildUnderTest, code: str, json: Any) -> None:
    assert page.value(f"({code}).toJSON()") == json


@pytest.mark.parametrize(
    "factory",
    [
        "actionRow",
        "button",
        "stringSelect",
        "userSelect",
        "roleSelect",
        "mentionableSelect",
        "channelSelect",
        "inputText",
        "textDisplay",
        "thumbnail",
        "section",
        "mediaGallery",
        "file",
        "separator",
        "container",
        "label",
        "fileUpload",
        "embed",
        "modal",
    ],
)
def test_every_method_is_chainable(page: GuildUnderTest, factory: str) -> None:
    methods = page.value(
        f"(() => {{ const all = []; for (let p = {factory}('x'); (p = Object.getPrototypeOf(p))"
        " !== Object.prototype;)"
        " all.push(...Object.getOwnPropertyNames(p)); return all.filter((name) =>"
        " /^(set|add)/.test(name)) })()"
    )
    assert methods
    for method in methods:
        assert page.value(f"((b) => b.{method}([]) === b)({factory}('x'))") is True


def test_a_builder_may_change_after_to_json(page: GuildUnderTest) -> None:
    assert page.value("((b) => { const j = b.toJSON(); b.setLabel('x'); return j })(button())") == {"type": 2}
    assert page.value(
        "((e) => { const j = e.toJSON(); e.addField('a', 'b'); return j })(embed().addField('c', 'd'))"
    ) == {"fields": [{"name": "c", "value": "d", "inline": False}]}


@pytest.mark.parity(17)
def test_select_builders_share_their_base(page: GuildUnderTest) -> None:
    assert (
        page.value("[stringSelect('a'), userSelect('b')].every((s) => s instanceof SelectMenuBuilderBase)")
        is True
    )


@pytest.mark.parametrize(
    ("enum", "members"),
    [
        ("ButtonStyle", {"Primary": 1, "Secondary": 2, "Success": 3, "Danger": 4}),
        (
            "ComponentType",
            {"ActionRow": 1, "InputText": 4, "Thumbnail": 11, "Container": 17, "FileUpload": 19},
        ),
        ("InputTextStyle", {"Short": 1, "Paragraph": 2}),
        ("MessageFlags", {"EPHEMERAL": 64, "SUPPRESS_NOTIFICATIONS": 4096, "IS_COMPONENTS_V2": 32768}),
        ("ChannelType", {"GuildText": 0, "GuildForum": 15}),
    ],
)
@pytest.mark.parity(19)
def test_constants(page: GuildUnderTest, enum: str, members: dict[str, int]) -> None:
    got = page.value(enum)
    assert members.items() <= got.items()
    assert page.value(f"Object.isFrozen({enum})") is True


@pytest.mark.parity(19)
def test_aliases_of_constants(page: GuildUnderTest) -> None:
    assert page.value("[ButtonStyles === ButtonStyle, InputTextStyles === InputTextStyle]") == [True, True]


def test_permissions_are_bits(page: GuildUnderTest) -> None:
    bits = page.value(
        "Object.fromEntries(Object.entries(Permissions).map(([name, bit]) => [name, String(bit)]))"
    )
    assert bits["CreateInstantInvite"] == "1"
    assert bits["Administrator"] == "8"
    assert bits["ManageMessages"] == str(1 << 13)
    assert bits["ModerateMembers"] == str(1 << 40)
    assert bits["SendVoiceMessages"] == str(1 << 46)
    assert bits["SendPolls"] == str(1 << 49)
    assert bits["PinMessages"] == str(1 << 51)
    assert len(set(bits.values())) == len(bits)
    assert page.value("(BigInt('2248473465835073') & Permissions.ManageMessages) !== 0n") is False


# -------------------------------------------------------------------- what leaves the isolate


def outgoing(guild: GuildUnderTest, options: str) -> dict[str, Any]:
    """The body of a reply with ``options``."""
    guild.load(f"on('messageCreate', (ctx) => ctx.reply({{ {options} }}))")
    number = guild.event("MESSAGE_CREATE", message())
    error = guild.out.done.get(number)
    if error is not None:
        raise AssertionError(error.split("\n")[0])
    return guild.op.body


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("embed().setTitle('t')", {"title": "t"}),
        ("embed().setFooter('t', 'i')", {"footer": {"text": "t", "icon_url": "i"}}),
        ("{ footer: { iconUrl: 'i' } }", {}),
        ("{ footer: { text: 't', icon_url: 'i' } }", {"footer": {"text": "t", "icon_url": "i"}}),
        ("{ author: { url: 'u' }, image: {}, thumbnail: { url: '' } }", {}),
        ("{ author: { name: 'n', iconUrl: 'i' } }", {"author": {"name": "n", "icon_url": "i"}}),
        ("{ image: { url: 'u', proxyUrl: 'p', width: 3 } }", {"image": {"url": "u"}}),
        (
            "{ fields: [{ name: 'a', value: 'b' }] }",
            {"fields": [{"name": "a", "value": "b", "inline": False}]},
        ),
        ("{ timestamp: new Date(0), color: 0 }", {"timestamp": "1970-01-01T00:00:00.000Z", "color": 0}),
        ("{ toJSON() { return { title: 'own' } } }", {"title": "own"}),
        ("{ title: 't', type: 'rich', provider: {} }", {"title": "t"}),
    ],
)
@pytest.mark.parity(16)
def test_embeds_become_discords_json(guild: GuildUnderTest, given: str, sent: Any) -> None:
    assert outgoing(guild, f"embeds: [{given}]")["embeds"] == [sent]


ROW = {"type": 1}
TEXT = {"type": 10, "content": "x"}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("button().setCustomId('a')", ROW | {"components": [{"type": 2, "custom_id": "a", "style": 1}]}),
        ("userSelect('u')", ROW | {"components": [{"type": 5, "custom_id": "u"}]}),
        (
            "actionRow().addComponents(button().setUrl('u'), button().setSkuId('12'))",
            ROW
            | {"components": [{"type": 2, "style": 5, "url": "u"}, {"type": 2, "style": 6, "sku_id": "12"}]},
        ),
        (
            "actionRow().addComponents(button().setCustomId('a'), userSelect('u'))",
            ROW | {"components": [{"type": 5, "custom_id": "u"}]},
        ),
        (
            "stringSelect('s').addOptions({ label: 'a', value: 'b', emoji: '<a:wave:12>' })",
            ROW
            | {
                "components": [
                    {
                        "type": 3,
                        "custom_id": "s",
                        "options": [
                            {
                                "label": "a",
                                "value": "b",
                                "emoji": {"id": "12", "name": "wave", "animated": True},
                            }
                        ],
                    }
                ]
            },
        ),
        (
            (
                "{ type: 5, custom_id: 'u', default_users: ['1'], default_roles: ['2'],"
                " default_channels: ['3'] }"
            ),
            ROW
            | {
                "components": [
                    {
                        "type": 5,
                        "custom_id": "u",
                        "default_values": [
                            {"id": "1", "type": "user"},
                            {"id": "2", "type": "role"},
                            {"id": "3", "type": "channel"},
                        ],
                    }
                ]
            },
        ),
    ],
)
@pytest.mark.parity(17)
def test_classic_components_become_rows(guild: GuildUnderTest, given: str, sent: Any) -> None:
    body = outgoing(guild, f"components: [{given}]")
    assert body["components"] == [sent]
    assert "flags" not in body


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("textDisplay('x')", TEXT),
        (
            "section().addComponents(textDisplay('x')).setAccessory(button().setCustomId('a'))",
            {"type": 9, "components": [TEXT], "accessory": {"type": 2, "custom_id": "a", "style": 1}},
        ),
        ("separator().setSpacing('small')", {"type": 14, "divider": True, "spacing": 1}),
        ("separator(false).setSpacing('large')", {"type": 14, "divider": False, "spacing": 2}),
        ("separator().setSpacing(2)", {"type": 14, "divider": True, "spacing": 2}),
        ("mediaGallery().addItem('u')", {"type": 12, "items": [{"media": {"url": "u"}}]}),
        ("file('attachment://a')", {"type": 13, "file": {"url": "attachment://a"}}),
        (
            (
                "container().addComponents(textDisplay('x'),"
                " actionRow().addComponents(button().setCustomId('a')))"
            ),
            {
                "type": 17,
                "components": [TEXT, {"type": 1, "components": [{"type": 2, "custom_id": "a", "style": 1}]}],
            },
        ),
        (
            "label('l').setComponent(stringSelect('s').addOptions({ label: 'a', value: 'b' }))",
            {
                "type": 18,
                "label": "l",
                "component": {"type": 3, "custom_id": "s", "options": [{"label": "a", "value": "b"}]},
            },
        ),
        ("{ type: 10, content: 'x', id: 7 }", TEXT | {"id": 7}),
    ],
)
@pytest.mark.parity(18)
def test_components_v2_set_their_flag(guild: GuildUnderTest, given: str, sent: Any) -> None:
    body = outgoing(guild, f"components: [{given}], flags: 4096")
    assert body["components"] == [sent]
    assert body["flags"] == 32768 | 4096


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("'🔥'", {"name": "🔥"}),
        ("'<:wave:12>'", {"id": "12", "name": "wave", "animated": False}),
        ("{ id: '1', name: 'x' }", {"id": "1", "name": "x"}),
    ],
)
def test_emoji_of_buttons(guild: GuildUnderTest, given: str, sent: Any) -> None:
    body = outgoing(guild, f"components: [button().setCustomId('a').setEmoji({given})]")
    assert body["components"][0]["components"][0]["emoji"] == sent


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("{}", "Component missing numeric type"),
        ("null", "Component missing numeric type"),
        ("{ type: '2' }", "Component missing numeric type"),
        ("{ type: 99 }", "Unsupported component type 99"),
        ("inputText('x')", "Unsupported component type 4"),
        ("fileUpload('x')", "Unsupported component type 19"),
        ("thumbnail('u')", "Thumbnail components are only valid as section accessories"),
        ("{ type: 1 }", "Component missing components"),
        (
            "actionRow().addComponents(userSelect('a'), roleSelect('b'))",
            "Action row supports only one select menu",
        ),
        ("actionRow().addComponents(textDisplay('x'))", "Unsupported action row component type 10"),
        ("button()", "Button requires custom_id"),
        ("button().setStyle(5)", "Link button requires url"),
        ("button().setStyle(6)", "Premium button requires sku_id"),
        ("button().setSkuId('x1')", "Invalid sku_id"),
        ("button().setCustomId('a').setEmoji('')", "Invalid emoji string"),
        ("button().setCustomId('a').setEmoji('<wave>')", "Invalid emoji string"),
        ("button().setCustomId('a').setEmoji(5)", "Invalid emoji"),
        ("stringSelect('s')", "String select requires options"),
        ("{ type: 5 }", "Select menu requires custom_id"),
        ("stringSelect('s').addOptions({ label: 'a' })", "Select option requires value"),
        ("section().addComponents(textDisplay('x'))", "Section requires accessory"),
        (
            "section().addComponents(button()).setAccessory(thumbnail('u'))",
            "Unsupported section component type 2",
        ),
        ("section().setAccessory(textDisplay('x'))", "Unsupported section accessory type 10"),
        ("section().setAccessory({ type: 11 })", "Media item requires media"),
        ("container().addComponents(container())", "Unsupported container component type 17"),
        ("container().addComponents(button().setCustomId('a'))", "Unsupported container component type 2"),
        (
            "container().addComponents(actionRow().addComponents(textDisplay('x')))",
            "Unsupported container action row component type 10",
        ),
        ("label('l')", "Component missing numeric type"),
        ("label('l').setComponent(button())", "Unsupported label component type 2"),
        ("label('l').setComponent({ type: 4 })", "Text input requires custom_id"),
        ("separator().setSpacing('huge')", "Invalid separator spacing"),
        ("{ type: 14 }", "Separator requires divider"),
        ("textDisplay()", "Text display requires content"),
        ("{ type: 12 }", "Media gallery requires items"),
        ("mediaGallery().setItems([{ media: {} }])", "Media item requires url"),
        ("{ type: 13 }", "File requires file"),
    ],
)
@pytest.mark.parity(20)
def test_wrong_components_are_refused_in_the_hosts_words(
    guild: GuildUnderTest, given: str, told: str
) -> None:
    with pytest.raises(AssertionError, match=r"^FloraError: Invalid input for components: ") as error:
        outgoing(guild, f"components: [{given}]")
    assert str(error.value).endswith(f": {told}")
