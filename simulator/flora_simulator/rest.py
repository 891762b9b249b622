"""The REST API: one aiohttp handler in front of SimCord's route table.

The order is Discord's as far as it can be told from outside: a ban comes before everything, then the
token, then whether there is such a route, then its rate limit, then the body, then what it does. Faults
that a test asked for come first of all, or swallow the answer at the end.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import unquote

import msgspec
from aiohttp import web

from flora_core.telemetry import logger
from flora_simulator import discord_errors, ratelimits
from flora_simulator.commands import command_endpoints
from flora_simulator.extra_routes import GATEWAY, ExtraRoutes, old_pins, webhooks_in_threads
from flora_simulator.faults import Faults
from flora_simulator.gateway import Hub
from flora_simulator.nonces import Nonces
from flora_simulator.observer import Observer
from flora_simulator.ratelimits import CALLBACK, InvalidRequests, RateLimits
from flora_simulator.request_body import InvalidBody, read_body
from flora_simulator.routing import Call, Endpoint, Router, WrongMethod
from flora_simulator.settings import SimulatorSettings
from flora_simulator.simcord_port import BackendError, Route, routes, serializers
from flora_simulator.wire import Fault
from flora_simulator.world import World

_log = logger("flora_simulator.rest")

PREFIXES: Final = ("/api/v10", "/api/v9", "/api")
_UNKNOWN: Final = "unknown route"
_LONGEST_NONCE: Final = 25
_MESSAGE_CREATE: Final = ("POST", "/channels/{channel_id}/messages")
_WEBHOOK_EXECUTE: Final = ("POST", "/webhooks/{webhook_id}/{token}")
_CREATED: Final = frozenset(
    (
        ("POST", "/guilds/{guild_id}/channels"),
        ("POST", "/channels/{channel_id}/threads"),
        ("POST", "/channels/{channel_id}/messages/{message_id}/threads"),
        ("POST", "/applications/{application_id}/commands"),
        ("POST", "/applications/{application_id}/guilds/{guild_id}/commands"),
    )
)
_BANNED: Final = "<html><title>Access denied | discord.com used Cloudflare to restrict access</title></html>"

encode: Final = msgspec.json.Encoder().encode
Answer = tuple[int, Any, Mapping[str, str]]


class ConnectionCut(Exception):
    """The client gets no answer."""


class Rest:
    """Answers every path under ``/api``."""

    def __init__(self, world: World, hub: Hub, settings: SimulatorSettings, observer: Observer) -> None:
        loop = asyncio.get_running_loop()
        self._world = world
        self._observer = observer
        self._settings = settings
        self._nonces = Nonces(settings.nonce_window_secs, now=loop.time)
        self._gaps: set[str] = set()
        self.limits = RateLimits(
            enabled=settings.rate_limits,
            factor=settings.rate_limit_factor,
            now=lambda: world.backend.clock.now().timestamp(),
        )
        self.invalid = InvalidRequests(settings.invalid_request_limit, now=loop.time)
        self.faults = Faults()
        self.calls: Counter[str] = Counter()
        self.rate_limited = 0
        simcord = routes()
        self._router = Router(
            [
                *ExtraRoutes(world.backend, hub, settings).endpoints(),
                *command_endpoints(world.backend),
                *old_pins(simcord, self._run_simcord),
                *webhooks_in_threads(simcord, self._run_simcord, world.backend),
                *(Endpoint(r.method, r.template, partial(self._run_simcord, r)) for r in simcord),
            ]
        )

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one call, whatever it is."""
        call = _call(request)
        endpoint = self._find(call)
        fault = self.faults.take(call.method, call.path)
        try:
            status, body, headers = await self._answer_with(fault, request, call, endpoint)
        except ConnectionCut:
            self._count(call, endpoint, "cut")
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        self._count(call, endpoint, status)
        self.invalid.count(status, scope=headers.get("X-RateLimit-Scope"))
        return _response(status, body, headers)

    def _find(self, call: Call) -> Endpoint | None:
        """What is asked for; None when there is nothing of the kind."""
        try:
            found = self._router.find(call.method, call.path)
        except WrongMethod:
            return Endpoint(call.method, _UNKNOWN, _wrong_method)
        if found is None:
            return None
        call.args = found[1]
        return found[0]

    async def _answer_with(
        self, fault: Fault | None, request: web.Request, call: Call, endpoint: Endpoint | None
    ) -> Answer:
        """The answer, or what ``fault`` makes of it."""
        if fault is None:
            return await self._answer(request, call, endpoint)
        await asyncio.sleep(fault.delay)
        if not fault.after:
            return _fail(fault) or await self._answer(request, call, endpoint)
        answer = await self._answer(request, call, endpoint)
        return _fail(fault) or answer

    async def _answer(self, request: web.Request, call: Call, endpoint: Endpoint | None) -> Answer:
        if self.invalid.banned:
            return 429, _BANNED, {}
        if not self._may(request, endpoint):
            return *discord_errors.UNAUTHORIZED, {}
        if endpoint is None:
            self._note_gap(f"{call.method} {call.path}", "no such route in the simulator")
            return *discord_errors.NOT_FOUND, {}
        verdict = self.limits.take(call.method, endpoint.template, call.args)
        if verdict.retry_after is not None:
            return 429, verdict.body(), verdict.headers
        return *await self._read_and_run(request, endpoint, call), verdict.headers

    def _may(self, request: web.Request, endpoint: Endpoint | None) -> bool:
        """Whether the bot's token came, where one is needed."""
        if endpoint is not None and ("{token}" in endpoint.template or endpoint.template == GATEWAY):
            return True
        return request.headers.get("Authorization") == f"Bot {self._world.token}"

    async def _read_and_run(self, request: web.Request, endpoint: Endpoint, call: Call) -> tuple[int, Any]:
        try:
            call.json, call.files = await read_body(request)
            return self._run(endpoint, call)
        except InvalidBody:
            return discord_errors.INVALID_JSON
        except web.HTTPRequestEntityTooLarge:
            return discord_errors.TOO_LARGE
        except BackendError as error:
            return discord_errors.body_of(error)
        except Exception:  # noqa: BLE001  a bug in a handler is Discord's 500
            _log.exception("a route failed", route=f"{call.method} {endpoint.template}")
            return discord_errors.SERVER_ERROR

    def _run(self, endpoint: Endpoint, call: Call) -> tuple[int, Any]:
        """Do what the call asks for, in one step: nothing else happens in between."""
        route = endpoint.method, endpoint.template
        backend = self._world.backend
        nonce = _nonce(call) if route == _MESSAGE_CREATE else None
        if nonce is not None and call.body.get("enforce_nonce"):
            earlier = self._nonces.find(backend.bot_user.id, nonce)
            if earlier is not None:
                # Unknown Message when it was deleted since, as Discord says too.
                message = backend.get_message(*earlier)
                return 200, {**serializers.message_payload(backend, message), "nonce": nonce}
        backend.nonce = nonce
        try:
            answer = endpoint.run(call)
        except discord_errors.SLIPS as error:
            raise discord_errors.slipped(error) from error
        finally:
            backend.nonce = None
        if nonce is not None:
            answer["nonce"] = nonce
            self._nonces.remember(
                backend.bot_user.id, nonce, channel=int(call.args["channel_id"]), message=int(answer["id"])
            )
        self._observer.note(endpoint.template, call, answer)
        return self._shape(route, call, answer)

    def _shape(self, route: tuple[str, str], call: Call, answer: Any) -> tuple[int, Any]:
        """The status, and the body where Discord sends one."""
        token = call.args.get("token", "")
        plain_webhook = route == _WEBHOOK_EXECUTE and token not in self._world.backend.interaction_tokens
        if answer is None or (route == CALLBACK and not call.has_flag("with_response")):
            return 204, None
        if plain_webhook and not call.has_flag("wait"):
            return 204, None
        return (201 if route in _CREATED else 200), answer

    def _run_simcord(self, route: Route, call: Call) -> Any:
        answer, unmodelled = route(
            self._world.backend,
            call.args,
            path=call.path,
            json=call.json,
            params=call.params,
            files=call.files,
            reason=call.reason,
            message_content="message_content" in self._settings.privileged_intents,
        )
        for field in unmodelled:
            self._note_gap(f"{route.method} {route.template}", f"field {field} has no effect")
        return answer

    def _note_gap(self, route: str, gap: str) -> None:
        key = f"{route}: {gap}"
        if key not in self._gaps and len(self._gaps) < 1000:
            self._gaps.add(key)
            _log.warning("not simulated", route=route, gap=gap)

    def _count(self, call: Call, endpoint: Endpoint | None, status: int | str) -> None:
        template = endpoint.template if endpoint is not None else _UNKNOWN
        self.calls[f"{call.method} {template} {status}"] += 1
        self.rate_limited += status == 429


