"""From a path template and what a script gave to the bytes of a request target.

Scripts choose the parameters, so nothing they give may change which resource is meant. Snowflakes are
digits; emoji and tokens are checked against what they can be and then percent-encoded whole. Dot segments
and encoded slashes are refused and not merely encoded: proxies on the way decode and resolve them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

from flora_core.errors import InvalidInput
from flora_core.ids import parse_snowflake

QueryValue = str | int | float | bool | None

REASON_LIMIT: Final = 512
"""Characters in an audit log reason (Discord: 1-512)."""
QUERY_LIMIT: Final = 256
"""Characters in one query parameter; the longest that Discord knows, a search text, is 100."""

_CUSTOM_EMOJI: Final = re.compile(r"(?:<?a?:)?([A-Za-z0-9_]{1,32}):([1-9][0-9]{0,19})>?")
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+=:-]{1,512}")
_TEMPLATE: Final = re.compile(r"\{([a-z]+)\}")
_KEYCAPS: Final = frozenset("0123456789#*")
"""ASCII characters that are part of an emoji when a combining keycap follows."""
_EMOJI_LENGTH: Final = 32
"""Code points; the longest standard emoji, flags of subdivisions and families, have 14."""


def snowflake(text: str, field: str) -> str:
    """``text`` when it is a Discord id; raises InvalidSnowflake naming ``field``."""
    if text.isdigit() and text.isascii() and text[0] != "0" and len(text) < 20:
        return text
    return parse_snowflake(text, field=field)


def emoji(text: str, field: str) -> str:
    """A unicode emoji, or ``name:id`` (also as in messages, ``<a:name:id>``), percent-encoded.

    Whether it is an emoji that exists is Discord's to say; here it only cannot be anything else.
    """
    custom = _CUSTOM_EMOJI.fullmatch(text)
    if custom is not None:
        return f"{custom[1]}%3A{custom[2]}"
    if (
        not 0 < len(text) <= _EMOJI_LENGTH
        or text.isascii()
        or not all(char in _KEYCAPS or (char > "\x9f" and not char.isspace()) for char in text)
    ):
        raise InvalidInput(f"{field}: {_shown(text)} is no emoji; give one as '👍' or as 'name:id'")
    return quote(text, safe="")


def token(text: str, field: str) -> str:
    """The token of an interaction or a webhook, percent-encoded. Its text is never repeated in an error."""
    if _TOKEN.fullmatch(text) is None or not text.strip("."):
        raise InvalidInput(f"{field}: not a token; give the interaction's or the webhook's own")
    return quote(text, safe="")


_ENCODERS: Final[dict[str, Callable[[str, str], str]]] = {"emoji": emoji, "token": token}


class Target:
    """A compiled path template."""

    __slots__ = ("_pieces", "_query", "_tail", "parameters")

    def __init__(self, template: str, *, prefix: str, filled: Mapping[str, str]) -> None:
        """``filled`` are parameters whose values are known now and safe as they are."""
        template = prefix + template
        for name, value in filled.items():
            template = template.replace(f"{{{name}}}", value)
        *parts, self._tail = _TEMPLATE.split(template)
        names = parts[1::2]
        self.parameters = frozenset(names)
        self._pieces = [
            (literal, name, _ENCODERS.get(name, snowflake))
            for literal, name in zip(parts[::2], names, strict=True)
        ]
        self._query = "&" if "?" in template else "?"

    def render(self, values: Mapping[str, str], query: Mapping[str, QueryValue] | None = None) -> bytes:
        """The target for ``values``; raises InvalidInput naming the parameter that is missing or wrong."""
        text = ""
        for literal, name, encode in self._pieces:
            try:
                value = values[name]
            except KeyError:
                raise InvalidInput(f"{name}: is missing in the op's path") from None
            text += literal + encode(value, name)
        text += self._tail
        if query:
            text += _query(query, self._query)
        return text.encode("ascii")


def _query(values: Mapping[str, QueryValue], separator: str) -> str:
    text = ""
    for name, value in values.items():
        if value is None:
            continue
        shown = ("true" if value else "false") if isinstance(value, bool) else str(value)
        if len(shown) > QUERY_LIMIT:
            raise InvalidInput(f"query.{name}: is longer than {QUERY_LIMIT} characters")
        text += f"{separator}{quote(name, safe='')}={quote(shown, safe='')}"
        separator = "&"
    return text


def audit_log_reason(text: str) -> bytes:
    """``text`` as a header line (Discord: X-Audit-Log-Reason, URL-encoded UTF-8, 1-512 characters)."""
    if not 0 < len(text) <= REASON_LIMIT:
        raise InvalidInput(f"reason: must have 1 to {REASON_LIMIT} characters, has {len(text)}")
    return b"X-Audit-Log-Reason: " + quote(text, safe="").encode("ascii") + b"\r\n"


def _shown(text: str) -> str:
    shown = repr(text)
    return shown if len(shown) <= 40 else shown[:37] + "..."
