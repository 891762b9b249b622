"""The layers around the application, on a small application of the test's own, served by a real uvicorn."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import APIRouter, Body, Request
from fastapi.responses import StreamingResponse
from prometheus_client import REGISTRY

from flora_api.app import make_app
from flora_api.edge.edge import Allowance, with_edge
from flora_api.edge.limits import LocalLimits, Rate
from tests.integration.api.played_guard import PlayedGuard
from tests.waiting import until

MIB = 1 << 20


class Routes:
    """What the test may ask for."""

    def __init__(self) -> None:
        self.cancelled = 0
        self.router = routes = APIRouter()

        @routes.post("/take")
        async def take(wish: dict[str, Any] = Body()) -> dict[str, int]:  # noqa: B008
            return {"keys": len(wish)}

        @routes.post("/raw")
        async def raw(request: Request) -> dict[str, int]:
            return {"bytes": sum([len(chunk) async for chunk in request.stream()])}

        @routes.get("/slow")
        async def slow() -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.cancelled += 1
                raise

        @routes.get("/events")
        async def events() -> StreamingResponse:
            async def lines() -> AsyncIterator[bytes]:
                for number in range(4):
                    yield f"data: {number}\n\n".encode()
                    await asyncio.sleep(0.3)

            return StreamingResponse(lines(), media_type="text/event-stream")

        @routes.get("/large")
        async def large() -> dict[str, str]:
            return {"text": "x" * 10_000}

        @routes.get("/broken")
        async def broken() -> None:
            raise LookupError("s3cret of the inside")

        @routes.get("/items/{item_id}")
        async def item(item_id: int) -> int:
            return item_id


@pytest.fixture
def routes() -> Routes:
    return Routes()


@asynccontextmanager
async def served(routes: Routes, **edge: Any) -> AsyncIterator[httpx.AsyncClient]:
    app = make_app(PlayedGuard(), [routes.router])
    around = with_edge(app, limits=LocalLimits(), per_address=Rate("address", 10_000), **edge)
    config = uvicorn.Config(around, host="127.0.0.1", port=0, lifespan="off", log_config=None, ws="none")
    sock = config.bind_socket()
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[sock]))
    await until(lambda: server.started)
    base = f"http://127.0.0.1:{sock.getsockname()[1]}/api"
    async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=20) as client:
        yield client
    server.should_exit = True
    await serving
    sock.close()


async def test_every_answer_has_an_id_and_headers_that_keep_browsers_safe(routes: Routes) -> None:
    async with served(routes) as client:
        ids = set()
        for path, status in (("/items/1", 200), ("/items/x", 400), ("/nowhere", 404), ("/broken", 500)):
            answer = await client.get(path)
            assert answer.status_code == status
            ids.add(answer.headers["x-request-id"])
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["x-frame-options"] == "DENY"
            assert answer.headers["cache-control"] == "no-store"
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert "server" not in answer.headers or answer.headers["server"] == "uvicorn"
            assert "strict-transport-security" not in answer.headers
            if status != 200:
                assert set(answer.json()) == {"message", "code", "details"}
        assert len(ids) == 4
        assert (await client.delete("/items/1")).json()["code"] == "METHOD_NOT_ALLOWED"


async def test_what_breaks_inside_is_not_shown(routes: Routes) -> None:
    async with served(routes) as client:
        answer = await client.get("/broken")
        assert answer.json()["code"] == "INTERNAL"
        assert "s3cret" not in answer.text


async def test_over_https_browsers_are_told_to_stay(routes: Routes) -> None:
    async with served(routes, https=True) as client:
        assert "max-age" in (await client.get("/items/1")).headers["strict-transport-security"]


async def test_a_body_that_says_it_is_too_large_is_not_read(routes: Routes) -> None:
    async with served(routes, body_bytes=1000) as client:
        answer = await client.post("/take", json={"a": "x" * 1000})
        assert (answer.status_code, answer.json()["code"]) == (413, "TOO_LARGE")
        assert "MiB" in answer.json()["message"]
        assert (await client.post("/take", json={"a": "x" * 900})).status_code == 200


@pytest.mark.parametrize("path", ["/take", "/raw"])
async def test_a_body_that_does_not_say_is_read_no_further(routes: Routes, path: str) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 64 * MIB:
            yield b"x" * 10_000
            sent += 10_000

    async with served(routes, body_bytes=100_000) as client:
        try:
            answer = await client.post(path, content=endless(), headers={"Content-Type": "application/json"})
        except httpx.TransportError:  # it was closed before we had read the answer
            pass
        else:
            assert (answer.status_code, answer.json()["code"]) == (413, "TOO_LARGE")
        assert sent < 32 * MIB
        assert (await client.get("/items/1")).status_code == 200


async def test_a_route_may_take_more(routes: Routes) -> None:
    async with served(routes, body_bytes=1000, allowances=[Allowance("/api/raw", body_bytes=5000)]) as client:
        assert (await client.post("/raw", content=b"x" * 5000)).json() == {"bytes": 5000}
        assert (await client.post("/raw", content=b"x" * 5001)).status_code == 413
        assert (await client.post("/raw/", content=b"x" * 2000)).status_code == 413


async def test_what_does_not_answer_in_time_is_given_up(routes: Routes) -> None:
    async with served(routes, seconds=0.3) as client:
        answer = await client.get("/slow")
        assert (answer.status_code, answer.json()["code"]) == (504, "DEADLINE")
        assert answer.headers["x-request-id"]
        await until(lambda: routes.cancelled == 1)


async def test_a_stream_that_has_begun_goes_on_and_is_not_packed(routes: Routes) -> None:
    async with served(routes, seconds=0.5) as client, client.stream("GET", "/events") as answer:
        assert "content-encoding" not in answer.headers
        lines = [line async for line in answer.aiter_lines() if line]
    assert lines == [f"data: {n}" for n in range(4)]


async def test_large_answers_are_packed_for_those_who_can_unpack(routes: Routes) -> None:
    async with served(routes) as client:
        answer = await client.get("/large")
        assert answer.headers["content-encoding"] == "gzip"
        assert len(answer.json()["text"]) == 10_000
        async with client.stream("GET", "/large") as packed:
            raw = b"".join([chunk async for chunk in packed.aiter_raw()])
        assert len(gzip.decompress(raw)) > 10_000 > len(raw)
        plain = await client.get("/large", headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert "content-encoding" not in (await client.get("/items/1")).headers


async def test_the_documentation_is_there_for_people_and_programs(routes: Routes) -> None:
    async with served(routes) as client:
        root = str(client.base_url).removesuffix("/api/")
        page = await client.get(f"{root}/api-docs")
        assert page.status_code == 200
        assert "cdn.jsdelivr.net" in page.headers["content-security-policy"]
        assert (await client.get(f"{root}/api-docs/openapi.json")).json()["openapi"].startswith("3.")


async def test_metrics_and_logs_name_routes_and_no_paths(
    routes: Routes, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    async with served(routes) as client:
        await client.get("/items/12345?code=s3cret")
        await client.get("/nowhere/s3cret")
    counted = {
        tuple(sample.labels.values())
        for metric in REGISTRY.collect()
        if metric.name == "flora_api_requests"
        for sample in metric.samples
    }
    assert any(route.endswith("/items/{item_id}") for _, route, _ in counted if route)
    said = caplog.text + "".join(capsys.readouterr())
    assert "s3cret" not in said + repr(counted)
    assert "12345" not in said
