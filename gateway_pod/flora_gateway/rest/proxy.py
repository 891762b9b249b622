"""Executes the ops of guilds' scripts against Discord.

The gateway is the only holder of the bot's token, and the only place that stands between a script and
every other guild. So each op is checked here: that it is one we know, that its arguments cannot mean
anything but what its route says, that what it names belongs to the guild that asks. Then it waits its
turn in the limiter, and Discord's answer goes back as it came.

In the usual case (known channel, open bucket, free connection) ``execute`` writes the request to the
socket before it returns, without a task, a future or a timer; the answer's callback ends in ``done``.
``done(ok, value)`` is called exactly once, perhaps before ``execute`` returns; ``value`` is JSON in one
line: Discord's answer, or an ``OpError``. Only what ``close`` gives up gets no answer: whoever asked has no
reason to fail, it asks the next gateway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple, Protocol

import msgspec

from flora_core.errors import InvalidInput
from flora_core.ids import parse_snowflake
from flora_core.window import SlidingWindow
from flora_core.wire.gateway import Op, OpError
from flora_gateway.rest import answers, metrics
from flora_gateway.rest.aiohttp_transport import AiohttpTransport
from flora_gateway.rest.calls import Call, Verdict
from flora_gateway.rest.command_sync import CommandSync
from flora_gateway.rest.invalid import InvalidRequests
from flora_gateway.rest.limiter import Limiter
from flora_gateway.rest.lookup import Ask, OwnerLookup
from flora_gateway.rest.ownership import Finding, Outside, Ownership
from flora_gateway.rest.plans import Args, Plan, parse_args
from flora_gateway.rest.pool import LeanTransport
from flora_gateway.rest.route_table import (
    GET_CHANNEL,
    GET_GUILD_COMMANDS,
    GET_WEBHOOK,
    GET_WEBHOOK_WITH_TOKEN,
    LOOK_UP_GUILD,
    LOOK_UP_MEMBER,
    ROUTES,
)
from flora_gateway.rest.routes import Route, ScopeRule
from flora_gateway.rest.scope import Scope
from flora_gateway.rest.sender import Sender
from flora_gateway.rest.settings import API_PATH, RestSettings
from flora_gateway.rest.transport import Response, Transport, parse_base
from flora_gateway.rest.uploads import Uploads

Done = Callable[[bool, bytes], None]

UPSERT: Final = "upsertGuildCommands"
SUGGESTIONS: Final = 20
"""A second, for scripts that call ops that do not exist; each takes 0.1 ms."""

_encode: Final = msgspec.json.Encoder().encode


class Secret(Protocol):
    """The bot's token, in something that does not print it."""

    def get_secret_value(self) -> str: ...


class Waiting(NamedTuple):
    """Whom a call's answer goes to."""

    plan: Plan
    done: Done
    started: float
    token: str
    """The interaction's or webhook's, to be kept out of errors."""
    repeated: bool
    """The op was sent before, with unknown effect."""


def make_transport(settings: RestSettings) -> Transport:
    """The HTTP client that ``settings`` names."""
    origin, _ = parse_base(settings.api_url, default_path=API_PATH)
    client = AiohttpTransport if settings.http_client == "aiohttp" else LeanTransport
    return client(
        origin,
        connections=settings.rest_connections,
        waiting=settings.rest_waiting,
        connect_seconds=settings.rest_connect_timeout_ms / 1000,
    )


