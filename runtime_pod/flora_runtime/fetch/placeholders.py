"""Secrets in a request. Pure.

A script holds placeholders. On the way out each becomes the secret's value, when the host that is dialled
may see it: in the path and query (percent-encoded), in headers, in the user and password of a Basic
``Authorization``, and in the body when the script asked for that. It is decided anew for every redirect. On
the way back a value that the server repeats becomes its placeholder again: a courtesy to authors who log
what they get. It is no wall against a server that means to tell: that wall is the list of allowed hosts.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, quote_plus

import msgspec

from flora_core.allowed_hosts import AllowedHost, parse_allowed_hosts
from flora_core.wire.control import SECRET_PREFIX, Secret
from flora_runtime.fetch.calls import Headers, is_header_value
from flora_runtime.fetch.errors import FetchRefused
from flora_runtime.fetch.target import Target

_PLACEHOLDER: Final = re.compile(re.escape(SECRET_PREFIX) + "[0-9a-f]{32}")
_BASIC: Final = re.compile(r"basic +([A-Za-z0-9+/]+=*) *", re.IGNORECASE)

SHORTEST_TAKEN_BACK: Final = 8
"""Characters of a value that is looked for in responses: shorter ones occur by chance."""

Encode = Callable[[str], str]


@dataclass(slots=True, frozen=True)
class _Known:
    secret: Secret
    hosts: tuple[AllowedHost, ...]


class GuildSecrets:
    """The secrets of one guild; raises InvalidInput for an allowed host that is none."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._known = {
            secret.placeholder: _Known(secret, parse_allowed_hosts(secret.allowed_hosts))
            for secret in secrets
        }

    @property
    def placeholders(self) -> dict[str, str]:
        """By name: what the isolate may know."""
        return {known.secret.name: placeholder for placeholder, known in self._known.items()}

    def value(self, placeholder: str, target: Target) -> str:
        """The value for a request to ``target``; raises FetchRefused."""
        known = self._known.get(placeholder)
        if known is None:
            raise FetchRefused("FETCH_SECRET_FORBIDDEN", "the secret is not there any more; deploy again")
        name = known.secret.name
        if known.secret.value is None:
            raise FetchRefused(
                "FETCH_SECRET_FORBIDDEN", f"the value of the secret {name} is not known here now"
            )
        if not self.allows(placeholder, target):
            raise FetchRefused("FETCH_SECRET_FORBIDDEN", _why_forbidden(name, known.hosts, target))
        return known.secret.value

    def allows(self, placeholder: str, target: Target) -> bool:
        """Whether that secret's value may go to ``target``."""
        known = self._known.get(placeholder)
        return known is not None and any(
            host.allows(target.scheme, target.host, target.port) for host in known.hosts
        )


class Exchange:
    """The secrets in one fetch: remembers which values went out."""

    def __init__(self, secrets: GuildSecrets) -> None:
        self._secrets = secrets
        self._out: dict[str, str] = {}
        """Values that went out, by placeholder."""

    def fill_target(self, target: Target) -> Target:
        """With values in path and query; raises FetchRefused."""
        return replace(target, path=self._fill(target.path, target, lambda value: quote(value, safe="")))

    def fill_headers(self, headers: Headers, target: Target) -> Headers:
        """With values; raises FetchRefused."""
        return [(name, self._fill_header(name, value, target)) for name, value in headers]

    def fill_body(self, body: bytes, target: Target, *, content_type: str) -> bytes:
        """With values, written as the body's type wants it; raises FetchRefused."""
        if SECRET_PREFIX.encode() not in body:
            return body
        text = body.decode("latin-1")  # whatever it is, it comes through unchanged
        return self._fill(text, target, _encoder(content_type)).encode("latin-1")

    def check_redirect(self, target: Target) -> None:
        """Raises FetchRefused when a server would have a value sent on to where it may not go."""
        for placeholder, value in self._out.items():
            if self._secrets.allows(placeholder, target) or len(value) < SHORTEST_TAKEN_BACK:
                continue
            if any(form in target.url for form in _forms(value)):
                raise FetchRefused(
                    "FETCH_SECRET_FORBIDDEN",
                    f"the server redirects with a secret in the URL to {target.host}",
                )

    def take_back(self, text: str) -> str:
        """``text`` from a server with placeholders for the values that went out."""
        for placeholder, value in self._taken_back():
            for form in _forms(value):
                text = text.replace(form, placeholder)
        return text

    def take_back_bytes(self, body: bytes) -> bytes:
        """The same for a body."""
        for placeholder, value in self._taken_back():
            for form in _forms(value):
                body = body.replace(form.encode(), placeholder.encode())
        return body

    def _taken_back(self) -> list[tuple[str, str]]:
        found = [item for item in self._out.items() if len(item[1]) >= SHORTEST_TAKEN_BACK]
        return sorted(found, key=lambda item: -len(item[1]))  # one value may be a part of another

    def _fill_header(self, name: str, value: str, target: Target) -> str:
        basic = _BASIC.fullmatch(value) if name.lower() == "authorization" else None
        if basic is not None:
            return self._fill_basic(value, basic[1], target)
        filled = self._fill(value, target, str)
        if filled is not value and not is_header_value(filled):
            raise FetchRefused(
                "INVALID_INPUT", f"the secret in the header {name} has characters no header may have"
            )
        return filled

    def _fill_basic(self, value: str, encoded: str, target: Target) -> str:
        try:
            pair = base64.b64decode(encoded, validate=True).decode("latin-1")
        except binascii.Error:
            return value
        if SECRET_PREFIX not in pair:
            return value
        filled = self._fill(pair, target, _latin1_of_utf8).encode("latin-1")
        return f"Basic {base64.b64encode(filled).decode()}"

    def _fill(self, text: str, target: Target, encode: Encode) -> str:
        if SECRET_PREFIX not in text:
            return text

        def filled(match: re.Match[str]) -> str:
            placeholder = match[0]
            value = self._secrets.value(placeholder, target)
            self._out[placeholder] = value
            return encode(value)

        return _PLACEHOLDER.sub(filled, text)


def holds_placeholder(headers: Headers) -> bool:
    """Whether there is a placeholder in any of ``headers`` (one in a Basic Authorization does not show)."""
    return any(SECRET_PREFIX in value for _, value in headers)


def _forms(value: str) -> list[str]:
    """``value`` as it went out: as it is, and in a URL."""
    return list(dict.fromkeys((value, quote(value, safe=""), quote_plus(value))))


def _encoder(content_type: str) -> Encode:
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        return lambda value: _latin1_of_utf8(msgspec.json.encode(value).decode()[1:-1])
    if kind == "application/x-www-form-urlencoded":
        return quote_plus
    return _latin1_of_utf8


def _latin1_of_utf8(value: str) -> str:
    """The UTF-8 of ``value``, as the text whose characters are those bytes."""
    return value.encode().decode("latin-1")


def _why_forbidden(name: str, hosts: tuple[AllowedHost, ...], target: Target) -> str:
    if not hosts:
        return f"the secret {name} may go nowhere: give it allowed hosts, among them {target.host}"
    if target.scheme == "http" and any(host.allows("https", target.host, target.port) for host in hosts):
        return f"the secret {name} goes out over https only; allow http://{target.host} if you mean it"
    return f"the secret {name} may not go to {target.host}: that is none of its allowed hosts"
