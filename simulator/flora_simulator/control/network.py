"""Control of what goes wrong between Discord and the bot, and the figures of what went."""

from __future__ import annotations

from flora_simulator.control.http import ControlEndpoint, Order
from flora_simulator.errors import ActRefused
from flora_simulator.firehose import Firehose
from flora_simulator.gateway import Hub
from flora_simulator.gateway.session import Session
from flora_simulator.journal import Journal
from flora_simulator.live_backend import LiveBackend
from flora_simulator.rest import Rest
from flora_simulator.wire import (
    Emit,
    Fault,
    FirehoseOrder,
    FirehoseState,
    GatewayOrder,
    GatewaySwitch,
    RateLimitSwitch,
    SessionState,
    Stats,
)


class NetworkControl:
    """``/control/gateway``, ``/control/faults``, ``/control/firehose``, ``/control/stats`` …"""

    def __init__(
        self, backend: LiveBackend, hub: Hub, rest: Rest, firehose: Firehose, journal: Journal
    ) -> None:
        self._backend = backend
        self._hub = hub
        self._rest = rest
        self._firehose = firehose
        self._journal = journal

    def endpoints(self) -> list[ControlEndpoint]:
        """What there is."""
        return [
            ControlEndpoint("GET", "/gateway", self._sessions),
            ControlEndpoint("PATCH", "/gateway", self._switch, GatewaySwitch),
            ControlEndpoint("POST", "/gateway/drop", self._drop, GatewayOrder),
            ControlEndpoint("POST", "/gateway/close", self._close, GatewayOrder),
            ControlEndpoint("POST", "/gateway/reconnect", self._reconnect, GatewayOrder),
            ControlEndpoint("POST", "/gateway/invalidate", self._invalidate, GatewayOrder),
            ControlEndpoint("POST", "/gateway/heartbeat", self._heartbeat, GatewayOrder),
            ControlEndpoint("POST", "/emit", self._emit, Emit),
            ControlEndpoint("GET", "/faults", self._faults),
            ControlEndpoint("POST", "/faults", self._add_fault, Fault),
            ControlEndpoint("DELETE", "/faults", self._clear_faults),
            ControlEndpoint("PUT", "/rate-limits", self._rate_limits, RateLimitSwitch),
            ControlEndpoint("GET", "/firehose", self._firehose_state),
            ControlEndpoint("POST", "/firehose", self._start_firehose, FirehoseOrder),
            ControlEndpoint("DELETE", "/firehose", self._stop_firehose),
            ControlEndpoint("GET", "/stats", self._stats),
        ]

    # ------------------------------------------------------------- gateway

    def _sessions(self, _order: Order) -> list[SessionState]:
        return [_state(session) for session in self._hub.sessions]

    def _switch(self, order: Order) -> None:
        wish: GatewaySwitch = order.body
        if wish.acks is not None:
            self._hub.answer_heartbeats = wish.acks
        if wish.accept is not None:
            self._hub.accept_connections = wish.accept

    def _drop(self, order: Order) -> int:
        """Cut TCP connections; how many there were."""
        connections = [s.connection for s in self._chosen(order) if s.connection is not None]
        for connection in connections:
            connection.abort()
        return len(connections)

    async def _close(self, order: Order) -> int:
        wish: GatewayOrder = order.body
        if not 1000 <= wish.code < 5000:
            raise ActRefused(f"{wish.code} is no close code; Discord's are 4000 to 4014")
        connections = [s.connection for s in self._chosen(order) if s.connection is not None]
        for connection in connections:
            await connection.close(wish.code)
        return len(connections)

    def _reconnect(self, order: Order) -> int:
        return self._say(order, 7)

    def _heartbeat(self, order: Order) -> int:
        return self._say(order, 1)

    def _invalidate(self, order: Order) -> int:
        """Op 9; not resumable unless it says so."""
        sessions = self._chosen(order)
        for session in sessions:
            self._hub.invalidate(session, resumable=order.body.resumable)
        return len(sessions)

    def _say(self, order: Order, op: int) -> int:
        connections = [s.connection for s in self._chosen(order) if s.connection is not None]
        for connection in connections:
            connection.say(op)
        return len(connections)

    def _chosen(self, order: Order) -> list[Session]:
        wish: GatewayOrder = order.body
        if wish.session is None:
            return self._hub.sessions
        session = self._hub.find(wish.session)
        if session is None:
            raise ActRefused(f"there is no session {wish.session}")
        return [session]

    def _emit(self, order: Order) -> None:
        wish: Emit = order.body
        self._backend.emit(wish.event, wish.data)

    # ---------------------------------------------------------------- REST

    def _faults(self, _order: Order) -> list[Fault]:
        return self._rest.faults.waiting

    def _add_fault(self, order: Order) -> None:
        self._rest.faults.add(order.body)

    def _clear_faults(self, _order: Order) -> None:
        self._rest.faults.clear()

    def _rate_limits(self, order: Order) -> None:
        wish: RateLimitSwitch = order.body
        if wish.factor <= 0:
            raise ActRefused("factor must be above 0")
        self._rest.limits.enabled, self._rest.limits.factor = wish.enabled, wish.factor

    # -------------------------------------------------------------- figures

    def _start_firehose(self, order: Order) -> FirehoseState:
        self._firehose.start(order.body)
        return self._firehose.state

    async def _stop_firehose(self, _order: Order) -> FirehoseState:
        await self._firehose.stop()
        return self._firehose.state

    def _firehose_state(self, _order: Order) -> FirehoseState:
        return self._firehose.state

    def _stats(self, _order: Order) -> Stats:
        counters = self._hub.counters
        return Stats(
            identifies=counters.identifies,
            identifies_refused=counters.identifies_refused,
            resumes=counters.resumes,
            resumes_failed=counters.resumes_failed,
            resumes_elsewhere=counters.resumes_elsewhere,
            closes={str(code): count for code, count in counters.closes.items()},
            events_sent=counters.events_sent,
            bytes_sent=counters.bytes_sent,
            sessions=len(self._hub.sessions),
            rest=dict(self._rest.calls),
            invalid_requests=self._rest.invalid.total,
            rate_limited=self._rest.rate_limited,
            positions=self._journal.position,
        )


def _state(session: Session) -> SessionState:
    connection = session.connection
    return SessionState(
        id=session.id,
        shard=session.shard,
        sequence=session.last,
        connected=connection is not None,
        intents=session.intents,
        compressed=connection is not None and connection.compressed,
        lag=connection.lag if connection is not None else 0,
    )
