"""URL and URLSearchParams."""

from __future__ import annotations

import json
from typing import Any

import pytest
from harness import GuildUnderTest
from url_cases import CASES


@pytest.mark.parametrize(("text", "base", "href"), CASES)
def test_parsing(page: GuildUnderTest, text: str, base: str | None, href: str | None) -> None:
    given = json.dumps([text] if base is None else [text, base])
    assert page.value(f"URL.parse(...{given})?.href ?? null") == href
    assert page.value(f"URL.canParse(...{given})") is (href is not None)


def test_parsing_again_changes_nothing(page: GuildUnderTest) -> None:
    hrefs = [href for _, _, href in CASES if href is not None]
    assert page.value(f"{json.dumps(hrefs)}.map((href) => new URL(href).href)") == hrefs


def test_all_parts(page: GuildUnderTest) -> None:
    parts = [
        "href",
        "origin",
        "protocol",
        "username",
        "password",
        "host",
        "hostname",
        "port",
        "pathname",
        "search",
        "hash",
    ]
    url = "HTTPS://Ada:s%20e@Example.com:8443/a/./b?q=1#top"
    assert page.value(f"((u) => {json.dumps(parts)}.map((part) => u[part]))(new URL('{url}'))") == [
        "https://Ada:s%20e@example.com:8443/a/b?q=1#top",
        "https://example.com:8443",
        "https:",
        "Ada",
        "s%20e",
        "example.com:8443",
        "example.com",
        "8443",
        "/a/b",
        "?q=1",
        "#top",
    ]


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://a:80/x", "http://a"),
        ("wss://a:1/", "wss://a:1"),
        ("file:///a", "null"),
        ("foo://a/", "null"),
        ("blob:https://a/b", "https://a"),
        ("blob:ftp://a/b", "null"),
        ("data:x", "null"),
    ],
)
def test_origins(page: GuildUnderTest, url: str, origin: str) -> None:
    assert page.value(f"new URL('{url}').origin") == origin


@pytest.mark.parametrize(
    ("url", "part", "value", "href"),
    [
        ("http://a/", "href", "https://b/c", "https://b/c"),
        ("http://a/", "protocol", "https", "https://a/"),
        ("http://a:443/", "protocol", "https:x", "https://a/"),
        ("http://a/", "protocol", "foo", "http://a/"),
        ("foo://a/", "protocol", "http", "foo://a/"),
        ("http://u@a/", "protocol", "file", "http://u@a/"),
        ("http://a/", "protocol", "1x", "http://a/"),
        ("http://a/", "username", "me:@/ü", "http://me%3A%40%2F%C3%BC@a/"),
        ("http://a/", "password", "p w", "http://:p%20w@a/"),
        ("file:///a", "username", "me", "file:///a"),
        ("mailto:a", "password", "x", "mailto:a"),
        ("http://u:p@a/", "username", "", "http://:p@a/"),
        ("http://a:1/", "host", "b", "http://b:1/"),
        ("http://a/", "host", "b:8/x?y", "http://b:8/"),
        ("http://a:1/", "host", "b:80", "http://b/"),
        ("http://a/", "host", "", "http://a/"),
        ("http://a/", "host", "x y", "http://a/"),
        ("http://a/", "host", "[::1]:9", "http://[::1]:9/"),
        ("foo://a/", "host", "", "foo:///"),
        ("mailto:x", "host", "b", "mailto:x"),
        ("file://a/b", "host", "localhost", "file:///b"),
        ("http://a:1/", "hostname", "b:2", "http://a:1/"),
        ("http://a:1/", "hostname", "127.1", "http://127.0.0.1:1/"),
        ("http://a/", "port", "80", "http://a/"),
        ("http://a/", "port", "8080x", "http://a:8080/"),
        ("http://a:1/", "port", "", "http://a/"),
        ("http://a:1/", "port", "x", "http://a:1/"),
        ("http://a:1/", "port", "65536", "http://a:1/"),
        ("file:///a", "port", "1", "file:///a"),
        ("http://a/b", "pathname", "c d?#", "http://a/c%20d%3F%23"),
        ("http://a/b", "pathname", "", "http://a/"),
        ("foo:/a", "pathname", "//b", "foo:/.//b"),
        ("mailto:x", "pathname", "y", "mailto:x"),
        ("http://a/?b", "search", "?c d", "http://a/?c%20d"),
        ("http://a/?b#c", "search", "", "http://a/#c"),
        ("http://a/", "search", "?", "http://a/?"),
        ("http://a/", "search", "a#b'", "http://a/?a%23b%27"),
        ("http://a/#b", "hash", "#c d", "http://a/#c%20d"),
        ("http://a/#b", "hash", "", "http://a/"),
        ("http://a/", "hash", "#", "http://a/#"),
        ("http://a/", "searchParams", "x", "http://a/"),
    ],
)
def test_setters(page: GuildUnderTest, url: str, part: str, value: str, href: str) -> None:
    set_it = f"Reflect.set(u, {json.dumps(part)}, {json.dumps(value)})"
    assert page.value(f"((u) => {{ {set_it}; return u.href }})(new URL('{url}'))") == href


