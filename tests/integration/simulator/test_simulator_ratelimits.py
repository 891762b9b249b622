"""Rate limits on a clock that only moves when told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_simulator.ratelimits import LIMITS, InvalidRequests, RateLimits, Verdict, refusal
from flora_simulator.simcord_port import routes

SEND = ("POST", "/channels/{channel_id}/messages")
CALLBACK = ("POST", "/interactions/{interaction_id}/{token}/callback")


class Clock:
    def __init__(self) -> None:
        self.time = 1_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits(clock: Clock) -> RateLimits:
    return RateLimits(enabled=True, factor=1.0, now=clock)


def send(limits: RateLimits, channel: str = "1") -> Verdict:
    return limits.take(*SEND, {"channel_id": channel})


def allowed(limits: RateLimits, calls: int, channel: str = "1") -> int:
    return sum(send(limits, channel).retry_after is None for _ in range(calls))


def test_every_limit_names_a_route_that_exists() -> None:
    known = {(route.method, route.template) for route in routes()}
    assert set(LIMITS) <= known


def test_a_window_opens_with_its_first_call_and_holds_five(limits: RateLimits, clock: Clock) -> None:
    assert allowed(limits, 7) == 5
    clock.time += 4.9
    assert allowed(limits, 1) == 0
    clock.time += 0.2
    assert allowed(limits, 7) == 5


def test_the_headers_count_down_and_say_when_it_starts_again(limits: RateLimits, clock: Clock) -> None:
    first = send(limits).headers
    clock.time += 2
    second = send(limits).headers
    assert (first["X-RateLimit-Remaining"], second["X-RateLimit-Remaining"]) == ("4", "3")
    assert (first["X-RateLimit-Reset"], second["X-RateLimit-Reset"]) == ("1005.000", "1005.000")
    assert (first["X-RateLimit-Reset-After"], second["X-RateLimit-Reset-After"]) == ("5.000", "3.000")
    assert len(first["X-RateLimit-Bucket"]) == 32


def test_a_refusal_tells_how_long_to_wait(limits: RateLimits, clock: Clock) -> None:
    allowed(limits, 5)
    clock.time += 1.5
    verdict = send(limits)
    assert verdict.retry_after == pytest.approx(3.5)
    assert verdict.headers["Retry-After"] == "4"
    assert verdict.body() == {
        "message": "You are being rate limited.",
        "retry_after": 3.5,
        "global": False,
    }


def test_channels_do_not_share_a_window(limits: RateLimits) -> None:
    assert allowed(limits, 6, channel="1") == 5
    assert allowed(limits, 6, channel="2") == 5


def test_webhooks_have_a_window_for_each_token(limits: RateLimits) -> None:
    execute = ("POST", "/webhooks/{webhook_id}/{token}")
    for token in ("a", "b"):
        passed = [limits.take(*execute, {"webhook_id": "1", "token": token}) for _ in range(6)]
        assert [verdict.retry_after is None for verdict in passed] == [True] * 5 + [False]


def test_adding_and_removing_reactions_share_a_bucket(limits: RateLimits) -> None:
    path = "/channels/{channel_id}/messages/{message_id}/reactions/{emoji}/@me"
    args = {"channel_id": "1", "message_id": "2", "emoji": "x"}
    assert limits.take("PUT", path, args).retry_after is None
    assert limits.take("DELETE", path, args).retry_after is not None


def test_routes_without_a_known_limit_have_buckets_of_their_own(limits: RateLimits) -> None:
    one = limits.take("GET", "/guilds/{guild_id}", {"guild_id": "1"}).headers
    two = limits.take("GET", "/guilds/{guild_id}/roles", {"guild_id": "1"}).headers
    assert one["X-RateLimit-Bucket"] != two["X-RateLimit-Bucket"]
    assert one["X-RateLimit-Limit"] == "50"


def test_fifty_a_second_for_the_whole_bot(limits: RateLimits, clock: Clock) -> None:
    verdicts = [send(limits, channel=str(number)) for number in range(51)]
    assert [verdict.retry_after is None for verdict in verdicts] == [True] * 50 + [False]
    assert verdicts[-1].scope == "global"
    assert verdicts[-1].body()["global"] is True
    clock.time += 1
    assert send(limits, channel="new").retry_after is None


def test_tokenised_routes_do_not_count_against_the_bot(limits: RateLimits) -> None:
    edit = ("PATCH", "/webhooks/{webhook_id}/{token}/messages/@original")
    for number in range(60):
        assert limits.take(*edit, {"webhook_id": "1", "token": str(number)}).retry_after is None
    assert send(limits).retry_after is None


def test_callbacks_are_never_limited_and_carry_no_headers(limits: RateLimits) -> None:
    verdicts = [limits.take(*CALLBACK, {"interaction_id": "1", "token": "x"}) for _ in range(100)]
    assert all(verdict == Verdict({}) for verdict in verdicts)


def test_a_factor_stretches_every_limit_but_none_to_nothing(clock: Clock) -> None:
    assert allowed(RateLimits(enabled=True, factor=2.0, now=clock), 20) == 10
    assert allowed(RateLimits(enabled=True, factor=0.001, now=clock), 20) == 1


def test_switched_off_there_is_no_limit(clock: Clock) -> None:
    limits = RateLimits(enabled=False, factor=1.0, now=clock)
    assert allowed(limits, 1000) == 1000
    assert send(limits).headers == {}


def test_old_windows_are_swept(limits: RateLimits, clock: Clock) -> None:
    for number in range(10_100):
        clock.time += 0.1
        send(limits, channel=str(number))
    assert len(limits._buckets) < 10_100


@given(st.lists(st.floats(0, 3), max_size=60))
def test_no_five_seconds_from_an_opening_see_more_than_five(pauses: list[float]) -> None:
    clock = Clock()
    limits = RateLimits(enabled=True, factor=1.0, now=clock)
    windows: dict[str, int] = {}
    for pause in pauses:
        clock.time += pause
        verdict = send(limits)
        if verdict.retry_after is None:
            reset = verdict.headers["X-RateLimit-Reset"]
            windows[reset] = windows.get(reset, 0) + 1
        else:
            assert 0 < verdict.retry_after <= 5
    assert all(calls <= 5 for calls in windows.values())


@pytest.mark.parametrize(("wait", "header"), [(0.01, "1"), (1.0, "1"), (1.2, "2"), (60.0, "60")])
def test_retry_after_is_whole_seconds_rounded_up(wait: float, header: str) -> None:
    headers, body = refusal(wait, scope="user")
    assert headers["Retry-After"] == header
    assert body["retry_after"] == wait
    assert "X-RateLimit-Global" not in headers


# -------------------------------------------------------- invalid requests


def test_only_401_403_and_429_are_invalid(clock: Clock) -> None:
    invalid = InvalidRequests(100, now=clock)
    for status in (200, 400, 401, 403, 404, 429, 500):
        invalid.count(status)
    invalid.count(429, scope="shared")
    assert (invalid.recent, invalid.total) == (3, 3)


def test_they_are_forgotten_after_ten_minutes(clock: Clock) -> None:
    invalid = InvalidRequests(100, now=clock)
    invalid.count(403)
    clock.time += 599
    invalid.count(403)
    assert invalid.recent == 2
    clock.time += 2
    assert (invalid.recent, invalid.total) == (1, 2)


def test_too_many_ban_for_an_hour(clock: Clock) -> None:
    invalid = InvalidRequests(3, now=clock)
    for _ in range(2):
        invalid.count(403)
    assert not invalid.banned
    invalid.count(429)
    assert invalid.banned
    clock.time += 3_599
    assert invalid.banned
    clock.time += 2
    assert not invalid.banned
