"""What goes up to the gateway: ops, acknowledgements, subscriptions.

An op is kept until its result is here. The gateway says with every ``hello`` and ``beat`` how far it has
taken ops; after a broken connection those behind that number are sent again, and after a new gateway process
(another epoch) all that have no result. So an op is carried out at least once; message creates carry a
nonce, which makes a second one harmless, and others are marked as repeated so that the gateway can tell
"already done" from "not allowed".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import msgspec
from msgspec import Raw

from flora_core.wire.gateway import OP_LINE_LIMIT, Ack, Beat, Hello, Op, OpError, Subscribe, upstream

RESULT_SECONDS: Final = 60.0
"""How long an op may go without a result: longer than every deadline of the gateway."""

WAITING_LIMIT: Final = 50_000
GUILD_WAITING_LIMIT: Final = 1_000
BYTES_LIMIT: Final = 32 << 20
"""Of all waiting ops' arguments: they are all sent again to a new gateway, within what a stream may hold."""
GUILD_BYTES_LIMIT: Final = 4 << 20
LARGE: Final = 64 << 10
"""Arguments of more bytes, which have files in them, are counted by themselves: they take no reply's room."""
LARGE_LIMIT: Final = 4 * OP_LINE_LIMIT
GUILD_LARGE_LIMIT: Final = OP_LINE_LIMIT
"""One op of a guild with all the files that it may have."""

RESERVE: Final = 1.5
"""A guild that waits for little may go over the limits of all by this factor, so that a few guilds that fill
them do not keep the others from calling."""
LITTLE_OPS: Final = 16
LITTLE_BYTES: Final = 64 << 10


class Writer(Protocol):
    def write(self, line: bytes) -> None: ...

    def discard(self) -> None: ...


class Refuse(Protocol):
    """Answers an op that never reached Discord."""

    def __call__(self, guild: str, op: int, error: OpError) -> None: ...


@dataclass(slots=True)
class _Waiting:
    op: Op
    since: float
    size: int
    """Bytes of its arguments."""


class _Held(NamedTuple):
    """What waits of one guild."""

    ops: int = 0
    bytes: int = 0
    large: int = 0
    """Bytes of those above ``LARGE``."""

    def plus(self, size: int, *, ops: int = 1) -> _Held:
        """With one op more, or one less."""
        if size > LARGE:
            return _Held(self.ops + ops, self.bytes, self.large + ops * size)
        return _Held(self.ops + ops, self.bytes + ops * size, self.large)

    def within(self, *, ops: float, bytes_: float, large: int) -> bool:
        """Whether this may wait."""
        return self.ops <= ops and self.bytes <= bytes_ and self.large <= large


_NOTHING: Final = _Held()


class Upstream:
    """Ops without a result, and the lines that carry them."""

    def __init__(self, writer: Writer, refuse: Refuse) -> None:
        self._writer = writer
        self._refuse = refuse
        self._sequence = 0
        self._waiting: dict[int, _Waiting] = {}
        self._sequence_of: dict[tuple[str, int], int] = {}
        self._of_guild: dict[str, _Held] = {}
        self._held = _Held()
        self._subscriptions: dict[str, Subscribe] = {}
        self._epoch = ""
        self._connected = False

    def __len__(self) -> int:
        return len(self._waiting)

    def call(self, guild: str, id_: int, name: str, args: Raw, *, now: float) -> None:
        """Ask the gateway for something; an op with the same id that still waits is given up."""
        self.answered(guild, id_)
        size = memoryview(args).nbytes
        of_guild = self._of_guild.get(guild, _NOTHING)
        if not self._has_room(of_guild, size):
            self._refuse(
                guild, id_, OpError("DISCORD_RATE_LIMITED", "too many calls are waiting for an answer")
            )
            return
        self._sequence += 1
        op = Op(self._sequence, guild, id_, name, args)
        self._waiting[op.sequence] = _Waiting(op, now, size)
        self._sequence_of[guild, id_] = op.sequence
        self._of_guild[guild] = of_guild.plus(size)
        self._held = self._held.plus(size)
        if self._connected:
            self._writer.write(upstream.encode(op))

    def _has_room(self, held: _Held, size: int) -> bool:
        of_guild, of_all = held.plus(size), self._held.plus(size)
        waits_for_little = of_guild.within(ops=LITTLE_OPS, bytes_=LITTLE_BYTES, large=0)
        factor = RESERVE if waits_for_little else 1.0
        return of_guild.within(
            ops=GUILD_WAITING_LIMIT, bytes_=GUILD_BYTES_LIMIT, large=GUILD_LARGE_LIMIT
        ) and of_all.within(ops=WAITING_LIMIT * factor, bytes_=BYTES_LIMIT * factor, large=LARGE_LIMIT)

    def waits(self, guild: str) -> bool:
        """Whether an op of ``guild`` has no result yet."""
        return guild in self._of_guild

    def waiting_of(self, guild: str) -> int:
        """How many ops of ``guild`` have no result yet."""
        return self._of_guild.get(guild, _NOTHING).ops

    def answered(self, guild: str, id_: int) -> bool:
        """A result arrived; False when nobody waits for it (any more)."""
        sequence = self._sequence_of.pop((guild, id_), None)
        if sequence is None:
            return False
        size = self._waiting.pop(sequence).size
        self._held = self._held.plus(size, ops=-1)
        left = self._of_guild[guild].plus(size, ops=-1)
        if left.ops:
            self._of_guild[guild] = left
        else:
            del self._of_guild[guild]
        return True

    def expire(self, now: float) -> None:
        """Fail what has waited too long."""
        late = [entry.op for entry in self._waiting.values() if now - entry.since > RESULT_SECONDS]
        for op in late:
            self.answered(op.guild, op.id)
            text = f"no answer to {op.name} within {RESULT_SECONDS:g} s"
            self._refuse(op.guild, op.id, OpError("DISCORD_HTTP_ERROR", text))

    def forget(self, guild: str) -> None:
        """The guild is no longer here: nobody waits for its answers."""
        for id_ in [id_ for owner, id_ in self._sequence_of if owner == guild]:
            self.answered(guild, id_)
        self._subscriptions.pop(guild, None)

    def subscribe(self, subscription: Subscribe) -> None:
        """Say which events a guild's script handles."""
        if self._subscriptions.get(subscription.guild) == subscription:
            return
        self._subscriptions[subscription.guild] = subscription
        if self._connected:
            self._writer.write(upstream.encode(subscription))

    def acknowledge(self, offset: int) -> None:
        """Everything up to ``offset`` is safe."""
        if self._connected:
            self._writer.write(upstream.encode(Ack(offset)))

    def beat(self) -> None:
        """Show that this pod lives."""
        if self._connected:
            self._writer.write(upstream.encode(Beat(0, self._sequence)))

    def connected(self, hello: Hello) -> None:
        """The gateway is there (again): send what it lacks."""
        restarted = hello.epoch != self._epoch
        self._epoch = hello.epoch
        self._connected = True
        self._writer.discard()
        for subscription in self._subscriptions.values():
            self._writer.write(upstream.encode(subscription))
        for entry in self._waiting.values():
            if restarted or entry.op.sequence > hello.ops:
                self._writer.write(upstream.encode(msgspec.structs.replace(entry.op, repeated=True)))

    def disconnected(self) -> None:
        """The connection is gone; ops wait for the next."""
        self._connected = False
        self._writer.discard()
