"""Properties that hold for any input: against Python's own codecs, and there and back again.

The cases are the same in every run.
"""

from __future__ import annotations

import base64
import json
import string
import struct
from typing import Any
from urllib.parse import parse_qsl

import pytest
from harness import GuildUnderTest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from payloads import command, message, option, sent

from conftest import NewGuild

relaxed = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
"""Without lone surrogates, which UTF-8 has no form for."""

scalars = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
malformed = st.binary(max_size=24) | st.lists(
    st.sampled_from(
        [
            b"a",
            b"\xc3",
            b"\xa4",
            b"\xe2\x82",
            b"\xf0\x9f\x98",
            b"\x80",
            b"\xed\xa0\x80",
            b"\xff",
            b"\xef\xbb\xbf",
        ]
    ),
    max_size=8,
).map(b"".join)


def js(value: Any) -> str:
    """``value`` as an expression; JSON is JavaScript, but for a key called __proto__."""
    return f"JSON.parse({json.dumps(json.dumps(value))})"


def decode(page: GuildUnderTest, code: str, data: bytes) -> str:
    return page.value(f"((bytes) => {code})(new Uint8Array({list(data)}))")


@relaxed
@given(texts)
def test_utf8_is_pythons(page: GuildUnderTest, text: str) -> None:
    assert page.value(f"[...new TextEncoder().encode({js(text)})]") == list(text.encode())
    assert decode(page, "new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)", text.encode()) == text


@relaxed
@given(malformed)
def test_malformed_utf8_is_replaced_as_python_does(page: GuildUnderTest, data: bytes) -> None:
    expected = data.decode(errors="replace")
    assert decode(page, "new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)", data) == expected


@relaxed
@given(malformed)
def test_fatal_decoders_refuse_what_python_refuses(page: GuildUnderTest, data: bytes) -> None:
    try:
        expected: str | None = data.decode()
    except UnicodeDecodeError:
        expected = None
    fatal = "new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })"
    assert (
        decode(page, f"{{ try {{ return {fatal}.decode(bytes) }} catch {{ return null }} }}", data)
        == expected
    )


@relaxed
@given(malformed, st.lists(st.integers(0, 24), max_size=4).map(sorted))
def test_where_a_stream_is_cut_makes_no_difference(
    page: GuildUnderTest, data: bytes, cuts: list[int]
) -> None:
    pieces = f"{[0, *cuts]}.map((from, i, all) => bytes.subarray(from, all[i + 1] ?? bytes.length))"
    streamed = (
        "{ const d = new TextDecoder('utf-8', { ignoreBOM: true });"
        f" return {pieces}.map((piece) => d.decode(piece, {{ stream: true }})).join('') + d.decode() }}"
    )
    assert decode(page, streamed, data) == data.decode(errors="replace")


@relaxed
@given(st.binary(max_size=60))
def test_base64_is_pythons(page: GuildUnderTest, data: bytes) -> None:
    encoded = base64.b64encode(data).decode()
    assert decode(page, "btoa(String.fromCharCode(...bytes))", data) == encoded
    assert page.value(f"atob({js(encoded)})") == data.decode("latin-1")
    assert page.value(f"atob({js(encoded.rstrip('='))})") == data.decode("latin-1")


@relaxed
@given(st.lists(st.tuples(texts, texts), max_size=6))
def test_search_params_read_what_they_wrote(page: GuildUnderTest, pairs: list[tuple[str, str]]) -> None:
    written = page.value(f"String(new URLSearchParams({js(pairs)}))")
    assert page.value(f"[...new URLSearchParams({js(written)})]") == [list(pair) for pair in pairs]
    assert parse_qsl(written, keep_blank_values=True) == pairs


@relaxed
@given(st.text(string.ascii_lowercase + "äöüéñçøþ日本語한", min_size=1, max_size=20))
def test_punycode_is_pythons(page: GuildUnderTest, label: str) -> None:
    expected = label if label.isascii() else "xn--" + label.encode("punycode").decode()
    assert page.value(f"new URL({js(f'http://{label}.example/')}).hostname") == f"{expected}.example"


@relaxed
@given(texts, texts, texts)
def test_the_href_of_a_url_is_a_fixed_point(
    page: GuildUnderTest, path: str, query: str, fragment: str
) -> None:
    href = page.value(f"new URL({js(f'http://host/{path}?{query}#{fragment}')}).href")
    assert page.value(f"new URL({js(href)}).href") == href
    assert href.isascii()


@relaxed
@given(st.integers(0, 2**32 - 1), st.sampled_from(["{}", "{:#x}", "0{:o}"]))
def test_every_spelling_of_an_ipv4_address(page: GuildUnderTest, address: int, spelling: str) -> None:
    expected = ".".join(str(byte) for byte in address.to_bytes(4))
    assert page.value(f"new URL({js(f'http://{spelling.format(address)}/')}).hostname") == expected


