"""What scripts get back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_gateway.rest import answers
from flora_gateway.rest.calls import Refused, Why
from flora_gateway.rest.route_table import ROUTES
from flora_gateway.rest.transport import ConnectFailed, RequestTimedOut, Response


def http_error(status: int, body: Any, **more: Any) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return answers.of_verdict(Response(status, {}, raw), "sendMessage", **more)


# Success


def test_discords_answer_goes_back_as_it_came() -> None:
    raw = b'{"id":"1", "content":"h\xc3\xa9"}'
    assert answers.in_one_line(Response(200, {}, raw)) == raw


def test_no_content_is_null() -> None:
    assert answers.in_one_line(Response(204, {}, b"")) == b"null"


def test_newlines_are_taken_out() -> None:
    assert answers.in_one_line(Response(200, {}, b'{\n  "id": "1"\n}\n')) == b'{"id":"1"}'


@pytest.mark.parametrize(
    "body", [b"<html>", b'{"id":', b'{"a":1}{"k":"beat"}', b'"a\nb"', b'"\xff"', b'{"a":1}\n{"k":"beat"}']
)
def test_what_is_not_json_does_not_go_back(body: bytes) -> None:
    assert answers.in_one_line(Response(200, {}, body)) is None


@given(st.binary(max_size=60) | st.text(max_size=30).map(lambda text: json.dumps(text, indent=1).encode()))
def test_what_goes_back_is_always_one_line_of_json(body: bytes) -> None:
    line = answers.in_one_line(Response(200, {}, body))
    if line is not None:
        json.loads(line)
        assert b"\n" not in line
        line.decode()


# Discord's errors


def test_an_http_error_says_status_code_text_and_route() -> None:
    error = http_error(403, {"message": "Missing Permissions", "code": 50013})
    assert error.code == "DISCORD_HTTP_ERROR"
    assert error.message == "Discord HTTP error (403): Missing Permissions (route: sendMessage)"
    assert (error.status, error.discord_code) == (403, 50013)


def test_the_fields_that_discord_complains_about_are_named() -> None:
    nested = {"embeds": {"0": {"title": {"_errors": [{"code": "X", "message": "Must be 256 or fewer."}]}}}}
    error = http_error(400, {"message": "Invalid Form Body", "code": 50035, "errors": nested})
    assert "Invalid Form Body: embeds.0.title: Must be 256 or fewer." in error.message


def test_a_long_list_of_complaints_is_cut() -> None:
    many = {str(n): {"_errors": [{"message": "x" * 300}]} for n in range(100)}
    assert len(http_error(400, {"message": "y" * 5000, "errors": many}).message) < 1500


@pytest.mark.parametrize(
    "body",
    [
        b"<html>502 Bad Gateway</html>",
        b"",
        b"[]",
        b'{"message":5}',
        b'{"errors":[1]}',
        b'{"errors":{"_errors":[5,{"x":1}],"a":null}}',
        b"[" * 5000,
        b'{"errors":' + b'{"a":' * 800 + b"1" + b"}" * 801,
    ],
)
def test_an_error_body_of_any_shape_is_coped_with(body: bytes) -> None:
    error = http_error(502, body)
    assert error.message.startswith("Discord HTTP error (502): ")
    assert "html" not in error.message


def test_a_refusal_says_when_to_try_again() -> None:
    body = json.dumps({"message": "You are being rate limited.", "retry_after": 1.23456}).encode()
    error = answers.of_verdict(Response(429, {}, body), "sendMessage")
    assert error.code == "DISCORD_RATE_LIMITED"
    assert error.message == "Discord rate limited for sendMessage"
    assert (error.status, error.retry_after) == (429, 1.235)


def test_tokens_are_blotted_out_of_what_discord_says() -> None:
    error = http_error(400, {"message": "bad webhook 42/tok-en and SECRET"}, secrets=("SECRET", "tok-en", ""))
    assert "SECRET" not in error.message
    assert "tok-en" not in error.message
    assert "bad webhook 42/… and …" in error.message


# No answer


@pytest.mark.parametrize("error", [ConnectFailed("no connection to x"), RequestTimedOut("not in time")])
def test_a_call_without_an_answer_has_status_0(error: Any) -> None:
    found = answers.of_verdict(error, "sendMessage")
    assert found.code == "DISCORD_HTTP_ERROR"
    assert found.status == 0
    assert found.message == f"Discord HTTP error (0): {error} (route: sendMessage)"


@pytest.mark.parametrize("why", [why for why in Why if why is not Why.CLOSED])
def test_a_call_that_was_not_made_is_rate_limited_and_says_why(why: Why) -> None:
    error = answers.of_verdict(Refused(why, 2.5), "sendMessage")
    assert error.code == "DISCORD_RATE_LIMITED"
    assert error.message.startswith("Discord rate limited for sendMessage: ")
    assert error.message.endswith("(try again in 2.5 s)")
    assert error.retry_after == 2.5


# Before any call


def test_an_unknown_op_lists_the_names_that_are_near() -> None:
    error = answers.unknown_op("sendMesage", ROUTES)
    assert error.code == "INVALID_INPUT"
    assert "'sendMesage'" in error.message
    assert "did you mean sendMessage" in error.message


def test_an_op_like_no_other_gets_no_advice() -> None:
    error = answers.unknown_op("q" * 1000, ROUTES)
    assert "did you mean" not in error.message
    assert len(error.message) < 250


def test_reaching_outside_the_guild_says_what_was_outside() -> None:
    error = answers.forbidden("channel")
    assert (error.code, error.message) == ("SCOPE_FORBIDDEN", "Forbidden: channel is outside runtime scope")


def test_an_interaction_that_is_over_has_discords_own_code() -> None:
    error = answers.expired("openModal")
    assert (error.code, error.status, error.discord_code) == ("DISCORD_HTTP_ERROR", 0, 10062)
