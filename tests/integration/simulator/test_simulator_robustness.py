"""Nothing that a client sends makes the simulator fail: every route, odd bodies, odd frames."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simulator_kit import ADA, BOB, GENERAL, GUILD, MODS, Api, Dialler, Socket, Start
from structlog.testing import capture_logs

from flora_simulator import Simulator, SimulatorClient
from flora_simulator.simcord_port import Route, routes

REAL = {"channel_id": GENERAL, "guild_id": GUILD, "user_id": BOB, "role_id": MODS, "emoji": "x"}
BODIES: list[Any] = [None, {}, [], [[]], 1, "text", {"name": 5}, {"type": "x", "data": []}, {"messages": 1}]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)


def path_of(route: Route, **args: str) -> str:
    return "/".join(
        args.get(part[1:-1], "123456") if part.startswith("{") else part for part in route.template.split("/")
    )


ROUTES = [pytest.param(route, id=f"{route.method} {route.template}") for route in routes()]


@pytest.mark.parametrize("route", ROUTES)
async def test_no_route_fails_on_any_body(api: Api, route: Route) -> None:
    """With ids that exist and with some that do not; destructive routes come last in a world's life."""
    for args in ({}, REAL):
        for body in BODIES:
            raw = msgspec.json.encode(body) if body is not None else None
            answer = await api(route.method, path_of(route, **args), raw=raw)
            assert answer.status < 500, answer
            if answer.status >= 400:
                assert {"code", "message"} <= set(answer.body)


async def test_gaps_are_logged_once(api: Api) -> None:
    with capture_logs() as logs:
        for _ in range(3):
            await api("GET", "/not/yet")
            await api("POST", f"/channels/{GENERAL}/messages", content="hi", nothing_known=1)
    gaps = [(entry["route"], entry["gap"]) for entry in logs if entry["event"] == "not simulated"]
    assert gaps == [
        ("GET /not/yet", "no such route in the simulator"),
        ("POST /channels/{channel_id}/messages", "field nothing_known has no effect"),
    ]


async def test_a_bug_in_a_handler_is_a_500_and_logged(
    api: Api, people: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("flora_simulator.observer.Observer.note", fail)
    with capture_logs() as logs:
        status, body, _ = await api("POST", f"/channels/{GENERAL}/messages", content="hi")
    assert (status, body) == (500, {"message": "500: Internal Server Error", "code": 0})
    assert [entry["log_level"] for entry in logs] == ["error"]


async def test_a_bug_in_the_gateway_closes_with_4000_and_is_logged(
    socket: Socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("flora_simulator.gateway.members.MemberRequests.answer", fail)
    with capture_logs() as logs:
        await socket.send(8, {"guild_id": GUILD})
        assert await socket.closed() == 4000
    assert [entry["event"] for entry in logs] == ["a gateway frame failed"]


async def test_a_body_that_never_ends_its_form_is_refused(api: Api, http: aiohttp.ClientSession) -> None:
    headers = {"Authorization": f"Bot {api.token}", "Content-Type": "multipart/form-data; boundary=b"}
    for raw in (b"", b"--b\r\n", b"--b\r\nContent-Disposition: form-data; name=x\r\n\r\nvalue", b"nonsense"):
        url = f"{api.base}/channels/{GENERAL}/messages"
        async with http.post(url, data=raw, headers=headers) as response:
            assert response.status == 400


async def test_odd_frames_close_the_connection_and_nothing_else(start: Start, dial: Dialler) -> None:
    simulator = await start(sends_per_minute=10_000)
    witness = await dial(simulator.gateway_url)
    await witness.identify(simulator.token)
    for op in (None, True, -1, 2, 6, 8, 3, 1, 1.5, "2", [], {}):
        for data in BODIES:
            socket = await dial(simulator.gateway_url)
            await socket.ws.send_str(msgspec.json.encode({"op": op, "d": data}).decode())
            await socket.send(1)
            message = await socket.ws.receive(timeout=2)
            if message.type is aiohttp.WSMsgType.CLOSE:
                assert message.data in range(4000, 4015), (op, data)
            else:
                assert message.type is aiohttp.WSMsgType.TEXT
            await socket.ws.close()
    await witness.send(1)
    await witness.until("GUILD_CREATE")
    await witness.op(11)


async def test_odd_orders_of_a_known_client_never_fail(socket: Socket) -> None:
    for data in (
        {},
        {"guild_id": [GUILD]},
        {"guild_id": "x"},
        {"guild_id": GUILD, "user_ids": "x"},
        {"guild_id": GUILD, "user_ids": [None, {}]},
        {"guild_id": GUILD, "limit": 1000, "query": "a"},
        {"guild_id": GUILD, "limit": "many", "query": "a"},
        {"guild_id": GUILD, "limit": -5, "query": {}},
        {"guild_id": GUILD, "query": None, "limit": None},
    ):
        await socket.send(8, data)
    await socket.send(1)
    while (await socket.read())["op"] != 11:
        pass


async def test_a_binary_frame_is_read_like_text(simulator: Simulator, dial: Dialler) -> None:
    socket = await dial(simulator.gateway_url)
    await socket.ws.send_bytes(b'{"op": 1, "d": null}')
    await socket.op(11)


async def test_a_client_that_leaves_in_the_middle_harms_nobody(
    simulator: Simulator, dial: Dialler, people: SimulatorClient
) -> None:
    for _ in range(20):
        socket = await dial(simulator.gateway_url)
        await socket.send(2, {"token": simulator.token, "intents": 53608447})
        transport = socket.ws._response.connection
        assert transport is not None
        assert transport.transport is not None
        transport.transport.abort()
        await people.post("meanwhile")
    async with asyncio.timeout(2):
        while any(session.connected for session in await people.sessions()):
            await asyncio.sleep(0.01)


async def test_many_at_once_see_one_order(
    simulator: Simulator, dial: Dialler, people: SimulatorClient
) -> None:
    sockets = [await dial(simulator.gateway_url) for _ in range(5)]
    for socket in sockets:
        await socket.identify(simulator.token)
    await asyncio.gather(*(people.post(f"{n}", user=ADA if n % 2 else BOB) for n in range(40)))
    orders = [[(await socket.until("MESSAGE_CREATE"))["content"] for _ in range(40)] for socket in sockets]
    assert sorted(orders[0], key=int) == [f"{n}" for n in range(40)]
    assert all(order == orders[0] for order in orders)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=JSON)
def test_any_json_is_answered(body: Any) -> None:
    """A simulator of its own for each example would be slow: all of them go to one, in one loop."""
    asyncio.run(_answered(body))


async def _answered(body: Any) -> None:
    simulator = Simulator(_settings())
    async with simulator, aiohttp.ClientSession() as session:
        api = Api(simulator, session)
        channel = "100000000000000002"
        for method, path in (
            ("POST", f"/channels/{channel}/messages"),
            ("PATCH", f"/channels/{channel}"),
            ("PUT", "/applications/100000000000000004/commands"),
            ("POST", f"/channels/{channel}/threads"),
        ):
            answer = await api(method, path, raw=msgspec.json.encode(body))
            assert answer.status < 500, (path, answer)


def _settings() -> Any:
    from flora_simulator import SimulatorSettings  # noqa: PLC0415

    return SimulatorSettings(port=0, rate_limits=False)
