"""What goes wrong between Discord and the bot, and the figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flora_simulator import wire
from flora_simulator.client.calls import Calls
from flora_simulator.wire import Fault, FirehoseOrder, FirehoseState, SessionState, Stats


class NetworkCalls(Calls):
    """Break connections, let calls fail, send a flood, count."""

    async def sessions(self) -> list[SessionState]:
        """Every gateway session that is connected or can be resumed."""
        return await self._call("GET", "/gateway", list[SessionState])

    async def drop(self, session: str | None = None) -> int:
        """Cut TCP connections; how many."""
        return await self._gateway("drop", session)

    async def close_gateway(self, code: int, session: str | None = None) -> int:
        """Close connections with ``code``."""
        return await self._gateway("close", session, code=code)

    async def reconnect(self, session: str | None = None) -> int:
        """Send op 7."""
        return await self._gateway("reconnect", session)

    async def invalidate(self, session: str | None = None, *, resumable: bool = False) -> int:
        """Send op 9; unless ``resumable``, the sessions are gone."""
        return await self._gateway("invalidate", session, resumable=resumable)

    async def ask_heartbeat(self, session: str | None = None) -> int:
        """Send op 1, which a client answers with a heartbeat at once."""
        return await self._gateway("heartbeat", session)

    async def set_gateway(self, *, acks: bool | None = None, accept: bool | None = None) -> None:
        """Whether heartbeats are answered, and whether connections are taken."""
        await self._call("PATCH", "/gateway", None, wire.GatewaySwitch(acks, accept))

    async def emit(self, event: str, data: Mapping[str, Any]) -> None:
        """Send a gateway event as it stands."""
        await self._call("POST", "/emit", None, wire.Emit(event, dict(data)))

    async def add_fault(self, fault: Fault) -> None:
        """Let the next matching REST calls fail."""
        await self._call("POST", "/faults", None, fault)

    async def clear_faults(self) -> None:
        """Let none fail any more."""
        await self._call("DELETE", "/faults", None)

    async def set_rate_limits(self, *, enabled: bool = True, factor: float = 1.0) -> None:
        """Switch rate limits on or off, or multiply them."""
        await self._call("PUT", "/rate-limits", None, wire.RateLimitSwitch(enabled, factor))

    async def firehose(self, order: FirehoseOrder) -> FirehoseState:
        """Start sending many messages."""
        return await self._call("POST", "/firehose", FirehoseState, order)

    async def firehose_state(self) -> FirehoseState:
        """How far the firehose is."""
        return await self._call("GET", "/firehose", FirehoseState)

    async def stop_firehose(self) -> FirehoseState:
        """Stop it."""
        return await self._call("DELETE", "/firehose", FirehoseState)

    async def stats(self) -> Stats:
        """Totals since the start."""
        return await self._call("GET", "/stats", Stats)

    async def _gateway(
        self, what: str, session: str | None, *, code: int = 4000, resumable: bool = False
    ) -> int:
        order = wire.GatewayOrder(session, resumable, code)
        return await self._call("POST", f"/gateway/{what}", int, order)
