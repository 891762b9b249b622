"""What the stub knows: two bots, their sessions, the messages that were said and what came back. No I/O.

Two bots may be connected at once (flora's and the plain one), each known by its token; every bot is in all
GUILDS guilds. Nothing is parsed that can be found with a regular expression. The clock is CLOCK_MONOTONIC,
the same in all processes.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import msgspec

from bench import payloads

REPLAY: Final = 20_000
"""Events a session keeps for a RESUME."""
NONCES: Final = 50_000
PROVOKED_SECONDS: Final = 0.1

_REFERENCE: Final = re.compile(rb'"message_id":\s*"?(\d+)')
_CONTENT: Final = re.compile(rb'"content":\s*"((?:[^"\\]|\\.)*)"')
_NONCE: Final = re.compile(rb'"nonce":\s*"?([^",}]+)"?')
_ENFORCED: Final = re.compile(rb'"enforce_nonce":\s*true')


class Order(msgspec.Struct):
    """What to do, for which bot; which fields count depends on the command."""

    bot: str = ""
    count: int = 0
    in_flight: int = 100
    rate: float = 0.0
    seconds: float = 0.0
    patience: float = 15.0
    """Seconds to wait for the last answers."""
    guilds: int = payloads.GUILDS
    """Messages are written in the first so many guilds, in turn."""
    provoked: list[int] = []
    """Indexes of guilds that get a message of their own every ``PROVOKED_SECONDS``; nobody waits for its
    answer."""


@dataclass(slots=True)
class _Sent:
    """A message that was written to the bot."""

    at: float
    answered: float = 0.0
    answers: int = 0
    """Different answers (by nonce); more than one is a reply that people see twice."""


class Client(Protocol):
    """A bot's connection to the gateway."""

    def send_event(self, text: bytes) -> None: ...

    def compressed(self, text: bytes) -> bytes:
        """``text`` as a frame; frames must be written in the order they were made."""
        ...

    def write(self, data: bytes) -> None: ...

    @property
    def unwritten(self) -> int:
        """Bytes that the socket has not taken yet; 0 for none."""
        ...


@dataclass(slots=True)
class Session:
    """What RESUME goes on from."""

    id: str
    bot: Bot
    sequence: int = 0
    kept: deque[tuple[int, bytes]] = field(default_factory=lambda: deque(maxlen=REPLAY))
    connection: Client | None = None

    def dispatch(self, type_: bytes, data: bytes) -> None:
        """One event, to the connection if there is one."""
        self.sequence += 1
        text = b'{"t":"%b","s":%d,"op":0,"d":%b}' % (type_, self.sequence, data)
        self.kept.append((self.sequence, text))
        if self.connection is not None:
            self.connection.send_event(text)


@dataclass(slots=True)
class Bot:
    """One of the two bots."""

    name: str
    user: dict[str, Any]
    template: payloads.AnswerTemplate
    session: Session | None = None
    sent: dict[bytes, _Sent] = field(default_factory=dict)
    nonces: dict[bytes, bytes] = field(default_factory=dict)
    on_answer: Callable[[_Sent], None] | None = None
    identified: int = 0
    resumed: int = 0
    replayed: int = 0
    posts: int = 0
    repeated_nonces: int = 0

    @property
    def application(self) -> dict[str, Any]:
        return {
            "id": self.user["id"],
            "name": self.name,
            "description": "",
            "summary": "",
            "icon": None,
            "bot_public": True,
            "bot_require_code_grant": False,
            "verify_key": "0" * 64,
            "flags": 1 << 19,
            "team": None,
            "owner": payloads.bot_user("100000000000000009", "owner"),
        }


def make_bot(name: str, id_: str) -> Bot:
    user = payloads.bot_user(id_, name)
    return Bot(name, user, payloads.AnswerTemplate(user))