class Proxy:
    """Takes ops, gives results. Belongs to the loop it is made in; ``close`` it."""

    def __init__(
        self,
        settings: RestSettings,
        *,
        token: Secret,
        application: str,
        scope: Scope,
        transport: Transport | None = None,
        routes: Mapping[str, Route] = ROUTES,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._settings = settings
        self._deadline = settings.rest_deadline_ms / 1000
        self._secret = _checked_token(token)
        parse_snowflake(application, field="application")
        self._scope = scope
        _, prefix = parse_base(settings.api_url, default_path=API_PATH)

        def compiled(route: Route) -> Plan:
            return Plan(
                route,
                prefix=prefix,
                application=application,
                user_agent=settings.user_agent,
                authorization=f"Bot {self._secret}",
            )

        self._plans = {name: compiled(route) for name, route in routes.items()}
        self._get_channel = compiled(GET_CHANNEL)
        self._get_webhook = compiled(GET_WEBHOOK)
        self._get_webhook_with_token = compiled(GET_WEBHOOK_WITH_TOKEN)
        self._get_commands = compiled(GET_GUILD_COMMANDS)
        self._look_up_guild = compiled(LOOK_UP_GUILD)
        self._look_up_member = compiled(LOOK_UP_MEMBER)
        self._put_commands = compiled(ROUTES[UPSERT])
        self._sender = Sender(
            transport or make_transport(settings),
            Limiter(
                global_limit=settings.global_limit,
                guild_limit=settings.guild_limit,
                guild_concurrency=settings.guild_concurrency,
                guild_queue=settings.guild_queue,
            ),
            InvalidRequests(limit=settings.invalid_limit, guild_limit=settings.guild_invalid_limit),
            attempt_seconds=settings.rest_timeout_ms / 1000,
        )
        self._ownership = Ownership(
            scope,
            channels=self._lookup(self._ask_channel, scope.learn_channel),
            webhooks=self._lookup(self._ask_webhook, scope.learn_webhook),
        )
        self._uploads = Uploads()
        self._commands = CommandSync(self._fetch_commands, self._write_commands)
        self._suggestions = SlidingWindow(SUGGESTIONS, seconds=1.0)
        self._on_verdict = self._answer
        self._closing = False

    def _lookup(self, ask: Ask, learn: Callable[[str, str], None]) -> OwnerLookup:
        return OwnerLookup(ask, learn, per_minute=self._settings.scope_lookups, clock=self._loop.time)

    def execute(self, op: Op, done: Done) -> None:
        """Carry out ``op``. Never raises for what is in it."""
        plan = self._plans.get(op.name)
        if plan is None:
            self._fail(done, answers.unknown_op(op.name, self._names_to_suggest()))
            return
        try:
            self._execute(op, plan, parse_args(op.args), done)
        except InvalidInput as error:
            self._fail(done, answers.invalid(error))

    async def look_up(self, guild: str, user: str = "") -> Verdict:
        """What Discord says of ``guild``, or of its member ``user``; for others than the guild's script.

        Counted apart from what the script does: neither hinders the other.
        """
        answered: asyncio.Future[Verdict] = self._loop.create_future()

        def done(verdict: Verdict) -> None:
            if not answered.done():
                answered.set_result(verdict)

        plan, path = self._look_up_guild, {"guild": guild}
        if user:
            plan, path = self._look_up_member, {"guild": guild, "user": user}
        self._call(plan, f"~{guild}", path, self._loop.time() + self._deadline, done)
        return await answered

    def forget(self, guild: str) -> None:
        """The bot is no longer in ``guild``."""
        self._commands.forget(guild)

    async def close(self) -> None:
        """Carry out no more ops; those in flight get a while to finish, the rest are left to a successor."""
        self._closing = True
        await self._sender.close(seconds=self._settings.rest_close_timeout_ms / 1000)

    # An op on its way out.

    def _execute(self, op: Op, plan: Plan, args: Args, done: Done) -> None:
        guild, path, rule = op.guild, args.path, plan.scope
        if rule is ScopeRule.GUILD and path.setdefault("guild", guild) != guild:
            self._forbid(done, "guild")
            return
        prepared = plan.prepare(args)
        now = self._loop.time()
        give_up_at = now + self._deadline
        token = path.get("token", "")
        if rule is ScopeRule.INTERACTION:
            age = self._scope.interaction_age(guild, token, interaction=path.get("interaction", ""))
            if age is None:
                self._forbid(done, "interaction")
                return
            give_up_at = min(give_up_at, now + plan.lifetime - age)
            if give_up_at <= now:
                self._fail(done, answers.expired(plan.name))
                return
        if prepared.file_bytes:
            held = self._uploads.hold(guild, prepared.file_bytes, done)
            if held is None:
                self._fail(done, answers.too_many_files(plan.name))
                return
            done = held
        call = Call(
            method=plan.method,
            target=prepared.target,
            headers=prepared.headers,
            body=prepared.body,
            guild=guild,
            key=(plan.name, prepared.major),
            tokenised=plan.tokenised,
            anonymous=plan.anonymous,
            repeatable=prepared.repeatable,
            give_up_at=give_up_at,
            done=self._on_verdict,
            context=Waiting(plan, done, now, token, op.repeated),
        )
        self._ownership.check(guild, rule, path, prepared.named, lambda found: self._checked(call, found))

    def _checked(self, call: Call, found: Finding) -> None:
        if found is None:
            self._submit(call)
        elif isinstance(found, Outside):
            self._forbid(call.context.done, found.what)
        else:
            self._answer(call, found)

    def _submit(self, call: Call) -> None:
        waiting: Waiting = call.context
        if waiting.plan.name != UPSERT:
            self._sender.submit(call)
            return
        body = call.body or b"[]"
        try:
            self._commands.upsert(
                call.guild, body, call.give_up_at, lambda verdict: self._answer(call, verdict)
            )
        except InvalidInput as error:
            self._fail(waiting.done, answers.invalid(error))

    # Calls of the gateway's own.

    def _ask_channel(self, guild: str, channel: str, on_verdict: Callable[[Verdict], None]) -> None:
        deadline = self._loop.time() + self._deadline
        self._call(self._get_channel, guild, {"channel": channel}, deadline, on_verdict)

    def _ask_webhook(self, guild: str, key: str, on_verdict: Callable[[Verdict], None]) -> None:
        webhook, _, token = key.partition("/")
        deadline = self._loop.time() + self._deadline
        if token:
            path = {"webhook": webhook, "token": token}
            self._call(self._get_webhook_with_token, guild, path, deadline, on_verdict)
        else:
            self._call(self._get_webhook, guild, {"webhook": webhook}, deadline, on_verdict)

    def _fetch_commands(self, guild: str, give_up_at: float, on_verdict: Callable[[Verdict], None]) -> None:
        self._call(self._get_commands, guild, {"guild": guild}, give_up_at, on_verdict)

    def _write_commands(
        self, guild: str, body: bytes, give_up_at: float, on_verdict: Callable[[Verdict], None]
    ) -> None:
        self._call(self._put_commands, guild, {"guild": guild}, give_up_at, on_verdict, body=body)

    def _call(
        self,
        plan: Plan,
        guild: str,
        path: dict[str, str],
        give_up_at: float,
        on_verdict: Callable[[Verdict], None],
        *,
        body: bytes = b"",
    ) -> None:
        prepared = plan.prepare(Args(path=path, body=msgspec.Raw(body)))
        self._sender.submit(
            Call(
                method=plan.method,
                target=prepared.target,
                headers=prepared.headers,
                body=prepared.body,
                guild=guild,
                key=(plan.name, prepared.major),
                anonymous=plan.anonymous,
                repeatable=plan.repeatable,
                give_up_at=give_up_at,
                done=lambda _call, verdict: on_verdict(verdict),
            )
        )

    # A verdict on its way back.

    def _answer(self, call: Call, verdict: Verdict) -> None:
        waiting: Waiting = call.context
        plan, done = waiting.plan, waiting.done
        if self._closing and not isinstance(verdict, Response):
            return
        plan.metrics.observe(self._loop.time() - waiting.started)
        if plan.route.changes_commands:
            self._commands.forget(call.guild)
        if isinstance(verdict, Response) and 200 <= verdict.status < 300:
            value = answers.in_one_line(verdict)
            if value is not None:
                done(True, value)
            else:
                self._fail(done, answers.not_json(verdict.status, plan.name))
            return
        error = answers.of_verdict(verdict, plan.name, secrets=(self._secret, waiting.token))
        if waiting.repeated and plan.acknowledges and error.discord_code == answers.ALREADY_ACKNOWLEDGED:
            done(True, b"null")  # the first time did it; only its answer was lost
            return
        if self._sender.newly_suspended(call.guild):
            error = answers.with_notice(error, self._settings.guild_invalid_limit)
        self._fail(done, error)

    def _names_to_suggest(self) -> Iterable[str]:
        """The ops' names; none when asked too often, because looking for the near ones is slow."""
        now = self._loop.time()
        if self._suggestions.opens_at(now) > now:
            return ()
        self._suggestions.mark(now)
        return self._plans

    def _forbid(self, done: Done, what: str) -> None:
        metrics.SCOPE_FORBIDDEN.inc()
        self._fail(done, answers.forbidden(what))

    def _fail(self, done: Done, error: OpError) -> None:
        done(False, _encode(error))


def _checked_token(token: Secret) -> str:
    """The token as it goes into a header; raises InvalidInput without repeating it."""
    text = token.get_secret_value().strip()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise InvalidInput("the bot token must be printable ASCII without spaces; check DISCORD_TOKEN")
    return text