@pytest.mark.parametrize(
    "code", ["new URL('x')", "new URL('/x', 'mailto:a')", "new URL('http://a/').href = 'x'"]
)
def test_what_is_no_url_throws(page: GuildUnderTest, code: str) -> None:
    assert page.throws(code) == "TypeError: Invalid URL"


def test_urls_turn_into_text(page: GuildUnderTest) -> None:
    assert page.value("[String(new URL('http://a')), JSON.stringify({ u: new URL('http://a') })]") == [
        "http://a/",
        '{"u":"http://a/"}',
    ]
    assert page.value("new URL('b', new URL('http://a/')).href") == "http://a/b"


def test_search_params_follow_the_url_and_the_url_its_params(page: GuildUnderTest) -> None:
    assert page.value(
        "(() => { const u = new URL('http://a/?x=1'), p = u.searchParams, out = [];"
        " p.append('y', '2 3'); out.push(u.href); u.search = '?z=4'; out.push(String(p));"
        " p.delete('z'); out.push(u.href); u.href = 'http://b/?c'; out.push(String(p),"
        " u.searchParams === p); return out })()"
    ) == ["http://a/?x=1&y=2+3", "z=4", "http://a/", "c=", True]


# -------------------------------------------------------------------- URLSearchParams


@pytest.mark.parametrize(
    ("init", "text"),
    [
        ("", ""),
        ("'?a=1&b=2'", "a=1&b=2"),
        ("'a=1&a=2&&=3&b'", "a=1&a=2&=3&b="),
        ("'a=b=c'", "a=b%3Dc"),
        ("'a+b=c%20d'", "a+b=c+d"),
        ("'%C3%BC=ü'", "%C3%BC=%C3%BC"),
        ("'%ff=%zz%'", "%EF%BF%BD=%25zz%25"),
        ("{ a: 1, b: 'x y' }", "a=1&b=x+y"),
        ("[['a', 1], new Set(['b', 2])]", "a=1&b=2"),
        ("new Map([['a', '1']])", "a=1"),
        ("new URLSearchParams('a=1')", "a=1"),
        ('"a=*-._~!\'()"', "a=*-._%7E%21%27%28%29"),
        ("'a=\\ud800'", "a=%EF%BF%BD"),
        ("'a=\\n\\u0000'", "a=%0A%00"),
    ],
)
def test_search_params_of(page: GuildUnderTest, init: str, text: str) -> None:
    assert page.value(f"String(new URLSearchParams({init}))") == text


@pytest.mark.parametrize("init", ["[['a']]", "[['a', 'b', 'c']]", "[1]"])
def test_pairs_must_be_pairs(page: GuildUnderTest, init: str) -> None:
    assert page.throws(f"new URLSearchParams({init})").startswith("TypeError")


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("p.get('a')", "1"),
        ("p.get('x')", None),
        ("p.getAll('a')", ["1", "3"]),
        ("[p.has('a'), p.has('x'), p.has('a', '3'), p.has('a', '2')]", [True, False, True, False]),
        ("p.size", 3),
        ("[...p]", [["a", "1"], ["b", "2"], ["a", "3"]]),
        ("[...p.keys()]", ["a", "b", "a"]),
        ("[...p.values()]", ["1", "2", "3"]),
        ("[...p.entries()].length", 3),
        ("(p.append('c', 4), `${p}`)", "a=1&b=2&a=3&c=4"),
        ("(p.set('a', 5), `${p}`)", "a=5&b=2"),
        ("(p.set('z', 5), `${p}`)", "a=1&b=2&a=3&z=5"),
        ("(p.delete('a'), `${p}`)", "b=2"),
        ("(p.delete('a', '3'), `${p}`)", "a=1&b=2"),
        ("(p.append('A', ''), p.sort(), `${p}`)", "A=&a=1&a=3&b=2"),
        (
            "((out) => (p.forEach((v, k, self) => out.push(k + v + (self === p))), out))([])",
            ["a1true", "b2true", "a3true"],
        ),
    ],
)
def test_search_params_methods(page: GuildUnderTest, code: str, result: Any) -> None:
    assert page.value(f"((p) => {code})(new URLSearchParams('a=1&b=2&a=3'))") == result


def test_search_params_may_change_while_they_are_walked(page: GuildUnderTest) -> None:
    assert page.value(
        "((p) => { const out = []; for (const [k] of p) { out.push(k); p.delete('b') } return out"
        " })(new URLSearchParams('a&b&c'))"
    ) == ["a", "c"]
