"""All gateway sessions of the bot: who may open one, take one up again, and what each is told.

The hub runs on one event loop and awaits nothing, so that an event reaches every session in one step and
all sessions see events in the same order.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final

from flora_simulator.gateway.connection import Connection
from flora_simulator.gateway.counters import GatewayCounters
from flora_simulator.gateway.session import Session, encode, guild_of
from flora_simulator.gateway.visibility import GUILDS, KNOWN, View, disallowed
from flora_simulator.live_backend import LiveBackend
from flora_simulator.settings import SimulatorSettings
from flora_simulator.simcord_port import serializers
from flora_simulator.world import World

_MOST_SESSIONS: Final = 1_000
_DAY: Final = 86_400.0


class Refused(Exception):
    """The client is to be closed with ``code``."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class InvalidSession(Exception):
    """The client is to be told op 9 and may IDENTIFY again."""


class Hub:
    """The sessions, and the switches that tests turn."""

    def __init__(self, world: World, settings: SimulatorSettings) -> None:
        self._world = world
        self._settings = settings
        self._sessions: dict[str, Session] = {}
        self._identify_windows: dict[int, float] = {}
        self._identify_times: deque[float] = deque(maxlen=settings.identifies_per_day)
        self.counters = GatewayCounters()
        self.answer_heartbeats = True
        self.accept_connections = True
        world.backend.subscribers.append(self.tell)

    @property
    def backend(self) -> LiveBackend:
        """The world that the events are about."""
        return self._world.backend

    # -------------------------------------------------------------- events

    def tell(self, event: str, payload: Mapping[str, Any]) -> None:
        """Give ``event`` to every session whose shard, intents and sight it is in."""
        view = View(self._world.backend, event, payload)
        guild = guild_of(event, payload)
        for session in self._live():
            if session.sees_shard(guild) and (data := view.for_intents(session.intents)) is not None:
                session.append(event, data)

    def tell_encoded(self, event: str, guild: int, data: bytes, *, intent: int) -> None:
        """As ``tell`` for an event that is JSON already and the same for everybody with ``intent``."""
        for session in self._live():
            if session.sees_shard(guild) and session.intents & intent:
                session.append(event, data)

    def tell_session(self, session: Session, event: str, payload: object) -> None:
        """Give ``event`` to one session only."""
        session.append(event, encode(payload))

    def listeners(self, guild: int | None) -> int:
        """How many connected sessions see events of ``guild``."""
        return sum(1 for session in self._live() if session.connection and session.sees_shard(guild))

    # ------------------------------------------------------------ sessions

    def identify(self, connection: Connection, order: Mapping[str, Any], *, resume_url: str) -> None:
        """Open a session; raises Refused or InvalidSession (too many identifies at once)."""
        self._check_token(order.get("token"))
        shard, intents = self._check_shard(order.get("shard")), self._check_intents(order.get("intents"))
        self._check_rate(shard)
        self.counters.identifies += 1
        session = Session(shard, intents, self._settings.replay_events)
        self._sessions[session.id] = session
        self._drop_surplus()
        connection.attach(session, after=0)
        self._welcome(session, resume_url)

    def resume(self, connection: Connection, order: Mapping[str, Any], *, at_resume_url: bool) -> None:
        """Take a session up again after ``seq``; raises Refused or InvalidSession.

        A session that still has a connection moves to the new one.
        """
        self._check_token(order.get("token"))
        self.counters.resumes += 1
        self.counters.resumes_elsewhere += not at_resume_url
        session = self.find(str(order.get("session_id")))
        sequence = order.get("seq")
        if session is None or not isinstance(sequence, int):
            self.counters.resumes_failed += 1
            raise InvalidSession
        if not 0 <= sequence <= session.last:
            self.counters.resumes_failed += 1
            self.forget(session)
            raise Refused(4007, "Invalid seq.")
        if not session.can_replay(sequence):
            self.counters.resumes_failed += 1
            self.forget(session)
            raise InvalidSession
        if session.connection is not None:
            session.connection.abort()
        connection.attach(session, after=sequence)
        self.tell_session(session, "RESUMED", {"_trace": ["simulator"]})

    def left(self, connection: Connection, code: int | None) -> None:
        """``connection`` is gone; a client that said 1000 or 1001 has ended its session."""
        self.counters.closes[code or 1006] += 1
        session = connection.session
        if session is None or session.connection is not connection:
            return
        session.connection, session.left_at = None, time.monotonic()
        if connection.closed_with is None and code in {1000, 1001}:
            self.forget(session)

    def forget(self, session: Session) -> None:
        """End ``session``: nobody can resume it."""
        self._sessions.pop(session.id, None)

    def invalidate(self, session: Session, *, resumable: bool) -> None:
        """Say op 9 to the client of ``session``, which may IDENTIFY on the same connection."""
        connection = session.connection
        if not resumable:
            self.forget(session)
        if connection is not None:
            session.connection, session.left_at = None, time.monotonic()
            connection.session = None
            connection.say(9, data=resumable)

    def find(self, session_id: str) -> Session | None:
        """The session of that id, when it can still be resumed."""
        return next((s for s in self._live() if s.id == session_id), None)

    @property
    def sessions(self) -> list[Session]:
        """Every session that is connected or can be resumed."""
        return list(self._live())

    def identifies_left(self) -> tuple[int, float]:
        """Session starts left today, and seconds until the count starts again."""
        now = time.monotonic()
        while self._identify_times and self._identify_times[0] <= now - _DAY:
            self._identify_times.popleft()
        first = self._identify_times[0] if self._identify_times else now
        return self._settings.identifies_per_day - len(self._identify_times), first + _DAY - now

    # ------------------------------------------------------------- details

    def _live(self) -> Iterator[Session]:
        horizon = time.monotonic() - self._settings.resume_window_secs
        for session in list(self._sessions.values()):
            if session.connection is None and session.left_at < horizon:
                self.forget(session)
            else:
                yield session

    def _drop_surplus(self) -> None:
        idle = [session for session in self._sessions.values() if session.connection is None]
        for session in idle[: max(0, len(self._sessions) - _MOST_SESSIONS)]:
            self.forget(session)

    def _check_token(self, token: object) -> None:
        # Discord takes the token with or without "Bot " here.
        if not isinstance(token, str) or token.removeprefix("Bot ") != self._world.token:
            raise Refused(4004, "Authentication failed.")

    def _check_shard(self, shard: object) -> tuple[int, int]:
        match shard if shard is not None else [0, 1]:
            case [int(number), int(count)] if 0 <= number < count:
                pass
            case _:
                raise Refused(4010, "Invalid shard.")
        guilds = sum(1 for guild in self._world.backend.guilds if (guild >> 22) % count == number)
        if guilds > self._settings.guilds_per_shard:
            raise Refused(4011, "Sharding required.")
        return number, count

    def _check_intents(self, intents: object) -> int:
        if not isinstance(intents, int) or intents < 0 or intents & ~KNOWN:
            raise Refused(4013, "Invalid intent(s).")
        if disallowed(intents, self._settings.privileged_intents):
            raise Refused(4014, "Disallowed intent(s).")
        return intents

    def _check_rate(self, shard: tuple[int, int]) -> None:
        left, _ = self.identifies_left()
        if left <= 0:
            raise Refused(4004, "Authentication failed: the day's session starts are used up.")
        now, window = time.monotonic(), shard[0] % self._settings.max_concurrency
        if now < self._identify_windows.get(window, 0.0):
            self.counters.identifies_refused += 1
            raise InvalidSession
        self._identify_windows[window] = now + self._settings.identify_window_secs
        self._identify_times.append(now)

    def _welcome(self, session: Session, resume_url: str) -> None:
        backend = self._world.backend
        guilds = [guild for guild in backend.guilds.values() if session.sees_shard(guild.id)]
        self.tell_session(
            session,
            "READY",
            {
                "v": 10,
                "user": serializers.user_payload(backend.bot_user) | {"email": None},
                "user_settings": {},
                "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
                "private_channels": [],
                "relationships": [],
                "presences": [],
                "session_id": session.id,
                "session_type": "normal",
                "resume_gateway_url": resume_url,
                "shard": list(session.shard),
                "application": {"id": str(backend.application_id), "flags": 0},
                "_trace": ["simulator"],
            },
        )
        if session.intents & GUILDS:
            for guild in guilds:
                view = View(backend, "GUILD_CREATE", serializers.guild_create_payload(backend, guild))
                if (data := view.for_intents(session.intents)) is not None:
                    session.append("GUILD_CREATE", data)
