"""Routes of Discord that SimCord lacks and that bots call: where the gateway is, who the bot is, …"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from flora_simulator.gateway import Hub
from flora_simulator.live_backend import LiveBackend
from flora_simulator.routing import Call, Endpoint
from flora_simulator.settings import SimulatorSettings
from flora_simulator.simcord_port import BackendError, Route, errors, serializers

Json = dict[str, Any]

GATEWAY: Final = "/gateway"
_PINS: Final = "/channels/{channel_id}/pins"
_WEBHOOK: Final = "/webhooks/{webhook_id}/{token}"
_NEW_PINS: Final = "/channels/{channel_id}/messages/pins"


class ExtraRoutes:
    """Their handlers."""

    def __init__(self, backend: LiveBackend, hub: Hub, settings: SimulatorSettings) -> None:
        self._backend = backend
        self._hub = hub
        self._settings = settings

    def endpoints(self) -> list[Endpoint]:
        """What there is."""
        return [
            Endpoint("GET", GATEWAY, self._gateway),
            Endpoint("GET", f"{GATEWAY}/bot", self._gateway_bot),
            Endpoint("GET", "/applications/@me", self._application),
            Endpoint("PATCH", "/applications/@me", self._application),
            Endpoint("GET", "/oauth2/applications/@me", self._application),
            Endpoint("GET", "/guilds/{guild_id}/members/search", self._search_members),
        ]

    def _gateway(self, call: Call) -> Json:
        return {"url": f"ws://{call.host}{GATEWAY}"}

    def _gateway_bot(self, call: Call) -> Json:
        left, reset_after = self._hub.identifies_left()
        return {
            "url": f"ws://{call.host}{GATEWAY}",
            "shards": self._settings.shards,
            "session_start_limit": {
                "total": self._settings.identifies_per_day,
                "remaining": left,
                "reset_after": round(reset_after * 1000),
                "max_concurrency": self._settings.max_concurrency,
            },
        }

    def _application(self, _call: Call) -> Json:
        backend = self._backend
        owner = next((user for user in backend.users.values() if not user.bot), backend.bot_user)
        return {
            "id": str(backend.application_id),
            "name": backend.bot_user.name,
            "icon": None,
            "description": "",
            "summary": "",
            "bot_public": True,
            "bot_require_code_grant": False,
            "verify_key": "0" * 64,
            "owner": serializers.user_payload(owner),
            "bot": serializers.user_payload(backend.bot_user),
            "flags": 0,
            "team": None,
            "approximate_guild_count": len(backend.guilds),
        }

    def _search_members(self, call: Call) -> list[Json]:
        guild = self._backend.get_guild(int(call.args["guild_id"]))
        query = call.params.get("query", "").lower()
        if not query:
            raise BackendError(400, 50035, "Invalid Form Body: query: This field is required")
        found = [
            dict(serializers.member_payload(self._backend, guild, member))
            for member in guild.members.values()
            if self._backend.users[member.user_id].name.lower().startswith(query)
            or (member.nick or "").lower().startswith(query)
        ]
        return found[: int(call.params.get("limit", "1"))]


def webhooks_in_threads(
    simcord: list[Route], run: Callable[[Route, Call], Any], backend: LiveBackend
) -> list[Endpoint]:
    """What a webhook does, also in the thread that the query names: SimCord knows its own channel only."""

    def in_thread(route: Route) -> Callable[[Call], Any]:
        def answer(call: Call) -> Any:
            thread = backend.channels.get(int(call.params.get("thread_id", "0")))
            webhook = backend.webhooks.get(int(call.args["webhook_id"]))
            if "thread_id" not in call.params or webhook is None:
                return run(route, call)
            if thread is None or thread.parent_id != webhook.channel_id:
                raise errors.unknown_channel()
            own, webhook.channel_id = webhook.channel_id, thread.id
            try:
                return run(route, call)
            finally:
                webhook.channel_id = own

        return answer

    return [
        Endpoint(route.method, route.template, in_thread(route))
        for route in simcord
        if route.template.startswith(_WEBHOOK) and route.method != "GET"
    ]


def old_pins(simcord: list[Route], run: Callable[[Route, Call], Any]) -> list[Endpoint]:
    """The pin routes as they were until 2025, by those of today."""
    new = {(route.method, route.template): route for route in simcord}
    listing = new["GET", _NEW_PINS]

    def list_pins(call: Call) -> list[Any]:
        return [item["message"] for item in run(listing, call)["items"]]

    def change(route: Route) -> Callable[[Call], Any]:
        return lambda call: run(route, call)

    return [
        Endpoint("GET", _PINS, list_pins),
        *(
            Endpoint(method, f"{_PINS}/{{message_id}}", change(new[method, f"{_NEW_PINS}/{{message_id}}"]))
            for method in ("PUT", "DELETE")
        ),
    ]
