"""The only module that imports SimCord, and so the only one that knows its insides.

SimCord is an in-process simulator for discord.py: one ``Backend`` holds the world and emits gateway
events, a table of handlers answers REST calls. It is meant to be driven through a discord.py client in
the same process; here there is none, so the handlers are called directly and the events are taken from
the backend. That touches names that SimCord does not promise to keep: ``simcord_check`` tries each of
them before anything else starts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

from simcord import intents as simcord_intents
from simcord._clock import Clock
from simcord.backend import Backend, errors, serializers
from simcord.backend.access import channel_accessible, message_accessible, reaction_permissions
from simcord.backend.cdn import CdnStore, sticker_url
from simcord.backend.command_access import command_access
from simcord.backend.errors import BackendError, OptionError, SetupError
from simcord.backend.models import (
    EPHEMERAL_FLAG,
    Channel,
    Guild,
    Interaction,
    Member,
    Message,
    Role,
    User,
)
from simcord.components import validate_modal, walk_components
from simcord.enums import (
    SELECT_TYPES,
    AppCommandType,
    ChannelType,
    ComponentType,
    InteractionType,
    OptionType,
)
from simcord.http import router
from simcord.http import routes as _handlers  # noqa: F401  importing registers every handler
from simcord.interactions import (
    base_payload,
    nest_options,
    parse_option_input,
    store_interaction_attachment,
)

__all__ = [
    "EPHEMERAL_FLAG",
    "SELECT_TYPES",
    "SIMCORD_VERSION",
    "AppCommandType",
    "Backend",
    "BackendError",
    "CdnStore",
    "Channel",
    "ChannelType",
    "Clock",
    "ComponentType",
    "Guild",
    "Interaction",
    "InteractionType",
    "Member",
    "Message",
    "OptionError",
    "OptionType",
    "RequestContext",
    "Role",
    "Route",
    "SetupError",
    "Upload",
    "User",
    "base_payload",
    "channel_accessible",
    "command_access",
    "errors",
    "message_accessible",
    "nest_options",
    "parse_option_input",
    "reaction_permissions",
    "routes",
    "serializers",
    "simcord_intents",
    "sticker_url",
    "store_interaction_attachment",
    "validate_modal",
    "walk_components",
]

SIMCORD_VERSION: Final = "3.2.1"
RequestContext = router.RequestContext
_WITHOUT_MEANING: Final = frozenset(("nonce", "enforce_nonce", "tts"))
"""Fields that client libraries send along where Discord ignores them as well."""


@dataclass(slots=True)
class Upload:
    """A file of a multipart request, with the three attributes that SimCord's handlers read."""

    filename: str
    fp: BytesIO
    description: str | None = None


class _Context(RequestContext):
    """A request whose unmodelled fields are noted instead of refused: Discord ignores or honours them."""

    unmodelled: list[str]

    def fields(
        self,
        *handled: str,
        ignore: tuple[str, ...] = (),
        reject: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        source = self.body() if body is None else body
        unknown = tuple(sorted(source.keys() - {*handled, *ignore}))
        self.unmodelled.extend(field for field in unknown if field not in _WITHOUT_MEANING)
        del reject
        return super().fields(*handled, ignore=(*ignore, *unknown), body=source)

    def list_fields(self, *handled: str, ignore: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        items: list[Any] = self.json if isinstance(self.json, list) else []
        keys = {key for item in items if isinstance(item, dict) for key in item}
        unknown = tuple(sorted(keys - {*handled, *ignore}))
        self.unmodelled.extend(unknown)
        return super().list_fields(*handled, ignore=(*ignore, *unknown))


@dataclass(frozen=True, slots=True)
class Route:
    """One of SimCord's REST handlers."""

    method: str
    template: str
    handler: Callable[[RequestContext], Any]

    def __call__(
        self,
        backend: Backend,
        args: dict[str, str],
        *,
        path: str = "",
        json: Any = None,
        params: Mapping[str, str] | None = None,
        files: list[Upload] | None = None,
        reason: str | None = None,
        message_content: bool = True,
    ) -> tuple[Any, list[str]]:
        """Run the handler: its answer, and the body's fields that it does not model.

        Raises BackendError with Discord's code, and whatever a handler lets slip on a malformed body.
        """
        context = _Context(
            backend,
            args,
            json=json,
            params=dict(params or {}),
            files=list(files or ()),
            reason=reason,
            method=self.method,
            path=path,
            message_content_access=message_content,
        )
        context.unmodelled = []
        return self.handler(context), context.unmodelled


def routes() -> list[Route]:
    """Every REST route of SimCord."""
    return [
        Route(method, "/" + "/".join(segments), handler)
        for method, table in router._ROUTES.items()  # noqa: SLF001
        for segments, handler in table
    ]
