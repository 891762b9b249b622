"""URLs as they are dialled."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_runtime.fetch.errors import FetchRefused
from flora_runtime.fetch.target import BAD_PORTS, Target, parse_target, redirected


def refusal(url: str) -> str:
    with pytest.raises(FetchRefused) as caught:
        parse_target(url)
    return caught.value.code


def test_a_url_in_its_plain_form_is_read() -> None:
    assert parse_target("https://example.com/a/b?c=d%20e") == Target(
        "https", "example.com", 443, "/a/b?c=d%20e"
    )
    assert parse_target("http://[2606:4700::1]:8080/") == Target("http", "2606:4700::1", 8080, "/")
    assert parse_target("https://example.com").path == "/"
    assert parse_target("https://example.com/a#fragment").path == "/a"


ODD = {
    "hexadecimal": "http://0x7f000001/",
    "short": "http://127.1/",
    "one number": "http://2130706433/",
    "octal": "http://0177.0.0.1/",
    "mixed": "http://0x7f.0.0.1/",
    "a dot behind a number": "http://127.0.0.1./",
    "more than a byte": "http://127.0.0.256/",
    "a name that ends in a number": "http://example.1/",
    "upper case": "http://EXAMPLE.com/",
    "percent-encoded": "http://%6cocalhost/",
    "a homoglyph": "http://1۰.0.0.1/",
    "full-width dots": "http://127。0。0。1/",
    "a user": "http://user@example.com/",
    "a user that looks like a host": "http://example.com@127.0.0.1/",
    "a zone": "http://[fe80::1%25eth0]/",
    "a broken IPv6 address": "http://[1::2::3]/",
    "an IPv4 address in brackets": "http://[127.0.0.1]/",
    "a backslash": "http://example.com\\@127.0.0.1/",
    "a space": "http://example.com /",
    "a line end": "http://example.com/\r\nHost: x",
    "an empty label": "http://a..b/",
    "a dash in front": "http://-a.com/",
    "no host": "http:///path",
    "a quote": 'http://example.com/"',
    "letters beyond ASCII in the path": "http://example.com/ä",
    "another scheme": "ftp://example.com/",
    "a file": "file:///etc/passwd",
    "port 0": "http://example.com:0/",
    "a port too high": "http://example.com:65536/",
    "too long": "http://example.com/" + "a" * 9000,
}


@pytest.mark.parametrize("url", ODD.values(), ids=ODD.keys())
def test_what_is_not_plain_is_refused(url: str) -> None:
    assert refusal(url) in ("FETCH_FAILED", "FETCH_FORBIDDEN_ADDRESS")


@pytest.mark.parametrize("port", [22, 25, 53, 6000, 6667, 10080])
def test_ports_of_other_services_are_closed(port: int) -> None:
    assert port in BAD_PORTS
    assert refusal(f"https://example.com:{port}/") == "FETCH_FORBIDDEN_ADDRESS"


@given(st.text(max_size=60))
def test_any_text_is_read_as_the_standard_library_reads_it_or_refused(text: str) -> None:
    for url in (text, f"http://{text}", f"https://{text}/", f"https://example.com/{text}"):
        try:
            target = parse_target(url)
        except FetchRefused:
            continue
        parts = urlsplit(url)
        assert (parts.scheme, parts.hostname, parts.username) == (target.scheme, target.host, None)
        assert parts.port in (None, target.port)


@given(st.integers(0, 2**32 - 1).map(IPv4Address), st.integers(0, 2**128 - 1).map(IPv6Address))
def test_addresses_are_read_as_they_are(four: IPv4Address, six: IPv6Address) -> None:
    assert parse_target(f"http://{four}/").host == str(four)
    assert IPv6Address(parse_target(f"http://[{six}]/").host) == six


HOME = Target("https", "example.com", 443, "/a/b?q=1")
LOCATIONS = {
    "/c": "https://example.com/c",
    "c": "https://example.com/a/c",
    "?x=y z".replace(" ", "+"): "https://example.com/a/b?x=y+z",
    "//other.org/x": "https://other.org/x",
    "http://EXAMPLE.com:8080/": "http://example.com:8080/",
    "https://other.org": "https://other.org/",
    "/ä?ü": "https://example.com/%C3%A4?%C3%BC",
    "../../c": "https://example.com/c",
    "#there": "https://example.com/a/b?q=1",
}


@pytest.mark.parametrize(("location", "url"), LOCATIONS.items())
def test_a_redirect_leads_where_browsers_go(location: str, url: str) -> None:
    assert redirected(HOME, location).url == url


@pytest.mark.parametrize(
    "location",
    [
        "http://127.1/",
        "http://0x7f.1/",
        "http://[::1",
        "javascript:x",
        "https:\\\\evil",
        "http://a b/",
        "http://exämple.com/",
    ],
)
def test_a_redirect_to_something_odd_is_refused(location: str) -> None:
    with pytest.raises(FetchRefused):
        redirected(HOME, location)


@given(st.text(max_size=40))
def test_no_location_breaks_anything(location: str) -> None:
    try:
        target = redirected(HOME, location)
    except FetchRefused:
        return
    assert parse_target(target.url) == target
