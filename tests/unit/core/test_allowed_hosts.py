"""Patterns of hosts that may see a secret."""

from __future__ import annotations

import pytest

from flora_core.allowed_hosts import AllowedHost, parse_allowed_host, parse_allowed_hosts
from flora_core.errors import InvalidInput


def test_patterns_are_read() -> None:
    assert parse_allowed_hosts(["api.example.com", "*.Example.com:8443", "http://localhost:8080/"]) == (
        AllowedHost("api.example.com"),
        AllowedHost("example.com", below=True, port=8443),
        AllowedHost("localhost", port=8080, scheme="http"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "*.com",
        "*.",
        "a..b",
        "a b",
        "a/b",
        "user@host",
        "ftp://a.b",
        "a.b:0",
        "a.b:99999",
        "münchen.de",
    ],
)
def test_what_is_no_pattern_is_named(text: str) -> None:
    with pytest.raises(InvalidInput, match="is no host that a secret may go to"):
        parse_allowed_host(text)