def _call(request: web.Request) -> Call:
    # Raw, because SimCord's handlers unquote what they need; "%40me" is how some clients spell "@me".
    path = request.rel_url.raw_path.replace("%40", "@")
    prefix = next(prefix for prefix in PREFIXES if path.startswith(f"{prefix}/"))
    return Call(
        request.method,
        path.removeprefix(prefix),
        params=dict(request.query),
        reason=unquote(request.headers.get("X-Audit-Log-Reason", "")) or None,
        host=request.host,
    )


def _nonce(call: Call) -> str | int | None:
    nonce = call.body.get("nonce")
    if nonce is not None and (not isinstance(nonce, str | int) or len(str(nonce)) > _LONGEST_NONCE):
        raise discord_errors.form_error("nonce", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
    return nonce


def _wrong_method(_call: Call) -> None:
    raise BackendError(405, 0, "405: Method Not Allowed")


def _fail(fault: Fault) -> Answer | None:
    """The answer that ``fault`` puts in place of the true one; raises ConnectionCut."""
    if fault.reset:
        raise ConnectionCut
    if fault.status is None:
        return None
    if fault.status == 429:
        headers, body = ratelimits.refusal(fault.retry_after, scope=fault.scope)
        return 429, body, headers
    return fault.status, {"code": 0, "message": f"{fault.status}: asked for by a test"}, {}


def _response(status: int, body: Any, headers: Mapping[str, str]) -> web.Response:
    if body is None:
        return web.Response(status=status, headers=headers)
    if isinstance(body, str):
        return web.Response(status=status, text=body, content_type="text/html")
    # Exactly this type, without a charset: discord.py compares it as a whole.
    return web.Response(
        status=status, body=encode(body), headers={**headers, "Content-Type": "application/json"}
    )
