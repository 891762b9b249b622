"""What goes back for an op: Discord's answer in one line, or why it failed, in words for its author. Pure.

Codes are the original's: INVALID_INPUT, SCOPE_FORBIDDEN, DISCORD_RATE_LIMITED, DISCORD_HTTP_ERROR. Texts
name the op and never an address, so neither the bot's token nor an interaction's can be in them; what
Discord says is searched for both all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any, Final, cast

import msgspec

from flora_core.errors import WireError
from flora_core.wire import UNREADABLE
from flora_core.wire.gateway import OpError
from flora_core.wire.ndjson import flat
from flora_gateway.rest.calls import Refused, Verdict, Why
from flora_gateway.rest.invalid import SUSPENSION_SECONDS
from flora_gateway.rest.retry import read_rate_limited
from flora_gateway.rest.transport import Response

INVALID_INPUT: Final = "INVALID_INPUT"
SCOPE_FORBIDDEN: Final = "SCOPE_FORBIDDEN"
RATE_LIMITED: Final = "DISCORD_RATE_LIMITED"
HTTP_ERROR: Final = "DISCORD_HTTP_ERROR"

UNKNOWN_INTERACTION: Final = 10062
"""Discord's code for an interaction that is too old, or was never there."""

ALREADY_ACKNOWLEDGED: Final = 40060
"""Discord's code for a second first response to one interaction."""

_TEXT_LIMIT: Final = 600
_DETAILS: Final = 5
_DEPTH: Final = 12

_WHY: Final = {
    Why.QUEUE_FULL: "too many calls of this guild wait already",
    Why.TOO_LATE: "its turn does not come in time",
    Why.INVALID_REQUESTS: "Discord refused (401, 403, 429) so many of this bot's calls that it makes none "
    "for a while, so as not to be banned",
    Why.SUSPENDED: "Discord refused (401, 403, 429) so many of this guild's calls that they are suspended; "
    "check the bot's permissions",
}


_decode_raw: Final = msgspec.json.Decoder(msgspec.Raw).decode


class _Said(msgspec.Struct):
    """Discord's error body."""

    message: str = ""
    code: int = 0
    errors: Any = None


def in_one_line(response: Response) -> bytes | None:
    """A successful response's body as JSON in one line, ``null`` when it has none; None if it is no JSON.

    The text goes into a line of another process's stream, so it is checked to be what it must be there:
    JSON, UTF-8, without a newline.
    """
    body = response.body
    if not body:
        return b"null"
    try:
        _decode_raw(body)
        if not body.isascii():
            body.decode()
        return flat(body)
    except (*UNREADABLE, WireError):
        return None


def invalid(text: object) -> OpError:
    """The script gave something that cannot be used; ``text`` begins with the field."""
    return OpError(INVALID_INPUT, f"Invalid input for {text}")


def unknown_op(name: str, known: Iterable[str]) -> OpError:
    """There is no such op; names that look like it are suggested."""
    near = get_close_matches(name[:100], list(known), n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return invalid(f"op: {name[:100]!r} is none that this gateway knows{hint}")


def forbidden(what: str) -> OpError:
    """The script reached for something outside its guild."""
    return OpError(SCOPE_FORBIDDEN, f"Forbidden: {what} is outside runtime scope")


def too_many_files(route: str) -> OpError:
    """The guild, or all of them, send more files than there is memory for."""
    text = "too many files are on their way; await some of them first"
    return OpError(RATE_LIMITED, f"Discord rate limited for {route}: {text}")


def with_notice(error: OpError, limit: int) -> OpError:
    """``error`` as the one that tells the guild's admins that their guild was suspended."""
    notice = (
        f"Discord refused {limit} of this guild's calls within a minute (401, 403 or 429), so its calls are "
        f"suspended for {SUSPENSION_SECONDS / 60:g} minutes; the last one was {error.message}. Check the "
        "bot's permissions, and whether the script repeats calls that fail"
    )
    return msgspec.structs.replace(error, notice=notice, suspended=SUSPENSION_SECONDS)


def expired(route: str) -> OpError:
    """The interaction's time is over; Discord need not be asked."""
    text = "Unknown interaction: the time to answer it is over"
    return OpError(HTTP_ERROR, _http_text("0", text, route), discord_code=UNKNOWN_INTERACTION)


def of_verdict(verdict: Verdict, route: str, *, secrets: Iterable[str] = ()) -> OpError:
    """Why a call to ``route`` that ended with ``verdict`` is a failure. ``secrets`` are blotted out."""
    if isinstance(verdict, Response):
        error = _of_response(verdict, route)
    elif isinstance(verdict, Refused):
        error = _of_refusal(verdict, route)
    else:
        error = OpError(HTTP_ERROR, _http_text("0", str(verdict), route))
    message = error.message
    for secret in secrets:
        if secret and secret in message:
            message = message.replace(secret, "…")
    return error if message == error.message else msgspec.structs.replace(error, message=message)


def not_json(status: int, route: str) -> OpError:
    """Discord said that it worked and then not what came of it."""
    text = "the answer is not JSON; the call was probably carried out"
    return OpError(HTTP_ERROR, _http_text(str(status), text, route), status=status)


def _of_response(response: Response, route: str) -> OpError:
    if response.status == 429:
        after = round(read_rate_limited(response).retry_after, 3)
        return OpError(RATE_LIMITED, f"Discord rate limited for {route}", status=429, retry_after=after)
    try:
        said = msgspec.json.decode(response.body, type=_Said)
    except UNREADABLE:
        said = _Said("the answer is not Discord's usual JSON")
    details = [detail for detail, _ in zip(_details(said.errors), range(_DETAILS), strict=False)]
    text = said.message[:_TEXT_LIMIT] + (f": {'; '.join(details)}"[:_TEXT_LIMIT] if details else "")
    return OpError(
        HTTP_ERROR,
        _http_text(str(response.status), text or "no message", route),
        status=response.status,
        discord_code=said.code,
    )


def _of_refusal(refused: Refused, route: str) -> OpError:
    text = f"Discord rate limited for {route}: {_WHY[refused.why]}"
    if refused.retry_after:
        text += f" (try again in {refused.retry_after:.1f} s)"
    seconds = round(refused.retry_after, 3)
    suspended = seconds if refused.why is Why.SUSPENDED else 0.0
    return OpError(RATE_LIMITED, text, retry_after=seconds, suspended=suspended)


def _http_text(status: str, text: str, route: str) -> str:
    return f"Discord HTTP error ({status}): {text} (route: {route})"


def _details(errors: Any, field: str = "", *, depth: int = 0) -> Iterator[str]:
    """``embeds.0.title: Must be 256 or fewer in length.`` for each of Discord's nested ``errors``."""
    if not isinstance(errors, dict) or depth > _DEPTH:
        return
    for name, value in cast("dict[str, Any]", errors).items():
        if name != "_errors":
            yield from _details(value, f"{field}.{name}" if field else name, depth=depth + 1)
        elif isinstance(value, list):
            for error in cast("list[Any]", value):
                text = cast("dict[str, Any]", error).get("message") if isinstance(error, dict) else None
                yield f"{field}: {text}" if field else str(text)
