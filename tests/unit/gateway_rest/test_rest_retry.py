"""What is made again after which failure."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from limiter_world import make_call

from flora_gateway.rest.calls import Call
from flora_gateway.rest.plans import always, with_nonce
from flora_gateway.rest.retry import (
    LONGEST_PAUSE,
    MOST_ATTEMPTS,
    MOST_REFUSALS,
    UNKNOWN_WAIT,
    Again,
    RateLimited,
    Reason,
    again,
    read_rate_limited,
)
from flora_gateway.rest.transport import (
    ConnectFailed,
    ConnectionLost,
    MalformedResponse,
    PoolExhausted,
    RequestTimedOut,
    Response,
    ResponseTooLarge,
)

NONCED = b'{"content":"x","nonce":"abc","enforce_nonce":true}'


def call(*, repeatable: object = always, attempts: int = 1, body: bytes | None = None) -> Call:
    made = make_call(repeatable=repeatable, attempts=attempts)
    made.body = body
    return made


def refused(after: float = 1.0, *, headers: dict[bytes, bytes] | None = None, **more: object) -> Response:
    return Response(429, headers or {}, msgspec.json.encode({"message": "x", "retry_after": after, **more}))


def reason(outcome: object, **more: object) -> Reason | None:
    found = again(call(**more), outcome, left=30.0, jitter=lambda: 0.5)  # type: ignore[arg-type]
    return found.reason if found else None


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520, 529])
@pytest.mark.parity(44)
def test_a_server_error_is_repeated_when_the_call_may_be(status: int) -> None:
    assert reason(Response(status, {}, b"")) is Reason.SERVER_ERROR
    assert reason(Response(status, {}, b""), repeatable=None) is None


@pytest.mark.parametrize("status", [200, 204, 301, 400, 401, 403, 404])
def test_other_answers_are_final(status: int) -> None:
    assert reason(Response(status, {}, b"")) is None


@pytest.mark.parametrize("error", [ConnectionLost, RequestTimedOut, MalformedResponse, ResponseTooLarge])
def test_what_may_have_been_carried_out_is_only_repeated_when_that_does_no_harm(error: type) -> None:
    assert reason(error("x")) is Reason.CONNECTION
    assert reason(error("x"), repeatable=None) is None


@pytest.mark.parametrize("error", [ConnectFailed, PoolExhausted])
def test_what_was_never_sent_is_repeated_whatever_it_is(error: type) -> None:
    assert reason(error("x"), repeatable=None) is Reason.CONNECTION


def test_a_message_is_repeated_when_discord_will_know_the_copy() -> None:
    assert reason(ConnectionLost("x"), repeatable=with_nonce, body=NONCED) is Reason.CONNECTION
    assert reason(ConnectionLost("x"), repeatable=with_nonce, body=b'{"content":"x"}') is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"nonce":"abc"}',
        b'{"enforce_nonce":true}',
        b'{"nonce":"abc","enforce_nonce":false}',
        b'{"nonce":"","enforce_nonce":true}',
        b'{"nonce":null,"enforce_nonce":true}',
        b'{"nonce":"abc","enforce_nonce":"true"}',
        b'{"embeds":[{"nonce":"abc","enforce_nonce":true}]}',
        b'{"content":"\\"nonce\\":\\"abc\\",\\"enforce_nonce\\":true"}',
        b"[]",
        b"not json",
        b'{"x":' + b"[" * 100_000,
        None,
    ],
)
def test_a_message_without_an_enforced_nonce_is_not_repeatable(body: bytes | None) -> None:
    assert not with_nonce(body)


def test_a_number_is_a_nonce_too() -> None:
    assert with_nonce(b'{"nonce":12,"enforce_nonce":true}')


def test_a_refusal_is_repeated_whatever_it_is_since_nothing_was_carried_out() -> None:
    assert again(call(repeatable=None), refused(1.0), left=30.0) == Again(0.0, Reason.RATE_LIMITED)


def test_a_refusal_that_lasts_longer_than_the_call_may_is_final() -> None:
    assert again(call(), refused(30.0), left=10.0) is None


@pytest.mark.parametrize(
    ("outcome", "most"), [(Response(500, {}, b""), MOST_ATTEMPTS), (refused(), MOST_REFUSALS)]
)
@pytest.mark.parity(44)
def test_attempts_are_bounded(outcome: Response, most: int) -> None:
    assert again(call(attempts=most - 1), outcome, left=30.0) is not None
    assert again(call(attempts=most), outcome, left=30.0) is None


def test_no_repeat_is_planned_past_the_deadline() -> None:
    assert again(call(), Response(500, {}, b""), left=0.1, jitter=lambda: 1.0) is None


@given(attempts=st.integers(1, 2), dice=st.floats(0, 1))
@pytest.mark.parity(44)
def test_pauses_are_jittered_and_bounded(attempts: int, dice: float) -> None:
    found = again(call(attempts=attempts), Response(500, {}, b""), left=30.0, jitter=lambda: dice)
    assert found is not None
    assert 0 <= found.delay <= min(0.25 * 2 ** (attempts - 1), LONGEST_PAUSE)


# What a 429 says


def test_an_ordinary_refusal_concerns_its_bucket() -> None:
    assert read_rate_limited(refused(1.5)) == RateLimited(1.5, "user")


def test_a_shared_refusal_is_nobodys_fault() -> None:
    assert read_rate_limited(refused(headers={b"x-ratelimit-scope": b"shared"})).scope == "shared"


@pytest.mark.parametrize(
    "response", [refused(**{"global": True}), refused(headers={b"x-ratelimit-global": b"true"})]
)
def test_a_global_refusal_is_told_by_body_or_header(response: Response) -> None:
    assert read_rate_limited(response).scope == "global"


@pytest.mark.parametrize(
    ("headers", "after"),
    [({b"retry-after": b"120"}, 120.0), ({}, UNKNOWN_WAIT), ({b"retry-after": b"soon"}, UNKNOWN_WAIT)],
)
def test_a_refusal_that_is_not_the_apis_concerns_the_whole_address(
    headers: dict[bytes, bytes], after: float
) -> None:
    page = Response(429, headers, b"<html>error code: 1015</html>")
    assert read_rate_limited(page) == RateLimited(after, "address")
