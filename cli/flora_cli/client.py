"""Speaking to an API: requests, streams, and what goes wrong with them (docs/api.md).

Calls are made again after a pause when that can do no harm: a request that never left, a 429 (nothing was
done), and for calls that may be repeated also an answer that broke off, 502, 503 and 504. Redirects are not
followed: a token goes to the address that was configured and to no other.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct

from flora_cli.config import TOKEN, Target
from flora_cli.errors import CliError, NotAllowed, NotLoggedIn, NotThere, Refused, Unavailable
from flora_cli.retries import pause_before, reconnect_after
from flora_cli.sse import Event, EventParser
from flora_core.errors import FloraError, InvalidInput, WireError
from flora_core.wire import UNREADABLE

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 60.0
"""For the next bytes of an answer; the API's own deadline is half of it."""
SILENCE_SECONDS: Final = 60.0
"""Of a stream, beats included, before it counts as broken."""
ANSWER_LIMIT: Final = 64 << 20
"""Bytes of an answer that is held in memory."""

SHA256_HEADER: Final = "X-Flora-SHA256"
"""What downloads should come to."""

_IDEMPOTENT: Final = frozenset({"GET", "PUT", "DELETE"})
_LATER: Final = frozenset({429, 502, 503, 504})


class Broken(Unavailable):
    """A stream ended before its time."""


class _Body(Struct, frozen=True):
    """The body of every answer that is no success."""

    message: str = ""
    code: str = ""
    details: dict[str, Any] = {}


class Api:
    """The API of one installation; a context manager. All calls raise what ``flora_cli.errors`` lists."""

    def __init__(
        self,
        target: Target,
        *,
        sleep: Callable[[float], None] = time.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        import httpx  # noqa: PLC0415  a quarter of a second that commands without an API do not need

        self.target = target
        self._sleep = sleep
        self._draw = draw
        headers = {"User-Agent": f"flora-cli/{version('flora')}"}
        if target.token:
            headers["Authorization"] = f"Bearer {target.token}"
        self._http = httpx.Client(
            base_url=f"{target.url}/api",
            headers=headers,
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            follow_redirects=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._http.close()

    def get(self, path: str, into: type[T], **query: object) -> T:
        """What is at ``path``, as ``into``."""
        return self.call("GET", path, into, query=query)

    def call(
        self,
        method: str,
        path: str,
        into: type[T],
        *,
        body: object = None,
        query: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> T:
        """Make a call and decode its answer; ``into`` the type of None when there is none to decode.

        ``body`` is sent as JSON; bytes, and what is in a file, as they are. What is empty or None in
        ``query`` is left out. ``seconds`` is how long the answer may take.
        """
        raw = isinstance(body, (bytes, Path))
        content = body if isinstance(body, (bytes, Path)) or body is None else msgspec.json.encode(body)
        sent = {"Content-Type": "application/octet-stream" if raw else "application/json"} if content else {}
        answer = self._send(method, path, query or {}, {**sent, **(headers or {})}, content, seconds=seconds)
        return self._decoded(answer, into)

    def text(self, path: str) -> str:
        """What is at ``path``, where that is no JSON; at most 1,000 characters of it."""
        return self._send("GET", path, {}, {}, None, seconds=ANSWER_SECONDS).text.strip().strip('"')[:1000]

    def download(self, path: str) -> Generator[bytes]:
        """The bytes of ``path`` in pieces; raises Broken when they are not all, or not as they should be."""
        import httpx  # noqa: PLC0415

        digest = hashlib.sha256()
        try:
            with self._http.stream("GET", path) as response:
                if response.status_code != 200:
                    raise self._refusal(response)
                for piece in response.iter_bytes(1 << 16):
                    digest.update(piece)
                    yield piece
                if response.headers.get(SHA256_HEADER, "") not in {"", digest.hexdigest()}:
                    raise Broken("what came down is not what the API sent; try again")
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None

    def stream(self, path: str, query: Mapping[str, object], *, last_id: str = "") -> Generator[Event]:
        """The events of ``path`` until the stream ends; raises Broken when it does not end by itself."""
        import httpx  # noqa: PLC0415

        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if last_id:
            headers["Last-Event-ID"] = last_id
        parser = EventParser()
        timeout = httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)
        try:
            with self._http.stream(
                "GET", path, params=_query(query), headers=headers, timeout=timeout
            ) as response:
                if response.status_code != 200:
                    raise self._refusal(response)
                for piece in response.iter_bytes():
                    yield from parser.feed(piece)
        except (httpx.HTTPError, WireError) as error:
            raise Broken(str(self._unreachable(error))) from None

    def follow(
        self,
        path: str,
        query: Mapping[str, object],
        *,
        last_id: str = "",
        on_break: Callable[[str], None],
    ) -> Iterator[Event]:
        """The events of ``path`` behind ``last_id`` for ever, over breaks of the stream, each once.

        ``on_break`` is told why a stream broke, before each pause; that one ended by itself, as they do after
        some minutes, is told only when the next one does at once. Raises when the API says no for a reason
        that stays.
        """
        last, breaks = last_id, 0
        while True:
            why = ""
            try:
                for event in self.stream(path, query, last_id=last):
                    if event.id and last and not _is_newer(event.id, last):
                        continue
                    last, breaks = event.id or last, 0
                    yield event
            except Unavailable as error:
                why = str(error)
            breaks += 1
            if why or breaks > 1:
                on_break(why or "the stream ended")
            if self.target.folder:
                self._find_again()
            self._sleep(reconnect_after(breaks, draw=self._draw()))

    def _find_again(self) -> None:
        """A ``flora dev`` that was started anew is somewhere else, with another token."""
        from flora_cli.dev_target import found_again  # noqa: PLC0415

        found = found_again(self.target)
        if found is not None and found != self.target:
            self.target = found
            self._http.base_url = f"{found.url}/api"
            self._http.headers["Authorization"] = f"Bearer {found.token}"

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, object],
        headers: Mapping[str, str],
        content: bytes | Path | None,
        *,
        seconds: float,
    ) -> httpx.Response:
        """A successful answer, after as many attempts as it takes."""
        import httpx  # noqa: PLC0415

        timeout = httpx.Timeout(seconds, connect=CONNECT_SECONDS)
        attempt = 1
        while True:
            wanted: float | None = None
            try:
                with contextlib.ExitStack() as stack:
                    body = stack.enter_context(content.open("rb")) if isinstance(content, Path) else content
                    answer = self._http.request(
                        method, path, params=_query(query), headers=headers, content=body, timeout=timeout
                    )
                if answer.is_success:
                    return answer
                failure = self._refusal(answer)
                again = answer.status_code in _LATER and (method in _IDEMPOTENT or answer.status_code == 429)
                wanted = _retry_after(answer)
            except httpx.HTTPError as error:
                failure = self._unreachable(error)
                never_left = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout))
                again = (never_left or method in _IDEMPOTENT) and not _is_final(error)
                if not never_left and method not in _IDEMPOTENT:
                    failure = Unavailable(
                        f"{failure}; it may have been done or not: look before you try again"
                    )
            attempt += 1
            pause = pause_before(attempt, draw=self._draw(), wanted=wanted) if again else None
            if pause is None:
                raise failure from None
            self._sleep(pause)

    def _decoded(self, answer: httpx.Response, into: type[T]) -> T:
        if into is type(None) or answer.status_code == 204:
            return None  # type: ignore[return-value]
        try:
            return msgspec.json.decode(answer.content, type=into)
        except UNREADABLE:
            raise Unavailable(
                f"{self.target.url} answers with something else than expected; is it an API of flora, and of "
                "this version?"
            ) from None

    def _refusal(self, answer: httpx.Response) -> FloraError:
        """The error of an answer that is no success."""
        if answer.is_redirect:
            return InvalidInput(
                f"{self.target.url} answers with a redirect to {answer.headers.get('location', '?')[:200]}; "
                f"give the right address ({self.target.source})"
            )
        answer.read()
        return refusal(
            answer.status_code, answer.content, url=self.target.url, retry_after=_retry_after(answer)
        )

    def _unreachable(self, error: Exception) -> Unavailable:
        text = str(error) or type(error).__name__
        if "CERTIFICATE_VERIFY_FAILED" in text:
            return Unavailable(
                f"{self.target.url}: its certificate is not trusted here; where it is your own, name the "
                f"authority's file in SSL_CERT_FILE ({text})"
            )
        return Unavailable(
            f"{self.target.url} cannot be reached ({text}); the address is from {self.target.source}"
        )


