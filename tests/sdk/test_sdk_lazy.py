"""Names whose values are made when a script first reads them: nobody can tell, except by the memory."""

from __future__ import annotations

import pytest
from harness import GuildUnderTest

from conftest import NewGuild

FLORA = [
    *("ActionRowBuilder", "ButtonBuilder", "ChannelSelectMenuBuilder", "ContainerBuilder", "EmbedBuilder"),
    *("FileBuilder", "FileUploadBuilder", "InputTextBuilder", "LabelBuilder", "MediaGalleryBuilder"),
    *(
        "MentionableSelectMenuBuilder",
        "ModalBuilder",
        "Permissions",
        "RoleSelectMenuBuilder",
        "SectionBuilder",
    ),
    *("SelectMenuBuilderBase", "SeparatorBuilder", "StringSelectMenuBuilder", "TextDisplayBuilder"),
    *(
        "ThumbnailBuilder",
        "UserSelectMenuBuilder",
        "actionRow",
        "button",
        "channelSelect",
        "container",
        "embed",
    ),
    *("file", "fileUpload", "inputText", "label", "mediaGallery", "mentionableSelect", "modal", "roleSelect"),
    *("section", "separator", "stringSelect", "textDisplay", "thumbnail", "userSelect"),
    *("KvStore", "cron", "kv", "rest", "secrets", "store"),
]
WEB = [
    *("AbortController", "AbortSignal", "DOMException", "Event", "EventTarget", "TextDecoder", "TextEncoder"),
    *("URL", "URLSearchParams", "atob", "btoa", "crypto", "structuredClone"),
    *("Blob", "CryptoKey", "File", "FormData", "Headers", "Request", "Response", "SubtleCrypto", "fetch"),
]
OBJECTS = ("crypto", "Permissions", "kv", "rest", "secrets")
GETTERS = "Object.getOwnPropertyNames({0}).filter((n) => Object.getOwnPropertyDescriptor({0}, n).get)"


def test_these_are_the_lazy_names(guild: GuildUnderTest) -> None:
    assert sorted(guild.value(GETTERS.format("globalThis"))) == sorted(FLORA + WEB)
    assert sorted(guild.value(GETTERS.format("flora"))) == sorted(FLORA)


@pytest.mark.parametrize("name", FLORA + WEB)
def test_once_read_it_is_an_ordinary_property(guild: GuildUnderTest, name: str) -> None:
    kind = "object" if name in OBJECTS else "function"
    assert guild.value(f"[typeof {name}, typeof {name}]") == [kind, kind]
    found = f"Object.getOwnPropertyDescriptor(globalThis, '{name}')"
    assert guild.value(f"(({{ value, ...others }}) => [typeof value, others])({found})") == [
        kind,
        {"writable": True, "enumerable": False, "configurable": True},
    ]


@pytest.mark.parametrize("name", FLORA)
def test_the_global_and_the_member_of_flora_are_one(guild: GuildUnderTest, name: str) -> None:
    assert guild.value(f"[flora.{name} === {name}, globalThis.{name} === flora.{name}]") == [True, True]


@pytest.mark.parametrize("name", [name for name in FLORA + WEB if name not in OBJECTS])
def test_functions_know_their_names(guild: GuildUnderTest, name: str) -> None:
    assert guild.value(f"{name}.name") == name


@pytest.mark.parametrize("name", FLORA + WEB)
def test_it_may_be_replaced_before_it_is_read(guild: GuildUnderTest, name: str) -> None:
    guild.run(f"globalThis.{name} = 'mine'; embed; button; URL; btoa; modal; Permissions")
    assert guild.value(name) == "mine"


@pytest.mark.parametrize("name", FLORA + WEB)
def test_it_may_be_deleted_before_it_is_read(guild: GuildUnderTest, name: str) -> None:
    others = [other for other in ("embed", "button", "URL", "btoa") if other != name]
    guild.run(f"delete globalThis.{name}; {'; '.join(others)}")
    assert guild.value(f"'{name}' in globalThis") is False


