"""Keys of secrets: what they seal they open, and nothing else."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_api.secrets.keys import CannotOpen, KeyRing, Sealed
from flora_core.errors import InvalidSettings
from flora_core.ids import GuildId

GUILD, OTHER = GuildId("1"), GuildId("2")
RING = KeyRing([("new", b"n" * 32), ("old", b"o" * 32)])
texts = st.text(st.characters(exclude_categories=["Cs"]))


def entry(key_id: str, key: bytes = b"k" * 32) -> str:
    return f"{key_id}:{base64.b64encode(key).decode()}"


@given(name=texts, value=texts)
def test_what_is_sealed_opens(name: str, value: str) -> None:
    assert RING.open(GUILD, name, RING.seal(GUILD, name, value)) == value


@given(value=texts)
def test_the_same_value_is_never_sealed_the_same_way_twice(value: str) -> None:
    one, two = RING.seal(GUILD, "A", value), RING.seal(GUILD, "A", value)
    assert one.nonce != two.nonce
    assert one.ciphertext != two.ciphertext


@pytest.mark.parametrize(("guild", "name"), [(OTHER, "A"), (GUILD, "B")])
def test_it_opens_for_its_guild_and_name_alone(guild: GuildId, name: str) -> None:
    sealed = RING.seal(GUILD, "A", "value")
    with pytest.raises(CannotOpen):
        RING.open(guild, name, sealed)


def test_guild_and_name_cannot_be_cut_elsewhere() -> None:
    sealed = RING.seal(GuildId("12"), "3", "value")
    with pytest.raises(CannotOpen):
        RING.open(GuildId("1"), "23", sealed)


@given(st.data())
def test_a_changed_bit_does_not_open(data: st.DataObject) -> None:
    sealed = RING.seal(GUILD, "A", "value")
    field = data.draw(st.sampled_from(["nonce", "ciphertext"]))
    changed = bytearray(getattr(sealed, field))
    at = data.draw(st.integers(0, len(changed) - 1))
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    parts = {"nonce": sealed.nonce, "ciphertext": sealed.ciphertext, field: bytes(changed)}
    with pytest.raises(CannotOpen, match="does not open"):
        RING.open(GUILD, "A", Sealed(sealed.key_id, **parts))


def test_the_first_key_seals_and_all_open() -> None:
    old = KeyRing([("old", b"o" * 32)])
    sealed = old.seal(GUILD, "A", "value")
    assert RING.open(GUILD, "A", sealed) == "value"
    assert RING.seal(GUILD, "A", "value").key_id == RING.current == "new"


def test_a_key_that_is_not_there_is_named() -> None:
    sealed = KeyRing([("gone", b"g" * 32)]).seal(GUILD, "A", "value")
    with pytest.raises(CannotOpen, match="the key gone is not in API_SECRET_KEYS"):
        RING.open(GUILD, "A", sealed)


def test_a_row_cannot_claim_another_key() -> None:
    same = KeyRing([("a", b"k" * 32), ("b", b"k" * 32)])
    sealed = same.seal(GUILD, "A", "value")
    with pytest.raises(CannotOpen):
        same.open(GUILD, "A", Sealed("b", sealed.nonce, sealed.ciphertext))


@given(
    keys=st.dictionaries(st.from_regex(r"[A-Za-z0-9._-]{1,32}", fullmatch=True), st.binary(min_size=32, max_size=32), min_size=1, max_size=5),
    between=st.sampled_from([",", " ", "\n", ", ", ",\n  "]),
)  # fmt: skip
def test_a_ring_is_read_in_the_order_it_is_written(keys: dict[str, bytes], between: str) -> None:
    ring = KeyRing.parse(between.join(entry(key_id, key) for key_id, key in keys.items()))
    assert ring.ids == list(keys)
    assert ring.current == next(iter(keys))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not set"),
        (" , ", "is not set"),
        ("c2VjcmV0", "entry 1 should be id:base64"),
        (f"{entry('a')},:c2VjcmV0", "entry 2 should be id:base64"),
        (f"{'a' * 33}:c2VjcmV0", "entry 1 should be id:base64"),
        ("a:c2VjcmV0", "entry 1 should be 32 bytes"),
        ("a:c2Vj!mV0", "entry 1 should be 32 bytes"),
        (entry("a", b"k" * 33), "entry 1 should be 32 bytes"),
        (f"{entry('a')},{entry('a')}", "two keys with the id a"),
    ],
)
def test_what_is_no_ring_is_refused_without_showing_a_key(text: str, says: str) -> None:
    with pytest.raises(InvalidSettings, match=says) as refused:
        KeyRing.parse(text)
    assert "API_SECRET_KEYS" in str(refused.value)
    assert "c2Vj" not in str(refused.value)
    assert base64.b64encode(b"k" * 32).decode() not in str(refused.value)


@given(st.text())
def test_any_text_is_a_ring_or_refused(text: str) -> None:
    try:
        KeyRing.parse(text)
    except InvalidSettings:
        return


def test_missing_keys_are_named_in_order() -> None:
    assert RING.missing(["z", "old", "a", "z"]) == ["a", "z"]


def test_what_a_value_is_bound_to_stays_as_it_is() -> None:
    """A row that was sealed by an earlier release opens: this one's bytes are fixed here."""
    ring = KeyRing([("k1", bytes(range(32)))])
    sealed = Sealed(
        "k1",
        bytes(12),
        bytes.fromhex("78ddd9abd071a18dabcb0bd113ca3c2cd209eb60c1"),
    )
    assert ring.open(GuildId("123"), "WEATHER_KEY", sealed) == "value"