def refusal(status: int, content: bytes, *, url: str, retry_after: float | None = None) -> FloraError:
    """The error that goes with an answer's status and body. Pure."""
    try:
        body = msgspec.json.decode(content, type=_Body)
    except UNREADABLE:
        body = _Body()
    message = body.message or f"{url} answered with {status}"
    if status in {400, 413, 422}:
        return BadRequest(message, code=body.code, details=body.details)
    if status == 401:
        return NotLoggedIn(f"{message} (flora login --api {url}, or {TOKEN})", code=body.code)
    if status == 403:
        return NotAllowed(message, code=body.code, details=body.details)
    if status == 404:
        if not body.code:
            message = f"{message}; is it an API of flora?"
        return NotThere(message, code=body.code, details=body.details)
    if status in _LATER or (status >= 500 and status != 507):
        says_so = "try again" in message
        when = f"; try again in {retry_after:.0f} s" if retry_after and not says_so else ""
        return Unavailable(f"{message}{when}", code=body.code, details=body.details)
    return Refused(message, code=body.code, details=body.details)


class BadRequest(InvalidInput):
    """The API cannot use what it was given."""

    def __init__(self, message: str, *, code: str, details: dict[str, Any]) -> None:
        super().__init__(message)
        self.code = code
        self.details = details


def segment(text: str) -> str:
    """``text`` as one part of a path, whatever is in it."""
    quoted = quote(text, safe="")
    return quoted.replace(".", "%2E") if quoted in {".", ".."} else quoted


def code_of(error: FloraError) -> str:
    """The ``code`` of an API's refusal; empty for other errors."""
    return error.code if isinstance(error, (CliError, BadRequest)) else ""


def _query(query: Mapping[str, object]) -> dict[str, str]:
    written: dict[str, str] = {}
    for name, value in query.items():
        if isinstance(value, bool):
            if value:
                written[name] = "true"
        elif value is not None and value != "":
            written[name] = str(value)
    return written


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds that an answer asks to wait; None when it does not, or gives a date."""
    with contextlib.suppress(ValueError):
        seconds = float(answer.headers.get("retry-after", ""))
        return seconds if 0 <= seconds < float("inf") else None
    return None


def _is_final(error: Exception) -> bool:
    """Whether the next attempt would end in the same way: the certificate, or what we sent, is wrong."""
    import httpx  # noqa: PLC0415

    return "CERTIFICATE_VERIFY_FAILED" in str(error) or isinstance(
        error, (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.DecodingError)
    )


def _is_newer(new: str, last: str) -> bool:
    """Whether a line's id (``ms-seq``) comes after another; ids of other shapes are taken as they come."""
    try:
        return _place(new) > _place(last)
    except ValueError:
        return new != last


def _place(text: str) -> tuple[int, int]:
    milliseconds, _, sequence = text.partition("-")
    return int(milliseconds), int(sequence or 0)