@pytest.mark.parametrize("name", FLORA)
def test_replacing_the_global_leaves_flora_alone(guild: GuildUnderTest, name: str) -> None:
    guild.run(f"globalThis.{name} = 'mine'")
    assert guild.value(f"typeof flora.{name}") != "string"
    assert guild.value(name) == "mine"


@pytest.mark.parametrize("name", WEB + FLORA)
def test_a_script_may_declare_the_name_itself(guild: GuildUnderTest, name: str) -> None:
    guild.load(f"const {name} = 'mine'; console.log({name})")
    assert guild.lines == ["mine"]


BREAK_EVERYTHING = """
const boom = () => { throw new Error('tampered') };
const broken = { value: boom }, { defineProperty } = Object, { ownKeys } = Reflect;
const prototypes = [Map, Set, Promise, RegExp, Uint8Array, String, Array].map((one) => one.prototype);
for (let i = 0; i < prototypes.length; i++) {
  const keys = ownKeys(prototypes[i]);
  for (let j = 0; j < keys.length; j++) {
    if (keys[j] !== 'constructor') try { defineProperty(prototypes[i], keys[j], broken) } catch {}
  }
}
const functions = ['defineProperty', 'keys', 'freeze', 'assign', 'entries', 'setPrototypeOf', 'create'];
for (let i = 0; i < functions.length; i++) Object[functions[i]] = boom;
"""
HEARD = """(() => {
  const target = new EventTarget();
  target.addEventListener('x', (event) => event.preventDefault());
  return target.dispatchEvent(new Event('x', { cancelable: true }));
})()"""
UTF8 = "text/plain;charset=UTF-8"
USES = {
    "URL": ("new URL('http://\\u00e4.example/a b?c#d').href", "http://xn--4ca.example/a%20b?c#d"),
    "URLSearchParams": ("String(new URLSearchParams('a=1&b=%20'))", "a=1&b=+"),
    "TextEncoder": ("new TextEncoder().encode('ä').byteLength", 2),
    "TextDecoder": ("new TextDecoder().decode(new TextEncoder().encode('ä😀'))", "ä😀"),
    "btoa": ("btoa('abc')", "YWJj"),
    "atob": ("atob('YWJj')", "abc"),
    "structuredClone": ("structuredClone({ a: [1, { b: 2 }] })", {"a": [1, {"b": 2}]}),
    "AbortController": ("((c) => (c.abort(), c.signal.aborted))(new AbortController())", True),
    "AbortSignal": ("AbortSignal.abort('why').reason", "why"),
    "DOMException": ("new DOMException('m', 'AbortError').code", 20),
    "EventTarget": (HEARD, False),
    "crypto": ("crypto.randomUUID().length", 36),
    "embed": ("embed().setTitle('t').toJSON().title", "t"),
    "Headers": ("new Headers({ b: '2', A: ' 1 ' }).get('a')", "1"),
    "Request": (
        "new Request('https://a.b', { method: 'post', body: 'x' }).headers.get('content-type')",
        UTF8,
    ),
    "Response": ("Response.json([1]).status", 200),
    "FormData": ("((f) => (f.append('a', new Blob(['x'])), f.get('a').name))(new FormData())", "blob"),
    "button": ("button().setLabel('l').setCustomId('c').toJSON().custom_id", "c"),
    "Permissions": ("String(Permissions.Administrator)", "8"),
}


@pytest.mark.parametrize("name", USES)
def test_it_works_when_it_is_first_read_after_the_script_broke_everything(
    new_guild: NewGuild, name: str
) -> None:
    expression, result = USES[name]
    guild = new_guild()
    guild.run(BREAK_EVERYTHING)
    assert guild.value(expression) == result


def test_what_is_not_used_takes_no_memory(new_guild: NewGuild) -> None:
    unused, used = new_guild(), new_guild()
    used.run("embed; button; URL; btoa; Permissions")
    assert unused.memory() + 20_000 < used.memory()
