from __future__ import annotations

import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_core.errors import BundleFailed, BundleTooLarge, InvalidBundle, InvalidInput
from flora_core.ids import parse_sha256
from flora_core.toolchain import Bundle
from flora_core.toolchain.bundle import CODE_LIMIT, MAP_LIMIT

texts = st.text()  # has no lone surrogates
bundles = st.builds(Bundle, st.from_regex(r"[a-zé ]{1,10}\.ts", fullmatch=True), texts, texts)


@given(bundle=bundles)
def test_a_bundle_comes_back_from_its_bytes(bundle: Bundle) -> None:
    again = Bundle.from_bytes(bundle.to_bytes())
    assert again == bundle
    assert again.sha256 == bundle.sha256


@given(bundle=bundles)
def test_the_hash_is_that_of_the_bytes(bundle: Bundle) -> None:
    assert bundle.sha256 == hashlib.sha256(bundle.to_bytes()).hexdigest()
    assert parse_sha256(bundle.sha256)


def test_the_bytes_are_these_and_stay_so() -> None:
    assert Bundle("src/main.ts", 'x("é")', "{}").to_bytes() == (
        b'{"format":1,"entrypoint":"src/main.ts","code":"x(\\"\xc3\xa9\\")","source_map":"{}"}'
    )


@given(one=bundles, other=bundles)
def test_different_bundles_have_different_hashes(one: Bundle, other: Bundle) -> None:
    assert (one == other) == (one.sha256 == other.sha256)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b"{}",
        b'{"format":1}',
        b'{"format":"1","entrypoint":"a.ts","code":"","source_map":""}',
        b'{"format":1,"entrypoint":"","code":"","source_map":""}',
        b'{"format":1,"entrypoint":"a\\n.ts","code":"","source_map":""}',
        b'{"format":1,"entrypoint":"a.ts","code":1,"source_map":""}',
        b'{"format":1,"entrypoint":"a.ts","code":"\xff","source_map":""}',
        b"[" * 100_000,
    ],
)
def test_bytes_that_are_no_bundle_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidBundle):
        Bundle.from_bytes(data)


@given(data=st.binary())
def test_any_bytes_are_a_bundle_or_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        Bundle.from_bytes(data)


def test_a_bundle_of_another_format_says_so() -> None:
    with pytest.raises(InvalidBundle, match="format 2, this flora reads 1; deploy again"):
        Bundle.from_bytes(b'{"format":2,"entrypoint":"a.ts","code":"","source_map":""}')


@pytest.mark.parametrize(
    "data",
    [
        b'{"format":1,"entrypoint":"a.ts","code":"","source_map":""}\n',
        b'{"format": 1,"entrypoint":"a.ts","code":"","source_map":""}',
        b'{"entrypoint":"a.ts","format":1,"code":"","source_map":""}',
        b'{"format":1,"entrypoint":"a.ts","code":"","source_map":"","more":1}',
        b'{"format":1,"entrypoint":"a.ts","code":"\\u0041","source_map":""}',
    ],
)
def test_the_same_bundle_in_other_words_is_refused(data: bytes) -> None:
    assert msgspec.json.decode(data)["format"] == 1
    with pytest.raises(InvalidBundle, match="its hash would not hold"):
        Bundle.from_bytes(data)


@pytest.mark.parametrize("char", ["x", "é"])
def test_code_over_the_limit_is_refused(char: str) -> None:
    size = len(char.encode())
    Bundle("a.ts", char * (CODE_LIMIT // size))
    with pytest.raises(
        BundleTooLarge, match=r"the bundle has 8,388,6[01]\d bytes and may have 8,388,608"
    ) as caught:
        Bundle("a.ts", char * (CODE_LIMIT // size + 1))
    assert caught.value.limit == CODE_LIMIT
    assert isinstance(caught.value, BundleFailed)


def test_a_source_map_over_the_limit_is_refused() -> None:
    with pytest.raises(BundleTooLarge, match="the bundle's source map has"):
        Bundle("a.ts", "", "x" * (MAP_LIMIT + 1))


def test_bytes_over_the_limit_are_not_even_read() -> None:
    with pytest.raises(BundleTooLarge):
        Bundle.from_bytes(b"x" * (65 << 20))


def test_half_a_surrogate_pair_is_no_code() -> None:
    with pytest.raises(InvalidBundle, match="half a surrogate pair"):
        Bundle("a.ts", "'\ud83d'")
