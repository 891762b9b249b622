"""Nothing that a script gives may change which resource a request means."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_core.errors import InvalidInput, InvalidSnowflake
from flora_gateway.rest.targets import REASON_LIMIT, Target, audit_log_reason, emoji, snowflake, token

REACTION = Target(
    "/channels/{channel}/messages/{message}/reactions/{emoji}/@me", prefix="/api/v10", filled={}
)
FOLLOWUP = Target(
    "/webhooks/{application}/{token}?wait=true", prefix="/api/v10", filled={"application": "42"}
)

INJECTIONS = [
    "../",
    "..",
    ".",
    "../../users/@me",
    "%2e%2e",
    "%2e",
    "%2F",
    "a/b",
    "a\\b",
    "a?b",
    "a#b",
    "a b",
    "a\r\nHost: evil",
    "a\nb",
    "\x00",
    "\x7f",
    "\u2028",
    "@me",
    "a;b",
    "",
]


def test_the_path_is_the_template_with_its_parameters() -> None:
    values = {"channel": "10", "message": "20", "emoji": "👍"}
    assert REACTION.render(values) == b"/api/v10/channels/10/messages/20/reactions/%F0%9F%91%8D/@me"


def test_parameters_that_the_gateway_fills_need_not_be_given_and_cannot_be_replaced() -> None:
    assert FOLLOWUP.parameters == {"token"}
    assert FOLLOWUP.render({"token": "t", "application": "../7"}) == b"/api/v10/webhooks/42/t?wait=true"


def test_a_missing_parameter_is_named() -> None:
    with pytest.raises(InvalidInput, match="message: is missing"):
        REACTION.render({"channel": "10", "emoji": "👍"})


@pytest.mark.parametrize("name", ["channel", "message", "emoji"])
@pytest.mark.parametrize("text", INJECTIONS)
def test_no_parameter_leaves_its_place_in_the_path(name: str, text: str) -> None:
    values = {"channel": "10", "message": "20", "emoji": "👍"} | {name: text}
    with pytest.raises(InvalidInput, match=f"{name}: "):
        REACTION.render(values)


@pytest.mark.parametrize("text", INJECTIONS)
def test_no_token_leaves_its_place_in_the_path(text: str) -> None:
    with pytest.raises(InvalidInput, match="token: not a token") as caught:
        FOLLOWUP.render({"token": text})
    assert len(text) < 3 or text not in str(caught.value)


@given(st.text(max_size=20), st.text(max_size=40), st.text(max_size=10))
def test_whatever_is_given_the_target_has_its_shape_or_is_refused(
    channel: str, face: str, message: str
) -> None:
    try:
        target = REACTION.render({"channel": channel, "message": message, "emoji": face})
    except InvalidInput:
        return
    parts = target.decode("ascii").split("/")
    assert len(parts) == 9
    assert parts[3].isdigit()
    assert parts[5].isdigit()
    assert parts[7] not in {"", ".", ".."}
    assert unquote(parts[7]) in face
    assert set(target) <= set(b"/@%0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._~")


# Snowflakes


@pytest.mark.parametrize("text", ["1", "123456789012345678", "18446744073709551615"])
def test_a_snowflake_is_kept_as_it_is(text: str) -> None:
    assert snowflake(text, "channel") == text


@pytest.mark.parametrize("text", ["0", "01", "-1", "1.0", "²", "١٢٣", "18446744073709551616", "1" * 21, "x"])
def test_what_is_no_snowflake_is_refused_naming_the_field(text: str) -> None:
    with pytest.raises(InvalidSnowflake, match="channel: "):
        snowflake(text, "channel")


# Emoji


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("👍", "%F0%9F%91%8D"),
        ("❤️", "%E2%9D%A4%EF%B8%8F"),
        ("1️⃣", "1%EF%B8%8F%E2%83%A3"),
        ("👩‍👩‍👧‍👦", None),
        ("🏴󠁧󠁢󠁥󠁮󠁧󠁿", None),
        ("flora:123456789012345678", "flora%3A123456789012345678"),
        ("a:flora:123456789012345678", "flora%3A123456789012345678"),
        ("<:flora:123456789012345678>", "flora%3A123456789012345678"),
        ("<a:flora:123456789012345678>", "flora%3A123456789012345678"),
        ("a:123456789012345678", "a%3A123456789012345678"),
    ],
)
def test_emoji_in_all_their_forms(text: str, encoded: str | None) -> None:
    assert emoji(text, "emoji") == encoded if encoded else unquote(emoji(text, "emoji")) == text


@pytest.mark.parametrize(
    "text", ["thumbsup", ":+1:", "1", "#", "flora:x", "flora:0", "f lora:1", "👍" * 33, "👍 "]
)
def test_what_cannot_be_an_emoji_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="is no emoji; give one as"):
        emoji(text, "emoji")


# Tokens


@pytest.mark.parametrize("text", ["aW50ZXJhY3Rpb246MTIz", "a-b_c.d", "abc==", "A" * 512])
def test_tokens_pass(text: str) -> None:
    assert unquote(token(text, "token")) == text


@pytest.mark.parametrize("text", ["A" * 513, "..", "...", "tokén"])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        token(text, "token")


# Queries and reasons


def test_a_query_is_encoded_and_joined_to_the_templates_own() -> None:
    target = FOLLOWUP.render({"token": "t"}, {"thread_id": "5", "with_components": True, "x": None})
    assert target == b"/api/v10/webhooks/42/t?wait=true&thread_id=5&with_components=true"


@given(
    st.dictionaries(st.sampled_from(["limit", "after"]), st.text(max_size=30) | st.integers() | st.booleans())
)
def test_no_query_value_becomes_another_parameter(query: dict[str, str | int | bool]) -> None:
    target = Target("/x/{channel}", prefix="", filled={}).render({"channel": "1"}, query).decode()
    found = dict(parse_qsl(urlsplit(target).query, keep_blank_values=True, strict_parsing=bool(query)))
    assert found.keys() == query.keys()
    assert "#" not in target
    assert urlsplit(target).path == "/x/1"


def test_a_query_value_has_a_limit() -> None:
    with pytest.raises(InvalidInput, match=r"query\.q: is longer"):
        FOLLOWUP.render({"token": "t"}, {"q": "x" * 257})


@given(st.text(min_size=1, max_size=60))
def test_a_reason_stays_in_its_header(text: str) -> None:
    try:
        line = audit_log_reason(text)
    except UnicodeEncodeError:  # lone surrogates cannot come: JSON with them is refused before
        assert any("\ud800" <= char <= "\udfff" for char in text)
        return
    name, _, value = line[:-2].partition(b": ")
    assert name == b"X-Audit-Log-Reason"
    assert line.endswith(b"\r\n")
    assert b"\r" not in value
    assert b"\n" not in value
    assert unquote(value.decode()) == text


@pytest.mark.parametrize("text", ["", "x" * (REASON_LIMIT + 1)])
def test_a_reason_has_discords_limits(text: str) -> None:
    with pytest.raises(InvalidInput, match="1 to 512 characters"):
        audit_log_reason(text)
