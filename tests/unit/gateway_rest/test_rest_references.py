"""What a body names besides the path, however it is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_core.errors import InvalidInput
from flora_gateway.rest.references import MOST_NAMED, NOTHING, read, suspect

OURS, THEIRS = "100000000000000001", "100000000000000002"


def named(body: Any, **query: Any) -> set[str]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    references, _ = read(raw, query)
    return set(references.channels | references.guilds)


@pytest.mark.parametrize(
    "body",
    [
        {"message_reference": {"type": 1, "message_id": "5", "channel_id": THEIRS}},
        {"message_reference": {"message_id": "5", "guild_id": THEIRS}},
        {"data": {"message_reference": {"channel_id": THEIRS}}},
        {"message": {"message_reference": {"channel_id": THEIRS}}},
        {"channel_id": THEIRS},
        {"parent_id": THEIRS},
        {"system_channel_id": THEIRS},
        {"afk_channel_id": THEIRS},
        {"rules_channel_id": THEIRS},
        {"webhook_channel_id": THEIRS},
        {"source_guild_id": THEIRS},
        {"thread_id": THEIRS},
        {"channel_ids": ["5", THEIRS]},
        [{"id": "5", "parent_id": THEIRS}],
        {"a": [{"b": [{"channel_id": THEIRS}]}]},
        {"something_of_tomorrow_channel_id": THEIRS},
        {"channel_id": int(THEIRS)},
        {"channel_ids": [int(THEIRS)]},
    ],
)
def test_whatever_names_a_channel_or_a_guild_is_found(body: Any) -> None:
    assert THEIRS in named(body)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"channel\\u005fid":"%b"}',
        b'{"\\u0063hannel_id":"%b"}',
        b'{"message_reference":{"\\u0063\\u0068annel_id":"%b"}}',
        b'{"channel_id":\n"%b"}',
        b'{"channel_id" : "%b"}',
        b'{"x":1,"channel_id":"5","channel_id":"%b"}',
    ],
)
def test_whatever_it_looks_like_in_the_text(raw: bytes) -> None:
    assert THEIRS in named(raw % THEIRS.encode())


def test_of_two_fields_with_one_name_discord_gets_the_one_that_was_looked_at() -> None:
    raw = b'{"channel_id":"%b","content":"x","channel_id":"%b"}' % (THEIRS.encode(), OURS.encode())
    references, body = read(raw, {})
    assert references.channels == {OURS}
    assert body is not None
    assert THEIRS.encode() not in body
    assert json.loads(body) == {"channel_id": OURS, "content": "x"}


@pytest.mark.parametrize(
    "body",
    [
        {"content": "channel_id", "embeds": [{"title": '"channel_id":"5"'}]},
        {"message_reference": {"message_id": "5", "fail_if_not_exists": False}},
        {"components": [{"type": 1, "components": [{"type": 2, "custom_id": "channel_id"}]}]},
        {"name": "x", "channel_types": [0], "user_id": "5", "role_ids": ["5"]},
        {"channel_id": None, "parent_id": None, "guild_id": None, "channel_ids": []},
        {},
        [],
    ],
)
def test_what_names_nothing_is_let_through(body: Any) -> None:
    assert named(body) == set()


def test_a_usual_reply_is_not_even_read() -> None:
    body = b'{"content":"hi","nonce":"seed-1","enforce_nonce":true,"message_reference":{"message_id":"5"}}'
    assert not suspect(body)
    assert read(body, {}) == (NOTHING, body)


@pytest.mark.parametrize(
    "value", [5.5, True, {"id": "5"}, [["5"]], "", "x", "05", " 5", "5 ", "-5", -5, 2**70]
)
def test_an_id_that_is_none_is_refused_by_its_field(value: Any) -> None:
    with pytest.raises(InvalidInput, match="channel_id"):
        named({"message_reference": {"channel_id": value}})


def test_threads_in_the_query_count() -> None:
    assert named({}, thread_id=THEIRS, wait="true") == {THEIRS}
    assert named({}, thread_id=None) == set()
    with pytest.raises(InvalidInput, match="thread_id"):
        named({}, thread_id="../5")


def test_a_body_may_name_only_so_many() -> None:
    assert len(named({"channel_ids": [str(n + 1) for n in range(MOST_NAMED)]})) == MOST_NAMED
    with pytest.raises(InvalidInput, match="names 501 channels; the limit is 500"):
        named({"channel_ids": [str(n + 1) for n in range(MOST_NAMED + 1)]})


@pytest.mark.parametrize("depth", [40, 2000, 200_000])
def test_deep_bodies_are_refused(depth: int) -> None:
    raw = b'{"a":' * depth + b'{"channel_id":"5"}' + b"}" * depth
    with pytest.raises(InvalidInput, match="body: "):
        named(raw)


@pytest.mark.parametrize("raw", [b'{"channel_id":', b'{"channel_id":"\xff"}', b'"\\u"'])
def test_what_is_no_json_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidInput, match="body: "):
        read(raw, {})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@given(
    body=st.dictionaries(st.text(max_size=8), JSON, max_size=3),
    path=st.lists(st.sampled_from(["data", "message", "x", 0]), max_size=6),
    prefix=st.sampled_from(["", "system_", "a_b_", "widget_"]),
    key=st.sampled_from(["channel_id", "parent_id", "thread_id", "guild_id", "channel_ids"]),
    escaped=st.booleans(),
)
def test_there_is_no_place_to_hide_an_id_in(
    body: dict[str, Any], path: list[str | int], prefix: str, key: str, escaped: bool
) -> None:
    inner: Any = {prefix + key: THEIRS}
    for step in path:
        inner = [inner] if step == 0 else {step: inner}
    raw = json.dumps(body | {"place": inner}).encode()
    if escaped:
        raw = raw.replace(b"_id", b"\\u005fid")
    assert THEIRS in named(raw)


@given(body=JSON)
def test_what_is_sent_on_says_the_same(body: Any) -> None:
    whole = {"x": body, "parent_id": None}
    _, sent = read(json.dumps(whole).encode(), {})
    assert json.loads(sent or b"") == whole
