"""The pure parts of logging in: PKCE, sealed records, tokens' form, addresses, other sites' requests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_api.auth import csrf, pkce, sealing
from flora_api.auth.discord import TheirGuild
from flora_api.auth.guard import manageable
from flora_api.auth.logins import local_path, with_query
from flora_api.auth.tokens import TokenParts, make_token, parse_token
from flora_api.edge.addresses import client_address, counted
from flora_api.edge.limits import LocalLimits, Rate, gcra
from flora_core.wire.standing import Standing

# ---- PKCE


def test_the_example_of_the_rfc() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # RFC 7636, appendix B
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert pkce.challenge_of(verifier) == challenge
    assert pkce.proves(verifier, challenge)


def test_a_verifier_of_ours_proves_its_challenge_and_no_other() -> None:
    one, other = pkce.make_verifier(), pkce.make_verifier()
    assert pkce.is_challenge(pkce.challenge_of(one))
    assert pkce.proves(one, pkce.challenge_of(one))
    assert not pkce.proves(one, pkce.challenge_of(other))


@given(st.text())
def test_whatever_is_shown_proves_nothing(text: str) -> None:
    assert not pkce.proves(text, pkce.challenge_of(pkce.make_verifier()))


# ---- sealing


@given(st.binary())
def test_what_is_sealed_is_found_by_its_secret_alone(record: bytes) -> None:
    secret, other = sealing.make_id(), sealing.make_id()
    sealed = sealing.seal(secret, "session", record)
    assert sealing.unseal(secret, "session", sealed) == record
    assert sealing.unseal(other, "session", sealed) is None
    assert sealing.unseal(secret, "login", sealed) is None
    assert sealing.unseal(secret, "session", sealed[:-1] + bytes([sealed[-1] ^ 1])) is None


@pytest.mark.parametrize("sealed", [b"", b"x", b"x" * 12, b"x" * 40])
def test_what_was_not_sealed_does_not_open(sealed: bytes) -> None:
    assert sealing.unseal(sealing.make_id(), "session", sealed) is None


def test_what_is_derived_of_a_secret_differs_by_purpose() -> None:
    secret = sealing.make_id()
    derived = {secret, sealing.csrf_of(secret), sealing.place_of(secret, "a"), sealing.place_of(secret, "b")}
    assert len(derived) == 4
    assert sealing.could_be_id(secret)


@given(st.text(max_size=60))
def test_what_is_no_id_is_recognised(text: str) -> None:
    assert not sealing.could_be_id(text) or len(text) == 43


# ---- tokens


def test_a_token_is_read_as_it_is_shown() -> None:
    token = make_token()
    assert parse_token(str(token)) == token
    assert str(token).startswith("flora_")
    assert len(str(token)) == 75
    assert token.secret not in repr(token)


@given(st.text())
def test_what_is_no_token_is_none(text: str) -> None:
    assert parse_token(text) is None


@pytest.mark.parametrize("change", ["{}x", " {}", "{}\n", "Flora{}"])
def test_nearly_a_token_is_none(change: str) -> None:
    assert parse_token(change.format(make_token())) is None


def test_the_hash_is_of_the_secret_alone() -> None:
    token = make_token()
    assert token.sha256 == TokenParts("other", token.secret).sha256
    assert len(token.sha256) == 32


# ---- where to go back to


@given(st.text())
def test_one_stays_on_this_host(text: str) -> None:
    path = local_path(text)
    assert path.startswith("/")
    assert not path.startswith(("//", "/\\"))
    assert path in {text, "/"}
    assert not set(path) & set("\r\n\\ ")


def test_a_query_is_added_to_what_there_is() -> None:
    assert with_query("http://h/p?a=1", b="2 &") == "http://h/p?a=1&b=2+%26"
    assert with_query("http://h", b="2") == "http://h?b=2"


# ---- other sites


def test_a_read_is_never_refused() -> None:
    for method in ("GET", "HEAD", "OPTIONS"):
        assert csrf.trouble(method, {"sec-fetch-site": "cross-site"}, expected="e", origin="http://o") is None


@pytest.mark.parametrize(
    ("headers", "ok"),
    [
        ({"x-flora-csrf": "e"}, True),
        ({"x-flora-csrf": "e", "origin": "HTTP://O"}, True),
        ({"x-flora-csrf": "e", "sec-fetch-site": "same-origin"}, True),
        ({"x-flora-csrf": "e", "origin": "http://o.evil"}, False),
        ({"x-flora-csrf": "e", "sec-fetch-site": "cross-site"}, False),
        ({"x-flora-csrf": "f"}, False),
        ({}, False),
    ],
)
def test_a_change_takes_the_value_and_no_other_site(headers: dict[str, str], ok: bool) -> None:
    assert (csrf.trouble("POST", headers, expected="e", origin="http://o") is None) is ok


# ---- addresses


@pytest.mark.parametrize(
    ("forwarded", "trusted", "address"),
    [
        ([], 0, "9.9.9.9"),
        (["1.1.1.1"], 0, "9.9.9.9"),
        (["1.1.1.1"], 1, "1.1.1.1"),
        (["6.6.6.6, 1.1.1.1"], 1, "1.1.1.1"),
        (["6.6.6.6, 1.1.1.1, 2.2.2.2"], 2, "1.1.1.1"),
        (["6.6.6.6", "1.1.1.1", "2.2.2.2"], 2, "1.1.1.1"),
        (["1.1.1.1"], 2, "1.1.1.1"),
        (["nonsense"], 1, "9.9.9.9"),
        ([""], 1, "9.9.9.9"),
    ],
)
def test_a_client_is_who_called_the_outermost_proxy_of_ours(
    forwarded: list[str], trusted: int, address: str
) -> None:
    assert client_address("9.9.9.9", forwarded, trusted=trusted) == address


@given(st.lists(st.text(max_size=40), max_size=4), st.integers(0, 3))
def test_whatever_is_written_there_an_address_comes_of_it(forwarded: list[str], trusted: int) -> None:
    assert client_address("9.9.9.9", forwarded, trusted=trusted)


@pytest.mark.parametrize(
    ("address", "by"),
    [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("[2001:db8:1:2::1]", "2001:db8:1:2::"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("", "unknown"),
        ("unix:", "unknown"),
    ],
)
def test_what_addresses_count_by(address: str, by: str) -> None:
    assert counted(address) == by


# ---- rates


@given(st.integers(1, 2000), st.lists(st.floats(0, 3), max_size=100))
def test_never_more_than_the_rate_and_a_burst(per_minute: int, pauses: list[float]) -> None:
    rate, now, until, passed = Rate("r", per_minute), 1000.0, 0.0, 0
    for pause in pauses:
        now += pause
        until, wait = gcra(until, now, rate)
        passed += wait == 0
    assert passed <= rate.burst + (now - 1000) / rate.interval + 1


@given(st.integers(1, 2000))
def test_a_burst_passes_and_then_what_is_told_is_true(per_minute: int) -> None:
    rate, now, until = Rate("r", per_minute), 5.0, 0.0
    for _ in range(rate.burst):
        until, wait = gcra(until, now, rate)
        assert wait == 0
    until, wait = gcra(until, now, rate)
    assert wait > 0
    assert gcra(until, now + wait, rate)[1] == 0


async def test_looking_counts_nothing() -> None:
    limits, rate = LocalLimits(clock=lambda: 1.0), Rate("r", 5)
    for _ in range(3):
        assert await limits.look(rate, "a") == 0
    assert await limits.take(rate, "a") == 0
    assert await limits.look(rate, "a") > 0
    assert await limits.look(rate, "b") == 0


# ---- guilds


@pytest.mark.parametrize(
    ("standing", "manages"),
    [
        (Standing("1", "g"), False),
        (Standing("1", "g", member=True, permissions="8"), True),
        (Standing("1", "g", member=True, permissions="32"), True),
        (Standing("1", "g", member=True, permissions=str(1 << 40)), False),
        (Standing("1", "g", member=True, owner=True), True),
    ],
)
def test_who_manages(standing: Standing, manages: bool) -> None:
    assert standing.manages is manages


def test_of_what_discord_says_only_numbers_count() -> None:
    guilds = [
        TheirGuild("1", permissions="8"),
        TheirGuild("2", permissions="-8"),
        TheirGuild("x", owner=True),
        TheirGuild("4", owner=True, permissions=""),
        TheirGuild("5", permissions="1024"),
    ]
    assert manageable(guilds) == ["1", "4"]
