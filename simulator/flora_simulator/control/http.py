"""JSON over HTTP around the control's functions: decode, call, encode; errors as ``{"message": …}``."""

from __future__ import annotations

import inspect
import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from flora_core.errors import InvalidInput
from flora_simulator.simcord_port import BackendError, SetupError

CONTROL_PREFIX: Final = "/control"


@dataclass(slots=True)
class Order:
    """A call: its body, decoded, and what the path and the query say."""

    body: Any = None
    path: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)

    def number(self, name: str, default: float) -> float:
        """A number of the query; raises InvalidInput."""
        try:
            return float(self.query.get(name, default))
        except ValueError:
            raise InvalidInput(f"{name}: {self.query[name]!r} is not a number") from None


class ControlEndpoint(NamedTuple):
    """One function of the control interface."""

    method: str
    path: str
    run: Callable[[Order], Any | Awaitable[Any]]
    body: type[Any] | None = None


def control_handler(endpoint: ControlEndpoint, *, for_all: bool = False) -> Handler:
    """The aiohttp handler for ``endpoint``; ``for_all`` has it answer other machines too."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if not for_all and not _from_this_machine(request):
            text = "the control interface answers this machine only; SIMULATOR_CONTROL=open opens it"
            return _json({"message": text}, status=403)
        try:
            order = Order(await _body(request, endpoint.body), dict(request.match_info), dict(request.query))
            result = endpoint.run(order)
            return _json(await result if inspect.isawaitable(result) else result)
        except (InvalidInput, SetupError, msgspec.MsgspecError) as error:
            return _json({"message": str(error)}, status=400)
        except BackendError as error:
            return _json({"message": f"Discord would say: {error.message}", "code": error.code}, status=403)

    return handle


async def _body(request: web.Request, kind: type[Any] | None) -> Any:
    if kind is None:
        return None
    return msgspec.json.decode(await request.read() or b"{}", type=kind)


def _json(result: Any, *, status: int = 200) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(result), content_type="application/json")


def _from_this_machine(request: web.Request) -> bool:
    """Whether peer, Host and Origin are all local: a web page in a browser here is not."""
    names = [request.host]
    if (origin := request.headers.get("Origin")) is not None:
        names.append(urlsplit(origin).netloc)
    return _is_loopback(request.remote or "") and all(
        _is_loopback(urlsplit(f"//{name}").hostname or "") for name in names
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
