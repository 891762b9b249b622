from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_core.errors import InvalidInput, InvalidSnowflake
from flora_core.ids import parse_guild_id, parse_pod_name, parse_sha256, parse_snowflake


@given(st.integers(1, 2**64 - 1))
def test_every_unsigned_64_bit_number_is_a_snowflake(number: int) -> None:
    assert parse_snowflake(str(number)) == str(number)


@pytest.mark.parametrize(
    "text",
    ["", "0", "007", "-1", "+1", " 1", "1 ", "1.0", "1e5", "abc", "١٢٣", str(2**64), "9" * 50, 12, None],
)
def test_what_is_no_snowflake_is_refused_by_name(text: object) -> None:
    with pytest.raises(InvalidSnowflake, match=r"^channel: .* is not a Discord id"):
        parse_snowflake(text, field="channel")


def test_a_refusal_tells_where_to_find_an_id_and_does_not_repeat_a_novel() -> None:
    with pytest.raises(InvalidSnowflake) as caught:
        parse_guild_id("x" * 5000)
    assert "Copy ID" in str(caught.value)
    assert len(str(caught.value)) < 250


def test_pod_names_are_dns_labels() -> None:
    assert parse_pod_name("flora-runtime-12") == "flora-runtime-12"
    for text in ("", "-a", "a-", "A", "a_b", "a.b", "../a", "a" * 64):
        with pytest.raises(InvalidInput, match="is not a pod name"):
            parse_pod_name(text)


def test_digests_are_64_lower_case_hexadecimal_digits() -> None:
    assert parse_sha256("0a" * 32) == "0a" * 32
    for text in ("", "0a" * 31, "0A" * 32, "zz" * 32):
        with pytest.raises(InvalidInput, match="SHA-256"):
            parse_sha256(text)
