"""The gateway: sessions that outlive their connections, and the connections that carry them.

``Hub`` takes the world's events and gives each session its own; ``serve`` speaks the protocol on one
WebSocket. A session keeps what it was given, so that a connection that comes back can RESUME.
"""

from flora_simulator.gateway.hub import Hub
from flora_simulator.gateway.socket import serve

__all__ = ["Hub", "serve"]
