"""URLs as they are dialled, read strictly. Pure.

The SDK's URL parser (WHATWG) has made every odd notation plain before a URL comes here: ``0x7f.1`` is
``127.0.0.1``, ``EXÄMPLE。com`` is ``xn--exmple-cua.com``. Whatever is not in that plain form comes from a
script that went around the SDK, or from a server's redirect, and is refused: so there is one way to read
a host, here and where it is dialled.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from flora_runtime.fetch import limits
from flora_runtime.fetch.errors import FetchRefused

_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[!$-~]*)?(?P<fragment>#[!-~]*)?",
    re.ASCII,
)
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")

# fmt: off
BAD_PORTS: Final = frozenset(
    {
        1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101,
        102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389,
        427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636,
        989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665,
        6666, 6667, 6668, 6669, 6679, 6697, 10080,
    }
)
# fmt: on
"""https://fetch.spec.whatwg.org/#port-blocking: services that can be talked into things by HTTP."""


@dataclass(slots=True, frozen=True)
class Target:
    """Where one request goes."""

    scheme: str
    host: str
    """In lower case; an IPv6 address without its brackets."""
    port: int
    path: str
    """With the query."""

    @property
    def url(self) -> str:
        return f"{self.origin}{self.path}"

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.port == (443 if self.scheme == "https" else 80)
        return f"{self.scheme}://{host}" if usual else f"{self.scheme}://{host}:{self.port}"


def parse_target(url: str) -> Target:
    """``url`` as the SDK serialises it; raises FetchRefused."""
    match = _URL.fullmatch(url) if len(url) <= limits.URL_CHARACTERS else None
    if match is None:
        raise FetchRefused("FETCH_FAILED", f"the URL {_why_not(url)}")
    scheme, host = match["scheme"], match["host"]
    port = int(match["port"] or (443 if scheme == "https" else 80))
    if not 0 < port < 65536 or (port in BAD_PORTS):
        raise FetchRefused("FETCH_FORBIDDEN_ADDRESS", f"port {port} may not be used")
    return Target(scheme, _host(host), port, match["path"] or "/")


def redirected(target: Target, location: str) -> Target:
    """Where ``location``, as a server gave it, leads from ``target``; raises FetchRefused."""
    if "\\" in location or any(character < "!" for character in location):
        raise FetchRefused("FETCH_FAILED", "the server redirects to something that is no URL")
    try:
        parts = urlsplit(urljoin(target.url, location))
    except ValueError:
        raise FetchRefused("FETCH_FAILED", "the server redirects to something that is no URL") from None
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = quote(parts.query, safe="/%:@!$&'()*+,;=~-._?[]{}|^`")
    return parse_target(f"{parts.scheme}://{parts.netloc.lower()}{path}{'?' if query else ''}{query}")


def _host(host: str) -> str:
    if host.startswith("["):
        try:
            return str(IPv6Address(host[1:-1]))
        except AddressValueError:
            raise _odd_host() from None
    labels = host.removesuffix(".").split(".")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            address = IPv4Address(host)
        except AddressValueError:
            raise _odd_host() from None
        return str(address)
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _odd_host()
    return host


def _odd_host() -> FetchRefused:
    return FetchRefused("FETCH_FORBIDDEN_ADDRESS", "the URL's host is written in a way that is not allowed")


def _why_not(url: str) -> str:
    if len(url) > limits.URL_CHARACTERS:
        return f"has more than {limits.URL_CHARACTERS:,} characters"
    scheme = url.partition(":")[0].lower()
    if scheme not in ("http", "https"):
        return "does not start with http:// or https://"
    if "@" in url.partition("//")[2].partition("/")[0]:
        return "has a user name or password in it; send them in the Authorization header"
    return "is not in the form that the URL class gives it"
