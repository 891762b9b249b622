"""Whether the installed SimCord is the one that ``simcord_port`` was written for."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from flora_simulator.errors import SimcordMismatch
from flora_simulator.live_backend import LiveBackend
from flora_simulator.simcord_port import (
    SIMCORD_VERSION,
    Backend,
    CdnStore,
    Interaction,
    RequestContext,
    routes,
    simcord_intents,
)


def self_test() -> None:
    """Raise SimcordMismatch when the installed SimCord is not what this module expects."""
    problems = [name for name, check in _expectations() if not _holds(check)]
    if problems:
        raise SimcordMismatch(
            f"SimCord {version('simcord')} is installed, {SIMCORD_VERSION} is expected; "
            f"these no longer hold: {', '.join(problems)}"
        )


def _holds(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except Exception:  # noqa: BLE001  whatever it is, the installed SimCord is another one
        return False


def _expectations() -> list[tuple[str, Callable[[], bool]]]:
    def parameters(function: Callable[..., Any], *names: str) -> Callable[[], bool]:
        return lambda: set(names) <= set(inspect.signature(function).parameters)

    def field_names(cls: type, *names: str) -> Callable[[], bool]:
        return lambda: set(names) <= set(inspect.get_annotations(cls))

    return [
        (f"version {SIMCORD_VERSION}", lambda: version("simcord") == SIMCORD_VERSION),
        ("http.router._ROUTES with 140 routes", lambda: len(routes()) >= 140),
        ("http.RequestContext's fields", parameters(RequestContext, "args", "json", "files")),
        ("RequestContext.fields(body=)", parameters(RequestContext.fields, "ignore", "body")),
        ("Backend(clock=)", parameters(Backend.__init__, "clock")),
        ("Backend.create_guild(id=, owner_id=)", parameters(Backend.create_guild, "id", "owner_id")),
        ("Backend.commit_message(broadcast=)", parameters(Backend.commit_message, "broadcast")),
        (
            "models.Interaction's fields",
            field_names(Interaction, "initial_response_deadline", "expires_at", "modal", "modal_consumed"),
        ),
        ("cdn.CdnStore.store_attachment", parameters(CdnStore.store_attachment, "filename", "description")),
        ("intents.EVENT_INTENTS", lambda: "MESSAGE_CREATE" in simcord_intents.EVENT_INTENTS),
        ("a message through its handler", _message_round_trip),
    ]


def _message_round_trip() -> bool:
    """The clock, the ids, the handlers and the events work together."""
    backend = LiveBackend()
    seen: list[str] = []
    guild = backend.create_guild("self-test")
    with backend.with_id(7):
        channel = backend.create_channel(guild.id, "general")
    backend.subscribers.append(lambda event, _payload: seen.append(event))
    create = next(
        r for r in routes() if (r.method, r.template) == ("POST", "/channels/{channel_id}/messages")
    )
    answer, unmodelled = create(backend, {"channel_id": "7"}, json={"content": "hi", "unheard_of": 1})
    return (
        channel.id == 7
        and answer["content"] == "hi"
        and int(answer["id"]) > guild.id
        and unmodelled == ["unheard_of"]
        and seen == ["MESSAGE_CREATE"]
    )
