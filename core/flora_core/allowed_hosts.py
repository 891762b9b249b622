"""Which hosts may see a secret's value.

A pattern is ``api.example.com``, or ``*.example.com`` for that name and all below it, with a port when only
that one is meant. The value goes out over HTTPS alone, unless the pattern says otherwise:
``http://localhost:8080``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from flora_core.errors import InvalidInput

_PATTERN: Final = re.compile(
    r"(?:(?P<scheme>https?)://)?(?P<any>\*\.)?(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::(?P<port>[0-9]{1,5}))?/?"
)


@dataclass(slots=True, frozen=True)
class AllowedHost:
    """One pattern."""

    host: str
    """An IPv6 address without its brackets."""
    below: bool = False
    """Names below ``host`` too."""
    port: int | None = None
    """None for any."""
    scheme: str = "https"

    def allows(self, scheme: str, host: str, port: int) -> bool:
        """Whether a request to there may carry the value."""
        name = host.removesuffix(".")
        if scheme != self.scheme or self.port not in (None, port):
            return False
        return name == self.host or (self.below and name.endswith(f".{self.host}"))


def parse_allowed_host(text: str) -> AllowedHost:
    """``text`` as a pattern; raises InvalidInput."""
    match = _PATTERN.fullmatch(text.strip().lower())
    host = match["host"].strip("[]").removesuffix(".") if match else ""
    port = int(match["port"]) if match and match["port"] else None
    too_wide = match is not None and match["any"] and "." not in host
    if match is None or not host or ".." in host or too_wide or (port is not None and not 0 < port < 65536):
        raise InvalidInput(
            f"{text[:80]!r} is no host that a secret may go to; "
            "write api.example.com, *.example.com, or http://localhost:8080"
        )
    return AllowedHost(host, below=bool(match["any"]), port=port, scheme=match["scheme"] or "https")


def parse_allowed_hosts(texts: Iterable[str]) -> tuple[AllowedHost, ...]:
    """All of ``texts``; raises InvalidInput for the first that is none."""
    return tuple(parse_allowed_host(text) for text in texts)
