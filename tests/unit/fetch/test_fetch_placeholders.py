"""Secrets in requests and answers."""

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_core.wire.control import SECRET_PREFIX, Secret
from flora_runtime.fetch.errors import FetchRefused
from flora_runtime.fetch.placeholders import Exchange, GuildSecrets
from flora_runtime.fetch.target import Target, parse_target

MARK = SECRET_PREFIX + "0123456789abcdef" * 2
API = parse_target("https://api.example.com/")
ELSEWHERE = parse_target("https://example.org/")


def exchange(value: str | None = "s3cret&value", *hosts: str) -> Exchange:
    return Exchange(GuildSecrets([Secret("KEY", MARK, value, list(hosts or ["api.example.com"]))]))


def at(path: str) -> Target:
    return parse_target(f"https://api.example.com{path}")


@pytest.mark.parity(81)
def test_url_and_headers_get_the_value() -> None:
    out = exchange()
    assert out.fill_target(at(f"/{MARK}/x?key={MARK}")).path == "/s3cret%26value/x?key=s3cret%26value"
    assert out.fill_headers([("X-Key", f"a {MARK} b")], API) == [("X-Key", "a s3cret&value b")]


def test_what_has_no_placeholder_stays_as_it_is() -> None:
    headers = [("Authorization", "Basic ???"), ("X", SECRET_PREFIX), ("Y", "Basic dXNlcg==")]
    assert exchange().fill_headers(headers, ELSEWHERE) == headers
    assert exchange().fill_body(b"\xff\x00", ELSEWHERE, content_type="") == b"\xff\x00"


def test_a_basic_authorization_gets_the_value_inside() -> None:
    given_ = base64.b64encode(f"user:{MARK}".encode()).decode()
    ((_, value),) = exchange("pä").fill_headers([("authorization", f"Basic {given_}")], API)
    assert base64.b64decode(value.removeprefix("Basic ")) == "user:pä".encode()


BODIES = {
    "application/json": lambda body: json.loads(body)["key"],
    "application/problem+json; charset=utf-8": lambda body: json.loads(body)["key"],
    "application/x-www-form-urlencoded": lambda body: parse_qs(body.decode())["key"][0],
    "text/plain": lambda body: body.decode(),
}


@pytest.mark.parametrize("content_type", BODIES)
@given(value=st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable()))
def test_a_body_gets_the_value_as_its_type_wants_it(content_type: str, value: str) -> None:
    templates = {"json": f'{{"key":"{MARK}"}}', "form": f"key={MARK}", "text": MARK}
    kind = next((kind for kind in templates if kind in content_type), "form")
    filled = exchange(value).fill_body(templates[kind].encode(), API, content_type=content_type)
    assert BODIES[content_type](filled) == value


@given(
    value=st.text(min_size=1, max_size=20).filter(lambda text: "\ud800" not in text and text.isprintable())
)
def test_a_url_carries_any_value_whole(value: str) -> None:
    target = exchange(value).fill_target(at(f"/a?key={MARK}"))
    assert unquote(urlsplit(target.url).query.removeprefix("key=")) == value


# ------------------------------------------------------------------------------------------------- hosts


def refusal(out: Exchange, target: Target) -> str:
    with pytest.raises(FetchRefused) as caught:
        out.fill_headers([("X", MARK)], target)
    assert caught.value.code == "FETCH_SECRET_FORBIDDEN"
    assert "s3cret" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parity(81)
@pytest.mark.parametrize(
    ("hosts", "url", "allowed"),
    [
        ("api.example.com", "https://api.example.com/", True),
        ("api.example.com", "https://api.example.com:8443/", True),
        ("api.example.com", "https://api.example.com./", True),
        ("API.example.com", "https://api.example.com/", True),
        ("api.example.com", "http://api.example.com/", False),
        ("api.example.com", "https://example.com/", False),
        ("api.example.com", "https://x.api.example.com/", False),
        ("api.example.com", "https://api.example.com.evil.org/", False),
        ("*.example.com", "https://api.example.com/", True),
        ("*.example.com", "https://a.b.example.com/", True),
        ("*.example.com", "https://example.com/", True),
        ("*.example.com", "https://evilexample.com/", False),
        ("api.example.com:443", "https://api.example.com/", True),
        ("api.example.com:443", "https://api.example.com:8443/", False),
        ("https://api.example.com/", "https://api.example.com/", True),
        ("http://localhost:8080", "http://localhost:8080/", True),
        ("http://localhost:8080", "https://localhost:8080/", False),
        ("[2606:4700::1]", "https://[2606:4700::1]/", True),
    ],
)
def test_a_value_goes_to_its_hosts_alone(hosts: str, url: str, allowed: bool) -> None:
    out = exchange("s3cret-value", hosts)
    if allowed:
        assert out.fill_headers([("X", MARK)], parse_target(url)) == [("X", "s3cret-value")]
    else:
        refusal(out, parse_target(url))


def test_a_refusal_says_what_to_do() -> None:
    assert "give it allowed hosts" in refusal(
        Exchange(GuildSecrets([Secret("KEY", MARK, "s3cret", [])])), API
    )
    assert "none of its allowed hosts" in refusal(exchange("s3cret"), ELSEWHERE)
    assert "https only" in refusal(exchange("s3cret"), parse_target("http://api.example.com/"))
    assert "not known here now" in refusal(exchange(None), API)
    assert "deploy again" in refusal(Exchange(GuildSecrets()), API)


def test_a_value_with_a_line_end_is_kept_out_of_headers() -> None:
    with pytest.raises(FetchRefused, match="characters no header may have"):
        exchange("a\r\nX-Evil: 1").fill_headers([("X", MARK)], API)


# ------------------------------------------------------------------------------------------------- the way back


def test_what_the_server_repeats_becomes_a_placeholder_again() -> None:
    out = exchange()
    out.fill_target(at(f"/?k={MARK}"))
    assert out.take_back("is s3cret&value, or s3cret%26value") == f"is {MARK}, or {MARK}"
    assert out.take_back_bytes(b"\xffs3cret&value") == b"\xff" + MARK.encode()


def test_values_that_did_not_go_out_and_short_ones_are_left_alone() -> None:
    assert exchange().take_back("s3cret&value") == "s3cret&value"
    out = exchange("abc")
    out.fill_headers([("X", MARK)], API)
    assert out.take_back("abc") == "abc"


def test_a_redirect_may_not_carry_the_value_to_another_host() -> None:
    out = exchange()
    out.fill_headers([("X", MARK)], API)
    out.check_redirect(at("/?k=s3cret%26value"))
    out.check_redirect(parse_target("https://example.org/?k=other"))
    with pytest.raises(FetchRefused, match="redirects with a secret"):
        out.check_redirect(parse_target("https://example.org/?k=s3cret%26value"))


def test_nobody_reads_a_value_off_a_repr() -> None:
    secret = Secret("KEY", MARK, "s3cret", ["a.example"])
    assert "s3cret" not in f"{secret!r} {secret} {[secret]} {secret.__rich_repr__()}"
    assert "KEY" in repr(secret)