@relaxed
@given(json_values)
def test_a_clone_of_json_is_the_same_json(page: GuildUnderTest, value: Any) -> None:
    assert page.value(f"structuredClone({js(value)})") == value


@relaxed
@given(json_values)
def test_any_value_is_shown_in_one_line_of_limited_size(page: GuildUnderTest, value: Any) -> None:
    page.out.logs.clear()
    page.run(f"console.log({js(value)}, [{js(value)}])")
    assert len(page.lines) == 1
    assert len(page.lines[0]) <= 4096


@relaxed
@given(texts)
def test_a_text_is_logged_as_it_is(page: GuildUnderTest, text: str) -> None:
    page.out.logs.clear()
    page.run(f"console.log({js(text)})")
    assert page.lines == [text]


@relaxed
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs", "Z", "Cc"]), min_size=1, max_size=8), max_size=5)
)
def test_words_of_a_prefix_command(new_guild: NewGuild, words: list[str]) -> None:
    guild = new_guild()
    guild.load(
        "createBot({ prefix: '!', commands: [prefix({ name: 'go',"
        " run: (ctx) => { globalThis.args = ctx.args } })] })"
    )
    guild.event("MESSAGE_CREATE", message("!go " + " \t".join(words)))
    expected = " ".join(words).replace("\ufeff", " ").split(" ") if words else []
    assert guild.value("args") == [word for word in expected if word]


@relaxed
@given(st.dictionaries(st.text(string.ascii_lowercase + "_", min_size=1, max_size=12), texts, max_size=6))
def test_options_keep_their_names_and_values(new_guild: NewGuild, options: dict[str, str]) -> None:
    guild = new_guild()
    guild.load("on('interactionCreate', (ctx) => { globalThis.options = ctx.options })")
    guild.event("INTERACTION_CREATE", command("c", *(option(name, value) for name, value in options.items())))
    assert guild.value("options") == options


@relaxed
@given(texts.filter(bool))
def test_any_text_can_be_said(new_guild: NewGuild, text: str) -> None:
    guild = new_guild()
    guild.load(
        "on('messageCreate', async (ctx) => {"
        " const m = await ctx.reply(ctx.msg.content); globalThis.got = m.content })"
    )
    guild.event("MESSAGE_CREATE", message(text))
    assert guild.op.body["content"] == text
    guild.resolve(value=sent(content=text))
    assert guild.value("got") == text


def chacha20(key: bytes, counter: int) -> bytes:
    """One block of RFC 8439's cipher with a nonce of zeros, written as plainly as possible."""

    def rotate(word: int, by: int) -> int:
        return (word << by | word >> (32 - by)) & 0xFFFFFFFF

    start = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *struct.unpack("<8I", key), counter, 0, 0, 0]
    x = list(start)

    def quarter(a: int, b: int, c: int, d: int) -> None:
        for into, add, mix, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[into] = (x[into] + x[add]) & 0xFFFFFFFF
            x[mix] = rotate(x[mix] ^ x[into], by)

    for _ in range(10):
        for column in range(4):
            quarter(column, 4 + column, 8 + column, 12 + column)
        for column in range(4):
            quarter(column, 4 + (column + 1) % 4, 8 + (column + 2) % 4, 12 + (column + 3) % 4)
    return struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(x, start, strict=True)))


def test_the_plain_chacha20_is_that_of_the_rfc() -> None:
    assert chacha20(bytes(32), 0).hex().startswith("76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1a")


@settings(relaxed, max_examples=15)
@given(key=st.binary(min_size=32, max_size=32), sizes=st.lists(st.integers(0, 90), min_size=1, max_size=5))
def test_random_bytes_are_the_ciphers_stream(new_guild: NewGuild, key: bytes, sizes: list[int]) -> None:
    guild = new_guild(cryptoSeed=key.hex())
    pieces = guild.value(f"{sizes}.map((n) => [...crypto.getRandomValues(new Uint8Array(n))])")
    stream = b"".join(chacha20(key, block) for block in range(8))
    assert bytes(byte for piece in pieces for byte in piece) == stream[: sum(sizes)]


@pytest.mark.parametrize("length", range(0, 70, 7))
def test_nonces_have_at_most_25_characters(new_guild: NewGuild, length: int) -> None:
    guild = new_guild(seed="s" * length)
    guild.load("on('messageCreate', (ctx) => ctx.reply('x'))")
    guild.event("MESSAGE_CREATE", message())
    assert 1 <= len(guild.op.body["nonce"]) <= 25


halves = st.lists(st.sampled_from(["\ud83c", "\udf38", "\\", "u", "ud83c", '"', "a", "🌸"]), max_size=12).map(
    "".join
)


@relaxed
@given(halves)
def test_what_leaves_an_isolate_is_well_formed(page: GuildUnderTest, text: str) -> None:
    page.run(f"console.log({js(text)})")
    units = text.encode("utf-16-le", errors="surrogatepass")
    assert page.lines[-1] == units.decode("utf-16-le", errors="replace")
