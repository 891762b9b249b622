"""What of a route's requests can be made once: method, headers, the target's fixed parts.

And what must be made for each: ``Plan.prepare`` checks what a script gave against the route and puts the
pieces together. Pure, and on the hot path: every call goes through it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Raw, Struct

from flora_core.errors import InvalidInput, WireError
from flora_core.wire import UNREADABLE
from flora_core.wire.ndjson import flat
from flora_gateway.rest import references, uploads
from flora_gateway.rest.metrics import of_route
from flora_gateway.rest.references import References
from flora_gateway.rest.routes import BodyKind, Files, Method, Repeat, Route
from flora_gateway.rest.targets import QueryValue, Target, audit_log_reason

BODY_LIMIT: Final = 1 << 20
"""Bytes in one call's body."""

_BODILESS: Final = frozenset((Method.GET, Method.DELETE))

Repeatable = Callable[[bytes | None], bool]
"""Whether a call with this body may be made again although it may have been carried out."""


class Args(Struct, forbid_unknown_fields=True):
    """An op's ``args``."""

    path: dict[str, str] = {}
    query: dict[str, QueryValue] = {}
    body: Raw = Raw()
    reason: str | None = None
    files: list[uploads.File] = []


class Prepared(Struct):
    """One call's pieces."""

    target: bytes
    major: str
    headers: bytes
    body: bytes | None
    named: References = references.NOTHING
    """What body and query name."""
    repeatable: Repeatable | None = None
    file_bytes: int = 0


class _Nonced(Struct):
    nonce: str | int | None = None
    enforce_nonce: bool = False


_decode_args: Final = msgspec.json.Decoder(Args).decode
_decode_nonced: Final = msgspec.json.Decoder(_Nonced).decode
_OPENS: Final = {BodyKind.OBJECT: b"{", BodyKind.ARRAY: b"["}


def parse_args(raw: Raw | bytes) -> Args:
    """An op's ``args``; raises InvalidInput."""
    try:
        return _decode_args(raw)
    except UNREADABLE as error:
        raise InvalidInput(f"args: {error}") from None


def always(_body: bytes | None) -> bool:
    return True


def with_nonce(body: bytes | None) -> bool:
    """Whether Discord will know a second message with this body for the first one's copy."""
    try:
        said = _decode_nonced(body or b"{}")
    except UNREADABLE:
        return False
    return said.enforce_nonce and said.nonce not in {None, ""}


_REPEATABLE: Final = {Repeat.ALWAYS: always, Repeat.NEVER: None, Repeat.WITH_NONCE: with_nonce}


class Plan:
    """A route, compiled for one API address, application and token."""

    def __init__(
        self, route: Route, *, prefix: str, application: str, user_agent: str, authorization: str
    ) -> None:
        self.route = route
        self.name = route.name
        self.scope = route.scope
        self.tokenised = route.tokenised
        self.anonymous = route.anonymous
        self.lifetime = route.lifetime
        self.acknowledges = route.acknowledges
        self.method = route.method.encode()
        self.repeatable = _REPEATABLE[route.repeatable]
        self.metrics = of_route(route.name)
        self._target = Target(route.path, prefix=prefix, filled={"application": application})
        self._bodiless = route.method in _BODILESS
        lines = [f"User-Agent: {user_agent}"]
        if not route.anonymous:
            lines.append(f"Authorization: {authorization}")
        self._bare_headers = "".join(f"{line}\r\n" for line in lines).encode("ascii")
        self._headers = self._bare_headers
        if route.body is not BodyKind.NONE:
            self._headers += b"Content-Type: application/json\r\n"
        if route.major and route.major not in self._target.parameters:
            raise ValueError(f"{route.name}: the path has no {{{route.major}}} to limit by")

    def prepare(self, args: Args) -> Prepared:
        """The pieces of a call with ``args``; raises InvalidInput naming what is wrong."""
        query = args.query
        if query and not query.keys() <= self.route.query:
            extra = ", ".join(sorted(query.keys() - self.route.query))
            known = ", ".join(sorted(self.route.query)) or "nothing"
            raise InvalidInput(f"query: {self.name} takes {known}, not {extra[:200]}")
        path, reason = args.path, args.reason
        prepared = Prepared(
            target=self._target.render(path, query),
            major=path.get(self.route.major, ""),
            headers=self._headers,
            body=self._body(args.body),
            repeatable=self.repeatable,
        )
        if query or references.suspect(prepared.body):
            prepared.named, prepared.body = references.read(prepared.body, query)
        if args.files:
            self._add_files(prepared, args.files)
        if reason is not None:
            prepared.headers += audit_log_reason(reason)
        return prepared

    def _add_files(self, prepared: Prepared, files: list[uploads.File]) -> None:
        """Make a multipart request of ``prepared``."""
        if self.route.files is Files.NOWHERE:
            raise InvalidInput(f"attachments: {self.name} takes none")
        prepared.file_bytes = uploads.check(files)
        body = uploads.describe(prepared.body or b"", files, self.route.files)
        kind, prepared.body = uploads.multipart(body, files)
        prepared.headers = b"%bContent-Type: %b\r\n" % (self._bare_headers, kind)
        if self.repeatable is not None:  # which reads the JSON
            prepared.repeatable = always if self.repeatable(body) else None

    def _body(self, raw: Raw) -> bytes | None:
        body = bytes(raw)
        kind = self.route.body
        if kind is BodyKind.NONE:
            if body and body != b"null":
                raise InvalidInput(f"body: {self.name} takes none")
            return None if self._bodiless else b""
        if len(body) > BODY_LIMIT:
            raise InvalidInput(f"body: has {len(body)} bytes; the limit is {BODY_LIMIT}")
        if body[:1] != _OPENS[kind]:
            raise InvalidInput(f"body: {self.name} takes {kind}")
        try:
            return flat(body)
        except (*UNREADABLE, WireError) as error:
            raise InvalidInput(f"body: {error}") from None
