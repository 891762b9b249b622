"""A deploy under way: what is sent, and what becomes of it. Used by ``flora deploy`` and ``flora rollback``.

The API is asked without ``wait`` and then followed by the revision's own stream of progress. So a connection
that breaks costs nothing: the stream is opened again, and when it tells nothing the revision says how it
ended. The deploy goes on in any case, whether somebody follows it or not.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from flora_cli.client import Api, code_of, segment
from flora_cli.errors import CliError, NotAllowed, NotThere, Unavailable
from flora_cli.retries import reconnect_after
from flora_core.errors import FloraError
from flora_core.toolchain.diagnostics import Diagnostic, render_all
from flora_core.wire import UNREADABLE

SOURCE: Final = {"X-Flora-Deploy-Source": "cli"}
FOLLOW_SECONDS: Final = 180.0
"""How long a deploy is followed; the API settles every one sooner."""


class DeployFailed(CliError):
    """The script does not run; what ran before goes on."""


class Deployed(Struct, frozen=True):
    """What a deploy or rollback is answered."""

    guild_id: str
    revision_id: str = ""
    entry: str = ""
    updated_at: str = ""


class Ready(Struct, frozen=True):
    """How a deploy ended well."""

    revision_id: str = ""
    pod: str = ""
    milliseconds: float = 0.0


class Failed(Struct, frozen=True):
    """How one did not."""

    revision_id: str = ""
    code: str = ""
    message: str = ""
    stack: str = ""


class Step(Struct, frozen=True):
    """One line of progress."""

    step: str = ""
    message: str = ""


class RevisionState(Struct, frozen=True):
    """The part of a revision that says how it ended."""

    status: Literal["pending", "success", "failed"]
    error_message: str | None = None


def explained(error: FloraError) -> FloraError:
    """``error``, with the places in the author's code that it is about when the API names them."""
    if code_of(error) != "BUNDLE_FAILED":
        return error
    try:
        diagnostics = msgspec.convert(_details(error).get("diagnostics"), list[Diagnostic])
    except msgspec.ValidationError:
        diagnostics = []
    return DeployFailed(render_all(diagnostics) if diagnostics else str(error), code="BUNDLE_FAILED")


def follow(
    api: Api,
    deployed: Deployed,
    *,
    say: Callable[[Step], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Ready:
    """Wait until the deploy is ready; raises DeployFailed, or Unavailable when that cannot be learnt."""
    path = f"/deployments/{segment(deployed.guild_id)}/revisions/{segment(deployed.revision_id)}"
    deadline = clock() + FOLLOW_SECONDS
    breaks, why = 0, "it takes very long"
    while clock() < deadline:
        try:
            ended = _stream(api, f"{path}/progress", say) or _settled(api, path)
            if ended is not None:
                return ended
        except Unavailable as error:
            why = str(error)
        breaks += 1
        sleep(reconnect_after(breaks, draw=random.random()))  # noqa: S311  no secret
    raise Unavailable(
        f"how the deploy of {deployed.guild_id} ended is not known ({why}); it goes on without us: "
        f"flora history --guild {deployed.guild_id}"
    )


def _stream(api: Api, path: str, say: Callable[[Step], None]) -> Ready | None:
    """Follow the stream to its end; None when it ended without saying how the deploy did."""
    try:
        for event in api.stream(path, {}):
            data = event.data.encode()
            if event.name == "progress":
                say(_decoded(data, Step))
            elif event.name == "ready":
                return _decoded(data, Ready)
            elif event.name == "failed":
                raise _failure(_decoded(data, Failed))
    except NotThere:
        return None
    return None


def _settled(api: Api, path: str) -> Ready | None:
    """How the revision says that it ended; None while it is pending, or where only the stream may tell."""
    try:
        state = api.get(path, RevisionState)
    except NotAllowed:  # a token that is for deploys alone
        return None
    if state.status == "failed":
        raise _failure(Failed(message=state.error_message or "the deploy failed"))
    return Ready() if state.status == "success" else None


def _failure(failed: Failed) -> DeployFailed:
    frames = "".join(f"\n    {line.strip()}" for line in failed.stack.splitlines())
    return DeployFailed(f"{failed.message}{frames}", code=failed.code)


def _details(error: FloraError) -> dict[str, Any]:
    return getattr(error, "details", {})


def _decoded(data: bytes, into: type[Any]) -> Any:
    try:
        return msgspec.json.decode(data, type=into)
    except UNREADABLE as error:
        raise Unavailable(f"the API's progress cannot be read: {error}") from None