class Discord:
    """All state. One event loop, one thread."""

    def __init__(self) -> None:
        self.bots = {
            b"stub-flora": make_bot("flora", "100000000000000001"),
            b"stub-plain": make_bot("plain", "100000000000000002"),
        }
        self.address = ""
        self.sessions: dict[str, Session] = {}
        self._guilds = [payloads.guild_create(index) for index in range(payloads.GUILDS)]
        self._events = itertools.count()
        self._answers = itertools.count(1)
        self._session_ids = itertools.count(1)

    def bot(self, name: str) -> Bot:
        return next(bot for bot in self.bots.values() if bot.name == name)

    # ---------------------------------------------------------------- sessions

    def identify(self, bot: Bot, connection: Client, shard: list[int]) -> Session:
        """A new session: READY, then every guild."""
        session = Session(f"session-{bot.name}-{next(self._session_ids)}", bot, connection=connection)
        self.sessions[session.id] = bot_session = session
        bot.session = bot_session
        bot.identified += 1
        ready = {
            "v": 10,
            "user": bot.user | {"verified": True, "mfa_enabled": False, "email": None, "flags": 0},
            "guilds": [{"id": payloads.guild_id(n), "unavailable": True} for n in range(payloads.GUILDS)],
            "session_id": session.id,
            "resume_gateway_url": f"ws://{self.address}",
            "session_type": "normal",
            "shard": shard,
            "private_channels": [],
            "application": {"id": bot.user["id"], "flags": 1 << 19},
        }
        session.dispatch(b"READY", msgspec.json.encode(ready))
        for guild in self._guilds:
            session.dispatch(b"GUILD_CREATE", guild)
        return session

    def resume(self, session: Session, connection: Client, sequence: int) -> None:
        """Everything behind ``sequence`` again, then RESUMED."""
        session.connection = connection
        session.bot.resumed += 1
        for number, text in session.kept:
            if number > sequence:
                session.bot.replayed += 1
                connection.send_event(text)
        session.dispatch(b"RESUMED", b'{"_trace":[]}')

    # ---------------------------------------------------------------- messages

    def provoke(self, bot: Bot, guilds: list[int]) -> None:
        """Somebody writes a message in each of ``guilds``, and that is that."""
        for guild in guilds:
            if bot.session is not None:
                bot.session.dispatch(b"MESSAGE_CREATE", payloads.event(guild, next(self._events)))

    def say(self, bot: Bot, guilds: int = payloads.GUILDS) -> None:
        """Somebody writes a message, in the next of the first ``guilds`` guilds."""
        number = next(self._events)
        session = bot.session
        if session is None:
            return
        bot.sent[b"%d" % payloads.event_id(number)] = _Sent(time.monotonic())
        session.dispatch(b"MESSAGE_CREATE", payloads.event(number % guilds, number))

    def create_message(self, bot: Bot, channel: bytes, body: bytes) -> bytes:
        """A bot writes a message: the answer's body."""
        now = time.monotonic()
        bot.posts += 1
        nonce = _NONCE.search(body) if _ENFORCED.search(body) else None
        if nonce is not None and (known := bot.nonces.get(nonce[1])) is not None:
            bot.repeated_nonces += 1
            return known
        reference, content = _REFERENCE.search(body), _CONTENT.search(body)
        id_ = b"%d" % payloads.answer_id(next(self._answers))
        parts = {
            "id_": id_,
            "channel": channel,
            "content": content[1] if content is not None else b"",
            "reference": reference[1] if reference is not None else b"0",
        }
        answer = bot.template.answer(**parts)
        if nonce is not None:
            bot.nonces[nonce[1]] = answer
            if len(bot.nonces) > NONCES:
                del bot.nonces[next(iter(bot.nonces))]
        if bot.session is not None:
            bot.session.dispatch(b"MESSAGE_CREATE", bot.template.echo(**parts))
        sent = bot.sent.get(parts["reference"])
        if sent is not None:
            sent.answers += 1
            if sent.answers == 1:
                sent.answered = now
                if bot.on_answer is not None:
                    bot.on_answer(sent)
        return answer

    # ---------------------------------------------------------------- control

    async def flood(self, order: Order) -> dict[str, Any]:
        """``count`` messages, ``in_flight`` of them un-answered at any time."""
        bot, left, answered = self.bot(order.bot), order.count, 0
        bot.sent.clear()
        all_answered = asyncio.Event()

        def say_one() -> None:
            nonlocal left
            if left > 0:
                left -= 1
                self.say(bot)

        def on_answer(_sent: _Sent) -> None:
            nonlocal answered
            answered += 1
            say_one()
            if answered == order.count:
                all_answered.set()

        bot.on_answer = on_answer
        started = time.monotonic()
        for _ in range(order.in_flight):
            say_one()
        try:
            async with asyncio.timeout(order.patience):
                await all_answered.wait()
        except TimeoutError:
            pass
        finally:
            bot.on_answer = None
        return self._messages(bot, started)

    async def pace(self, order: Order) -> dict[str, Any]:
        """``rate`` messages a second for ``seconds``, however slow the answers are."""
        bot = self.bot(order.bot)
        bot.sent.clear()
        started = provoked = time.monotonic()
        for number in range(int(order.rate * order.seconds)):
            due = started + number / order.rate
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            if time.monotonic() - provoked >= PROVOKED_SECONDS:
                provoked = time.monotonic()
                self.provoke(bot, order.provoked)
            self.say(bot, order.guilds)
        deadline = time.monotonic() + order.patience
        while any(not sent.answered for sent in bot.sent.values()) and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        return self._messages(bot, started)

    async def blast(self, order: Order) -> dict[str, Any]:
        """``count`` messages, compressed beforehand, written as fast as the socket takes them.

        They are not kept for a RESUME: nobody is killed in the benchmark that asks for this.
        """
        bot = self.bot(order.bot)
        session = bot.session
        assert session is not None
        connection = session.connection
        assert connection is not None
        frames: list[bytes] = []
        for _ in range(order.count):
            number = next(self._events)
            session.sequence += 1
            data = payloads.event(number % payloads.GUILDS, number)
            text = b'{"t":"MESSAGE_CREATE","s":%d,"op":0,"d":%b}' % (session.sequence, data)
            frames.append(connection.compressed(text))
        started, cpu = time.monotonic(), time.process_time()
        connection.write(b"".join(frames))
        deadline = started + order.patience
        while connection.unwritten and time.monotonic() < deadline:
            await asyncio.sleep(0.005)
        return {"started": started, "seconds": time.monotonic() - started, "cpu": time.process_time() - cpu}

    def stats(self, order: Order) -> dict[str, Any]:
        bot = self.bot(order.bot)
        session = bot.session
        return {
            "connected": session is not None and session.connection is not None,
            "identified": bot.identified,
            "resumed": bot.resumed,
            "replayed": bot.replayed,
            "posts": bot.posts,
            "repeated_nonces": bot.repeated_nonces,
        }

    def _messages(self, bot: Bot, started: float) -> dict[str, Any]:
        return {
            "started": started,
            "seconds": time.monotonic() - started,
            "messages": [(sent.at, sent.answered, sent.answers) for sent in bot.sent.values()],
        }
