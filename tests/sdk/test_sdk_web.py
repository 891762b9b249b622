"""The rest of the web platform: encoding, base64, structuredClone, abort, events, crypto, performance."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from harness import GuildUnderTest

from conftest import NewGuild

# -------------------------------------------------------------------- TextEncoder, TextDecoder

TEXTS = [
    "",
    "abc",
    "ä",
    "€",
    "😀",
    "\u0000\u007f\u0080\u07ff\u0800\uffff",
    "\U0010ffff",
    "x" * 10_000 + "é",
    "日本語" * 3000,
]


@pytest.mark.parametrize("text", TEXTS)
def test_utf8_both_ways(page: GuildUnderTest, text: str) -> None:
    page.run(
        f"globalThis.text = {text!r}"
        if text.isascii() and text.isprintable()
        else f"globalThis.text = {_js(text)}"
    )
    assert page.value("[...new TextEncoder().encode(text)]") == list(text.encode())
    assert page.value("new TextDecoder().decode(new TextEncoder().encode(text)) === text") is True


def _js(text: str) -> str:
    return "'" + "".join(f"\\u{{{ord(c):x}}}" for c in text) + "'"


def test_lone_surrogates_are_written_as_replacement_characters(page: GuildUnderTest) -> None:
    assert page.value("[...new TextEncoder().encode('a\\ud800b\\udc00')]") == [
        97,
        239,
        191,
        189,
        98,
        239,
        191,
        189,
    ]


def test_encode_into_stops_before_a_character_that_does_not_fit(page: GuildUnderTest) -> None:
    assert page.value("((b) => [new TextEncoder().encodeInto('aé😀b', b), [...b]])(new Uint8Array(6))") == [
        {"read": 2, "written": 3},
        [97, 195, 169, 0, 0, 0],
    ]
    assert page.value("((b) => [new TextEncoder().encodeInto('aé😀b', b), [...b]])(new Uint8Array(7))") == [
        {"read": 4, "written": 7},
        [97, 195, 169, 240, 159, 152, 128],
    ]


# Each invalid sequence and how many U+FFFD it becomes, from the Encoding Standard's rules.
MALFORMED = [
    ("ff", 1),
    ("80", 1),
    ("c0 80", 2),
    ("c1 bf", 2),
    ("c3", 1),
    ("c3 28", 1),
    ("e0 80 80", 3),
    ("e2 82", 1),
    ("e2 28 a1", 2),
    ("ed a0 80", 3),
    ("f0 80 80 80", 4),
    ("f0 9f 98", 1),
    ("f4 90 80 80", 4),
    ("f5 80 80 80", 4),
]


@pytest.mark.parametrize(("bytes_", "count"), MALFORMED)
def test_malformed_utf8(page: GuildUnderTest, bytes_: str, count: int) -> None:
    array = f"new Uint8Array({list(bytes.fromhex(bytes_))})"
    assert page.value(f"new TextDecoder().decode({array}).split('\\ufffd').length - 1") == count
    assert page.value(f"new TextDecoder().decode({array})") == bytes.fromhex(bytes_).decode(errors="replace")
    assert page.throws(f"new TextDecoder('utf-8', {{ fatal: true }}).decode({array})") == (
        "TypeError: the bytes are not valid UTF-8"
    )


def test_a_stream_may_be_cut_anywhere(page: GuildUnderTest) -> None:
    assert page.value(
        "(() => { const bytes = new TextEncoder().encode('\\ufeffaé€😀z'), all = new Set();"
        " for (let i = 0; i <= bytes.length; i++) { const d = new TextDecoder();"
        " all.add(d.decode(bytes.subarray(0, i), { stream: true }) + d.decode(bytes.subarray(i), {"
        " stream: true }) + d.decode()) }"
        " return [...all] })()"
    ) == ["aé€😀z"]


def test_a_stream_that_ends_in_the_middle(page: GuildUnderTest) -> None:
    assert page.value(
        "((d) => [d.decode(new Uint8Array([0xe2, 0x82]), { stream: true }), d.decode(),"
        " d.decode(new Uint8Array([65]))])(new TextDecoder())"
    ) == ["", "\ufffd", "A"]


@pytest.mark.parametrize(("options", "text"), [("", "a"), (", { ignoreBOM: true }", "\ufeffa")])
def test_the_byte_order_mark(page: GuildUnderTest, options: str, text: str) -> None:
    assert (
        page.value(f"new TextDecoder('utf-8'{options}).decode(new Uint8Array([0xef, 0xbb, 0xbf, 97]))")
        == text
    )


@pytest.mark.parametrize(
    "source", ["b", "b.buffer", "new DataView(b.buffer)", "new Uint16Array(b.buffer)", "b.subarray(0)"]
)
def test_every_kind_of_bytes_decodes(page: GuildUnderTest, source: str) -> None:
    assert page.value(f"((b) => new TextDecoder().decode({source}))(new Uint8Array([104, 105]))") == "hi"


def test_labels_of_encodings(page: GuildUnderTest) -> None:
    assert (
        page.value("[' UTF-8 ', 'utf8', undefined].map((label) => new TextDecoder(label).encoding)")
        == ["utf-8"] * 3
    )
    assert (
        page.throws("new TextDecoder('latin1')")
        == 'RangeError: the encoding "latin1" is not supported; utf-8 is'
    )
    assert page.throws("new TextDecoder().decode('text')").startswith("TypeError")


# -------------------------------------------------------------------- atob, btoa


@pytest.mark.parametrize("data", [b"", b"a", b"ab", b"abc", bytes(range(256)), b"\xff" * 10_001])
def test_base64_both_ways(page: GuildUnderTest, data: bytes) -> None:
    encoded = base64.b64encode(data).decode()
    page.run(f"globalThis.data = String.fromCharCode(...{list(data)})")
    assert page.value("btoa(data)") == encoded
    assert page.value(f"atob('{encoded}') === data") is True


@pytest.mark.parametrize(
    ("text", "decoded"), [("YQ", "a"), (" Y W\tI=\n", "ab"), ("YR==", "a"), ("", ""), ("  ", "")]
)
def test_atob_forgives(page: GuildUnderTest, text: str, decoded: str) -> None:
    assert page.value(f"atob({text!r})") == decoded


@pytest.mark.parametrize("text", ["a", "ab=", "abcde", "YQ===", "=", "Y=Q=", "ab-_", "ü", "a b c d e"])
def test_atob_refuses(page: GuildUnderTest, text: str) -> None:
    assert page.throws(f"atob({text!r})").startswith("InvalidCharacterError: ")


def test_btoa_refuses_what_is_no_byte(page: GuildUnderTest) -> None:
    assert page.throws("btoa('ü€')").startswith("InvalidCharacterError: ")


# -------------------------------------------------------------------- structuredClone


@pytest.mark.parametrize(
    "value",
    [
        "undefined",
        "null",
        "1n",
        "'text'",
        "{ a: [1, { b: null }], c: undefined }",
        "[1, , 3]",
        "Object.assign([1], { extra: 2 })",
        "new Date(5)",
        "/a+/gi",
        "new Map([['a', new Set([1, { b: 2 }])]])",
        "new Uint8Array([1, 2, 3]).subarray(1)",
        "new BigInt64Array([1n])",
        "new DataView(new ArrayBuffer(4), 1, 2)",
        "new ArrayBuffer(3)",
        "[Object(1), Object('s'), Object(false), Object(2n)]",
        "Object.create(null)",
    ],
)
def test_clones_look_like_their_originals(guild: GuildUnderTest, value: str) -> None:
    guild.run(f"const v = ({value}); console.log(v); console.log(structuredClone(v))")
    original, clone = guild.lines
    assert clone == original.replace("[Object: null prototype] ", "")


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("((o) => { o.o = o; const c = structuredClone(o); return c !== o && c.o === c })({})", True),
        ("((s) => { const c = structuredClone([s, s]); return c[0] === c[1] && c[0] !== s })({})", True),
        ("((m) => { m.set(m, 1); const c = structuredClone(m); return c.has(c) })(new Map())", True),
        (
            (
                "((b) => { const c = structuredClone([new Uint8Array(b), new Uint16Array(b)]); return"
                " c[0].buffer === c[1].buffer && c[0].buffer !== b })(new ArrayBuffer(4))"
            ),
            True,
        ),
        ("structuredClone(new (class A { x = 1; get y() { return 2 } })()).constructor === Object", True),
        ("structuredClone({ get a() { return 1 } })", {"a": 1}),
        ("Object.keys(structuredClone({ b: 1, [Symbol('s')]: 2, a: 3 }))", ["b", "a"]),
        (
            (
                "((e) => [e instanceof RangeError, e.message, e.cause, e.stack.includes('RangeError:"
                " m')])(structuredClone(new RangeError('m', { cause: 'c' })))"
            ),
            [True, "m", "c", True],
        ),
        (
            (
                "((e) => [e.name, e.constructor === Error])(structuredClone(Object.assign(new"
                " Error('m'), { name: 'Odd' })))"
            ),
            ["Error", True],
        ),
        (
            (
                "((r) => { r.lastIndex = 2; const c = structuredClone(r); return [c.lastIndex,"
                " r.lastIndex] })(/a/g)"
            ),
            [0, 2],
        ),
        (
            (
                "((b) => { const c = structuredClone({ b }, { transfer: [b] }); return [b.byteLength,"
                " c.b.byteLength] })(new ArrayBuffer(8))"
            ),
            [0, 8],
        ),
        ("((b) => { structuredClone(1, { transfer: [b] }); return b.byteLength })(new ArrayBuffer(8))", 0),
        ("structuredClone({ __proto__: null, ['__proto__']: 1 }).hasOwnProperty('__proto__')", True),
    ],
)
def test_structured_clone(page: GuildUnderTest, code: str, result: Any) -> None:
    assert page.value(code) == result


@pytest.mark.parametrize(
    "value",
    [
        "() => {}",
        "{ f() {} }",
        "Symbol('s')",
        "[Symbol.iterator]",
        "new WeakMap()",
        "Promise.resolve()",
        "new WeakRef({})",
    ],
)
def test_what_cannot_be_cloned(page: GuildUnderTest, value: str) -> None:
    assert page.throws(f"structuredClone({value})").startswith("DataCloneError: ")
    assert page.value(
        f"(() => {{ try {{ structuredClone({value}) }} catch (e) {{ return [e instanceof"
        " DOMException, e.code] } })()"
    ) == [True, 25]


# -------------------------------------------------------------------- abort and events


@pytest.mark.parametrize(
    ("code", "result"),
    [
        (
            (
                "((c) => [c.signal.aborted, c.abort(), c.signal.aborted, c.signal.reason.name])(new"
                " AbortController())"
            ),
            [False, None, True, "AbortError"],
        ),
        ("((c) => (c.abort('why'), c.abort('again'), c.signal.reason))(new AbortController())", "why"),
        ("((s) => [s.aborted, s.reason.code])(AbortSignal.abort())", [True, 20]),
        (
            (
                "((c) => { const out = []; c.signal.onabort = () => out.push('on');"
                " c.signal.addEventListener('abort', (e) => out.push(e.type, e.target === c.signal));"
                " c.abort(); c.abort(); return out })(new AbortController())"
            ),
            ["on", "abort", True],
        ),
        (
            (
                "((a, b) => { const s = AbortSignal.any([a.signal, b.signal]); b.abort('b');"
                " a.abort('a'); return [s.aborted, s.reason] })(new AbortController(), new"
                " AbortController())"
            ),
            [True, "b"],
        ),
        ("AbortSignal.any([AbortSignal.abort('x')]).reason", "x"),
        (
            (
                "((c) => { const s = AbortSignal.any([AbortSignal.any([c.signal])]); c.abort('deep');"
                " return s.reason })(new AbortController())"
            ),
            "deep",
        ),
    ],
)
def test_abort(page: GuildUnderTest, code: str, result: Any) -> None:
    assert page.value(code) == result


def test_throw_if_aborted(page: GuildUnderTest) -> None:
    assert page.throws("new AbortController().signal.throwIfAborted()") == "nothing"
    assert page.throws("AbortSignal.abort(new RangeError('r')).throwIfAborted()") == "RangeError: r"
    assert page.throws("new AbortSignal()").startswith("TypeError: Illegal constructor")


def test_abort_after_a_time(guild: GuildUnderTest) -> None:
    guild.run("globalThis.s = AbortSignal.timeout(50)")
    assert list(guild.out.timers.values()) == [50]
    assert guild.value("s.aborted") is False
    guild.fire()
    assert guild.value("[s.aborted, s.reason.name]") == [True, "TimeoutError"]


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("t.addEventListener('a', f); t.addEventListener('a', f); t.dispatchEvent(new Event('a'))", ["a"]),
        (
            (
                "t.addEventListener('a', f, { once: true }); t.dispatchEvent(new Event('a'));"
                " t.dispatchEvent(new Event('a'))"
            ),
            ["a"],
        ),
        ("t.addEventListener('a', f); t.removeEventListener('a', f); t.dispatchEvent(new Event('a'))", []),
        (
            (
                "t.addEventListener('a', { handleEvent: f }); t.dispatchEvent(new Event('a'));"
                " t.dispatchEvent(new Event('b'))"
            ),
            ["a"],
        ),
        (
            (
                "const c = new AbortController(); t.addEventListener('a', f, { signal: c.signal });"
                " c.abort(); t.dispatchEvent(new Event('a'))"
            ),
            [],
        ),
        (
            (
                "t.addEventListener('a', (e) => e.stopImmediatePropagation()); t.addEventListener('a',"
                " f); t.dispatchEvent(new Event('a'))"
            ),
            [],
        ),
        (
            (
                "t.addEventListener('a', (e) => e.preventDefault()); out.push(t.dispatchEvent(new"
                " Event('a', { cancelable: true })), t.dispatchEvent(new Event('a')))"
            ),
            [False, True],
        ),
        ("t.addEventListener('a', null); t.dispatchEvent(new Event('a'))", []),
    ],
)
def test_event_targets(page: GuildUnderTest, code: str, result: Any) -> None:
    setup = "const t = new EventTarget(), out = [], f = (e) => out.push(e.type);"
    assert page.value(f"(() => {{ {setup} {code}; return out }})()") == result


def test_a_listener_that_throws_is_logged_and_the_next_one_runs(guild: GuildUnderTest) -> None:
    guild.run(
        "const t = new EventTarget(); t.addEventListener('a', () => { throw new Error('bad') });"
        "t.addEventListener('a', () => console.log('next')); t.dispatchEvent(new Event('a'))"
    )
    assert [level for level, _ in guild.out.logs] == ["error", "info"]
    assert guild.throws("new EventTarget().dispatchEvent({})") == "TypeError: dispatchEvent() takes an Event"


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("new DOMException('m', 'AbortError')", ["AbortError", "m", 20]),
        ("new DOMException('m', { name: 'DataCloneError', cause: 1 })", ["DataCloneError", "m", 25]),
        ("new DOMException()", ["Error", "", 0]),
    ],
)
def test_dom_exceptions(page: GuildUnderTest, code: str, result: Any) -> None:
    assert page.value(f"((e) => [e.name, e.message, e.code])({code})") == result
    assert page.value(f"((e) => e instanceof Error && e.stack.startsWith(`${{e.name}}`))({code})") is True


# -------------------------------------------------------------------- crypto, performance


def test_random_bytes_are_chacha20_of_the_seed(new_guild: NewGuild) -> None:
    # RFC 8439, appendix A.1: key and nonce of zeros, blocks 0 and 1.
    block_0 = (
        "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
        "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"
    )
    block_1 = "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
    guild = new_guild(cryptoSeed="00" * 32)
    assert bytes(guild.value("[...crypto.getRandomValues(new Uint8Array(96))]")).hex() == block_0 + block_1


def test_the_seeds_bytes_are_the_key(new_guild: NewGuild) -> None:
    # RFC 8439, appendix A.1, test vector 4: the key 00ff00…, block 2.
    guild = new_guild(cryptoSeed="00ff" + "00" * 30)
    got = bytes(guild.value("[...crypto.getRandomValues(new Uint8Array(192))]")).hex()
    assert got[256:320] == "72d54dfbf12ec44b362692df94137f328fea8da73990265ec1bbbea1ae9af0ca"


def test_seeds_make_the_difference(new_guild: NewGuild) -> None:
    uuids = {new_guild(cryptoSeed=f"{i:064x}").value("crypto.randomUUID()") for i in range(5)}
    assert len(uuids) == 5


def test_without_a_seed_there_still_is_randomness(new_guild: NewGuild) -> None:
    assert len({new_guild(cryptoSeed=None).value("crypto.randomUUID()") for _ in range(3)}) == 3


def test_uuids(page: GuildUnderTest) -> None:
    uuids = page.value("Array.from({ length: 200 }, () => crypto.randomUUID())")
    assert len(set(uuids)) == 200
    assert all(
        re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", u) for u in uuids
    )


def test_random_values_fill_any_array_of_integers(page: GuildUnderTest) -> None:
    assert (
        page.value("((a) => crypto.getRandomValues(a) === a && a.some((x) => x > 255))(new Uint32Array(8))")
        is True
    )
    assert page.throws("crypto.getRandomValues(new Float32Array(1))").startswith("TypeMismatchError")
    assert page.throws("crypto.getRandomValues([1])").startswith("TypeError")
    assert page.throws("crypto.getRandomValues(new Uint8Array(65537))").startswith("QuotaExceededError")


def test_performance_counts_from_the_start(page: GuildUnderTest) -> None:
    assert page.value("Math.abs(performance.timeOrigin + performance.now() - Date.now()) < 50") is True
    assert page.value("((a) => performance.now() >= a)(performance.now())") is True
