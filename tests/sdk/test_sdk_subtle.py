"""crypto.subtle: digests and HMAC, against published vectors and Python's own."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest
from harness import GuildUnderTest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

HEX = "(b) => [...new Uint8Array(b)].map((x) => x.toString(16).padStart(2, '0')).join('')"
ALGORITHMS = ("SHA-1", "SHA-256", "SHA-384", "SHA-512")

# RFC 4231, sections 4.2 to 4.8: key, data, HMAC-SHA-256, the first 16 bytes of HMAC-SHA-512.
RFC_4231 = [
    (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7", "87aa7cdea5ef619d4ff0b4241a1d6cb0"),
    (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", "164b7a7bfcf819e2e395fbe73b56e0a3"),
    (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe", "fa73b0089d56a284efb0f0756c890be9"),
    (bytes(range(1, 26)), b"\xcd" * 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b", "b0ba465637458c6990e5a8c5f61d4af7"),
    (b"\xaa" * 131, b"Test Using Larger Than Block-Size Key - Hash Key First", "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54", "80b24263c7c1a3ebb71493c1dd7be8b4"),
]  # fmt: skip

# FIPS 180-4's examples: "abc", and the empty message.
NIST = {
    "SHA-1": ("a9993e364706816aba3e25717850c26c9cd0d89d", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
    "SHA-256": (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ),
    "SHA-384": (
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
        "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b",
    ),
    "SHA-512": (
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
    ),
}


def run(guild: GuildUnderTest, expression: str) -> Any:
    guild.run(
        f"globalThis.hex = {HEX}; globalThis.told = null;"
        f" (async () => ({expression}))().then((v) => {{ told = v }}, (e) => {{ told = `${{e.name}}: ${{e.message}}` }})"
    )
    return guild.value("told")


def bytes_of(data: bytes) -> str:
    return f"new Uint8Array({list(data)})"


def key(secret: bytes, algorithm: str = "SHA-256", usages: str = "['sign', 'verify']") -> str:
    return f"await crypto.subtle.importKey('raw', {bytes_of(secret)}, {{ name: 'HMAC', hash: '{algorithm}' }}, false, {usages})"


@pytest.mark.parametrize("name", ALGORITHMS)
def test_digests_of_the_standards_examples(page: GuildUnderTest, name: str) -> None:
    for data, expected in zip((b"abc", b""), NIST[name], strict=True):
        assert run(page, f"hex(await crypto.subtle.digest('{name}', {bytes_of(data)}))") == expected


@pytest.mark.parametrize(("secret", "data", "sha256", "sha512"), RFC_4231)
def test_macs_of_rfc_4231(page: GuildUnderTest, secret: bytes, data: bytes, sha256: str, sha512: str) -> None:
    sign = "hex(await crypto.subtle.sign('HMAC', {}, {}))"
    assert run(page, sign.format(key(secret), bytes_of(data))) == sha256
    assert run(page, sign.format(key(secret, "SHA-512"), bytes_of(data)))[:32] == sha512


@pytest.mark.parametrize("name", ALGORITHMS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(secret=st.binary(min_size=1, max_size=300), data=st.binary(max_size=600))
def test_everything_is_as_python_has_it(page: GuildUnderTest, name: str, secret: bytes, data: bytes) -> None:
    kind = name.replace("-", "").lower()
    both = f"[hex(await crypto.subtle.digest('{name}', {bytes_of(data)})), hex(await crypto.subtle.sign('HMAC', {key(secret, name)}, {bytes_of(data)}))]"
    assert run(page, both) == [hashlib.new(kind, data).hexdigest(), hmac.new(secret, data, kind).hexdigest()]


def test_a_long_message(page: GuildUnderTest) -> None:
    for name in ALGORITHMS:
        expected = hashlib.new(name.replace("-", "").lower(), b"a" * 1_000_000).hexdigest()
        assert (
            run(page, f"hex(await crypto.subtle.digest('{name}', new Uint8Array(1e6).fill(97)))") == expected
        )


def test_verify_knows_right_from_wrong(page: GuildUnderTest) -> None:
    good = hmac.new(b"k", b"data", "sha256").digest()
    wrong = [
        good[:-1] + bytes([good[-1] ^ 1]),
        bytes([good[0] ^ 128]) + good[1:],
        good[:-1],
        good + b"\0",
        b"",
        good * 2,
    ]
    verify = "await crypto.subtle.verify({{ name: 'hmac' }}, {}, {}, {})"
    assert run(page, verify.format(key(b"k"), bytes_of(good), bytes_of(b"data"))) is True
    for signature in wrong:
        assert run(page, verify.format(key(b"k"), bytes_of(signature), bytes_of(b"data"))) is False
    assert run(page, verify.format(key(b"other"), bytes_of(good), bytes_of(b"data"))) is False


def test_a_view_of_a_part_is_that_part(page: GuildUnderTest) -> None:
    part = "new DataView(new Uint8Array([0, 97, 98, 99, 0]).buffer, 1, 3)"
    assert run(page, f"hex(await crypto.subtle.digest('SHA-1', {part}))") == NIST["SHA-1"][0]


def test_a_key_tells_of_itself_but_not_its_bytes(page: GuildUnderTest) -> None:
    facts = f"((k) => [k.type, k.extractable, k.algorithm, k.usages, JSON.stringify(k), k instanceof CryptoKey])({key(b'abc')})"
    algorithm = {"name": "HMAC", "hash": {"name": "SHA-256"}, "length": 24}
    assert run(page, facts) == ["secret", False, algorithm, ["sign", "verify"], "{}", True]


def test_a_key_is_what_it_was_when_it_was_imported(page: GuildUnderTest) -> None:
    change = "const b = new Uint8Array([1]); const k = await crypto.subtle.importKey('raw', b, { name: 'HMAC', hash: 'SHA-1' }, false, ['sign']); b[0] = 2;"
    expected = hmac.new(b"\x01", b"", "sha1").hexdigest()
    assert (
        run(
            page,
            f"await (async () => {{ {change} return hex(await crypto.subtle.sign('HMAC', k, new Uint8Array())) }})()",
        )
        == expected
    )


WRONG = {
    "md5": ("crypto.subtle.digest('MD5', new Uint8Array())", "NotSupportedError"),
    "no data": ("crypto.subtle.digest('SHA-1')", "TypeError"),
    "text": ("crypto.subtle.digest('SHA-1', 'abc')", "TypeError"),
    "a key of another kind": ("crypto.subtle.importKey('raw', new Uint8Array(16), { name: 'AES-GCM', hash: 'SHA-1' }, false, ['sign'])", "NotSupportedError"),
    "a key in JSON": ("crypto.subtle.importKey('jwk', {}, { name: 'HMAC', hash: 'SHA-1' }, false, ['sign'])", "NotSupportedError"),
    "a key without bytes": (key(b""), "DataError"),
    "a key for no use": (key(b"k", usages="[]"), "SyntaxError"),
    "a key to encrypt": (key(b"k", usages="['encrypt']"), "SyntaxError"),
    "a key that only verifies": (f"crypto.subtle.sign('HMAC', {key(b'k', usages=str(['verify']))}, new Uint8Array())", "InvalidAccessError"),
    "no key": ("crypto.subtle.sign('HMAC', {}, new Uint8Array())", "TypeError"),
    "another algorithm": (f"crypto.subtle.sign('ECDSA', {key(b'k')}, new Uint8Array())", "InvalidAccessError"),
    "a new CryptoKey": ("new CryptoKey()", "TypeError"),
    "a new SubtleCrypto": ("new SubtleCrypto()", "TypeError"),
}  # fmt: skip


@pytest.mark.parametrize(("expression", "name"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_says_so(page: GuildUnderTest, expression: str, name: str) -> None:
    assert str(run(page, f"await {expression}" if "await" not in expression else expression)).startswith(name)
