"""What the lean client does with its connections when servers close, stall and misbehave."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_discord import Exchange, FakeDiscord, answer, raw, response, serving
from requests_to_fake import Once, Repeatable, get, post

from flora_gateway.rest.http1 import HEAD_LIMIT
from flora_gateway.rest.pool import LeanTransport
from flora_gateway.rest.transport import (
    ConnectFailed,
    ConnectionLost,
    MalformedResponse,
    Origin,
    PoolExhausted,
    Request,
    RequestTimedOut,
    Response,
    ResponseTooLarge,
    TransportClosed,
    fetch,
)
from tests.waiting import until

MakeLean = Callable[..., LeanTransport]
Contexts = tuple[ssl.SSLContext, ssl.SSLContext]
Certificate = tuple[ssl.SSLContext, ssl.SSLContext, Path]


@pytest.fixture
async def lean(make_lean: MakeLean) -> LeanTransport:
    return make_lean()


async def closing_unseen(discord: FakeDiscord, lean: LeanTransport) -> None:
    """The server has closed the kept connection, and the client's loop has not come round to it."""
    await fetch(lean, get())
    await discord.close_idle()
    time.sleep(0.005)  # noqa: ASYNC251  the loop must not turn


# A kept connection that the server closes just as it is used again


async def test_a_request_that_may_be_repeated_is_sent_again(
    discord: FakeDiscord, lean: LeanTransport
) -> None:
    await closing_unseen(discord, lean)
    found = await fetch(lean, post(kind=Repeatable))
    assert found.status == 204
    assert discord.connections == 2


async def test_what_may_not_is_an_error_unless_the_closing_is_seen_first(
    discord: FakeDiscord, lean: LeanTransport
) -> None:
    await closing_unseen(discord, lean)
    with pytest.raises(ConnectionLost):
        await fetch(lean, post(kind=Once))
    assert (await fetch(lean, post(kind=Once))).status == 204


async def test_after_a_pause_the_closing_is_seen_before_anything_is_sent(
    discord: FakeDiscord, lean: LeanTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flora_gateway.rest.http1.TRUST_SECONDS", 0.0)
    await closing_unseen(discord, lean)
    assert (await fetch(lean, post(kind=Once))).status == 204
    assert len(discord.seen) == 2


async def test_it_is_sent_again_once_and_not_for_ever(discord: FakeDiscord, lean: LeanTransport) -> None:
    await fetch(lean, get())
    discord.script(*[raw(then="close")] * 10)
    with pytest.raises(ConnectionLost):
        await fetch(lean, get(kind=Repeatable))
    assert len(discord.seen) == 3


async def test_it_is_not_sent_again_once_a_byte_of_the_answer_came(
    discord: FakeDiscord, lean: LeanTransport
) -> None:
    await fetch(lean, get())
    discord.script(raw(b"H", pause=0.01, then="reset"))
    with pytest.raises(ConnectionLost):
        await fetch(lean, get(kind=Repeatable))
    assert len(discord.seen) == 2


async def test_many_kept_connections_may_be_closed_at_once(discord: FakeDiscord, lean: LeanTransport) -> None:
    discord.latency = 0.01
    await asyncio.gather(*(fetch(lean, get()) for _ in range(10)))
    await discord.close_idle()
    time.sleep(0.005)  # noqa: ASYNC251
    found = await asyncio.gather(*(fetch(lean, get(kind=Repeatable)) for _ in range(10)))
    assert [one.status for one in found] == [204] * 10


async def test_a_server_that_closes_after_every_answer_without_saying_so(
    discord: FakeDiscord, lean: LeanTransport
) -> None:
    discord.close_after_answer = True
    for _ in range(20):
        assert (await fetch(lean, get(kind=Repeatable))).status == 204


async def test_a_kept_connection_that_was_closed_is_forgotten(
    discord: FakeDiscord, lean: LeanTransport
) -> None:
    await fetch(lean, get())
    await discord.close_idle()
    await until(lambda: not lean._open)
    assert not lean._idle


async def test_a_kept_connection_does_not_keep_its_last_answer(
    discord: FakeDiscord, lean: LeanTransport
) -> None:
    discord.script(answer(200, "x" * 1000))
    await fetch(lean, get())
    (kept,) = lean._idle
    assert kept._response is None
    assert kept._body == []


# Answers that nobody asked for


async def test_bytes_while_nothing_was_asked_end_the_connection(
    discord: FakeDiscord, lean: LeanTransport
) -> None:
    async def chatty(exchange: Exchange) -> None:
        await exchange.write(response(200, "first"))
        await asyncio.sleep(0.01)
        await exchange.write(response(200, "somebody else's"))

    discord.script(chatty)
    assert (await fetch(lean, get())).body == b'"first"'
    await until(lambda: not lean._open)
    assert (await fetch(lean, get())).status == 204
    assert discord.connections == 2


@pytest.mark.parametrize("surplus", [response(200, "somebody else's"), b"HTTP/1.1 200", b"garbage", b"x"])
async def test_bytes_after_an_answer_never_become_the_next_ones(
    discord: FakeDiscord, lean: LeanTransport, surplus: bytes
) -> None:
    discord.script(raw(response(200, "first") + surplus))
    assert (await fetch(lean, get())).body == b'"first"'
    assert (await fetch(lean, get())).status == 204
    assert discord.connections == 2


async def test_the_body_that_a_head_should_not_have_never_becomes_the_next_answer(
    discord: FakeDiscord, lean: LeanTransport
) -> None:
    discord.script(raw(response(200, "first") + response(200, "second")))
    request = Once(b"HEAD", b"/x", deadline=asyncio.get_running_loop().time() + 5)
    assert (await fetch(lean, request)).body == b""
    assert (await fetch(lean, get())).status == 204


async def test_a_switch_of_protocols_that_nobody_asked_for(discord: FakeDiscord, lean: LeanTransport) -> None:
    discord.script(raw(b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x00"))
    with pytest.raises(MalformedResponse, match="switched protocols"):
        await fetch(lean, get())


async def test_an_answer_before_the_request_was_read_is_taken_and_its_connection_not_used_again(
    discord: FakeDiscord, to_close: list[LeanTransport]
) -> None:
    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response(413, {"message": "Request entity too large", "code": 40005}))
        await asyncio.sleep(1)

    async with serving(early) as port:
        lean = LeanTransport(Origin("127.0.0.1", port, tls=False))
        to_close.append(lean)
        found = await fetch(lean, post(b"x" * (8 << 20)))
        assert found.status == 413
        assert not lean._idle


# Limits


async def test_headers_without_end_are_given_up(discord: FakeDiscord, lean: LeanTransport) -> None:
    line = b"X-Filler: " + b"x" * 1000 + b"\r\n"
    discord.script(raw(b"HTTP/1.1 200 OK\r\n", *[line * 8] * (HEAD_LIMIT // 8000 + 8), then="reset"))
    with pytest.raises(ResponseTooLarge, match="headers are over"):
        await fetch(lean, get())


async def test_interim_responses_without_end_are_given_up(discord: FakeDiscord, lean: LeanTransport) -> None:
    interim = b"HTTP/1.1 103 X\r\nA: " + b"x" * 8000 + b"\r\n\r\n"
    discord.script(raw(*[interim] * 20, then="reset"))
    with pytest.raises(ResponseTooLarge, match="headers are over"):
        await fetch(lean, get())


async def test_headers_that_are_large_but_not_too_large(discord: FakeDiscord, lean: LeanTransport) -> None:
    discord.script(answer(200, "ok", {f"X-{n}": "x" * 500 for n in range(60)}))
    assert (await fetch(lean, get())).body == b'"ok"'


async def test_a_request_waits_for_a_connection_no_longer_than_it_may(
    discord: FakeDiscord, make_lean: MakeLean
) -> None:
    lean = make_lean(connections=1)
    discord.script(answer(200, "slow", after=0.2))
    slow = asyncio.create_task(fetch(lean, get()))
    await asyncio.sleep(0.02)
    with pytest.raises(PoolExhausted, match="no connection became free in time"):
        await fetch(lean, get(seconds=0.05))
    assert (await slow).body == b'"slow"'
    assert len(discord.seen) == 1


async def test_connections_that_idle_for_too_long_are_closed(
    discord: FakeDiscord, make_lean: MakeLean
) -> None:
    lean = make_lean(idle_seconds=0.05)
    await fetch(lean, get())
    assert discord.open_connections == 1
    await until(lambda: not discord.open_connections)
    assert not lean._open
    assert lean._sweeper is None


# Dialling


async def test_a_server_that_does_not_accept_in_time(discord: FakeDiscord, make_lean: MakeLean) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        lean = make_lean(connect_seconds=0.1)
        lean._origin = Origin("127.0.0.1", deaf.getsockname()[1], tls=False)
        with pytest.raises(ConnectFailed, match=r"no connection to 127.0.0.1:\d+ within 0.1 s"):
            await fetch(lean, get())
        for filler in fillers:
            filler.close()


async def test_a_name_that_does_not_resolve(make_lean: MakeLean) -> None:
    lean = make_lean()
    lean._origin = Origin("discord.invalid", 443, tls=False)
    with pytest.raises(ConnectFailed, match=r"no connection to discord\.invalid"):
        await fetch(lean, get())


async def test_a_server_that_closes_whatever_it_accepts(discord: FakeDiscord, make_lean: MakeLean) -> None:
    async def rude(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with serving(rude) as port:
        lean = make_lean()
        lean._origin = Origin("127.0.0.1", port, tls=False)
        results = await asyncio.gather(*(fetch(lean, get()) for _ in range(5)), return_exceptions=True)
        assert all(isinstance(one, ConnectFailed | ConnectionLost) for one in results)


async def test_a_connection_that_is_gone_before_it_is_used(
    discord: FakeDiscord, lean: LeanTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    dial = lean._loop.create_connection

    async def short_lived(*args: object, **options: object) -> object:
        transport, connection = await dial(*args, **options)  # type: ignore[arg-type]
        transport.abort()
        await asyncio.sleep(0.01)
        return transport, connection

    monkeypatch.setattr(lean._loop, "create_connection", short_lived)
    with pytest.raises(ConnectFailed, match="closed the connection at once"):
        await fetch(lean, get(seconds=0.3))
    assert not lean._open


async def test_a_failed_dial_fails_one_request_and_the_others_are_dialled_for(
    discord: FakeDiscord, make_lean: MakeLean, monkeypatch: pytest.MonkeyPatch
) -> None:
    lean = make_lean()
    dial, failures = lean._loop.create_connection, [OSError("first"), OSError("second")]

    async def flaky(*args: object, **options: object) -> object:
        if failures:
            raise failures.pop(0)
        return await dial(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(lean._loop, "create_connection", flaky)
    results = await asyncio.gather(*(fetch(lean, get()) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(one, ConnectFailed) for one in results) == 2
    assert sum(isinstance(one, Response) for one in results) == 3


async def test_ipv6(to_close: list[LeanTransport]) -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(response(200, "ok"))

    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError as error:
            pytest.skip(f"this machine has no IPv6 loopback: {error}")
    async with serving(serve, "::1") as port:
        lean = LeanTransport(Origin("::1", port, tls=False))
        to_close.append(lean)
        assert (await fetch(lean, get())).body == b'"ok"'
        assert f"Host: [::1]:{port}\r\n".encode() in seen[0]


# Callers


async def test_a_callback_may_send_the_next_request(discord: FakeDiscord, make_lean: MakeLean) -> None:
    lean = make_lean(connections=1)
    done = asyncio.get_running_loop().create_future()
    left = 5

    def again(_request: Request, outcome: object) -> None:
        nonlocal left
        left -= 1
        if left:
            lean.send(get(), again)
        else:
            done.set_result(outcome)

    lean.send(get(), again)
    assert isinstance(await done, Response)
    assert len(discord.seen) == 5
    assert discord.connections == 1


async def test_a_callback_that_raises_harms_nobody_else(discord: FakeDiscord, make_lean: MakeLean) -> None:
    lean = make_lean(connections=2)
    complaints: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: complaints.append(context.get("exception")))

    def bad(_request: Request, _outcome: object) -> None:
        raise ZeroDivisionError

    discord.script(answer(200, "x"), raw(then="close"), answer(200, "late", after=0.3))
    for count in (1, 2):
        lean.send(get(seconds=0.1), bad)
        await until(lambda count=count: len(complaints) == count)
    lean.send(get(seconds=0.05), bad)
    await until(lambda: len(complaints) == 3)
    found = await asyncio.gather(*(fetch(lean, get()) for _ in range(4)))
    assert [one.status for one in found] == [204] * 4
    assert [type(one) for one in complaints] == [ZeroDivisionError] * 3


async def test_on_done_is_never_called_from_within_send(discord: FakeDiscord, make_lean: MakeLean) -> None:
    lean = make_lean(connections=1, waiting=1)
    outcomes: list[object] = []
    for _ in range(4):
        before = len(outcomes)
        lean.send(get(), lambda _, outcome: outcomes.append(outcome))
        assert len(outcomes) == before
    await lean.close(seconds=1.0)
    lean.send(get(), lambda _, outcome: outcomes.append(outcome))
    assert not isinstance(outcomes[-1], TransportClosed)
    await asyncio.sleep(0)
    assert isinstance(outcomes[-1], TransportClosed)


async def test_close_ends_dials_and_leaves_nothing_open(discord: FakeDiscord, make_lean: MakeLean) -> None:
    lean = make_lean()
    await fetch(lean, get())
    tasks = [asyncio.create_task(fetch(lean, get())) for _ in range(5)]
    await asyncio.sleep(0)
    await lean.close()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(one) for one in results} <= {TransportClosed, Response}
    assert not lean._open
    assert not lean._dials
    await until(lambda: not discord.open_connections)


# TLS


@pytest.fixture
def tls_contexts(
    certificate: Certificate,
) -> Contexts:
    return certificate[:2]


async def test_tls(tls_contexts: Contexts, to_close: list[LeanTransport]) -> None:
    server, client = tls_contexts
    async with FakeDiscord(tls=server) as discord:
        lean = LeanTransport(Origin("localhost", discord.port, tls=True), tls=client, sweep_seconds=0.01)
        to_close.append(lean)
        large = b"x" * 300_000
        discord.script(answer(200, "first"), raw(response(200, large)), answer(200, "late", after=0.3))
        assert (await fetch(lean, get())).body == b'"first"'
        assert (await fetch(lean, post(large))).body == large
        assert discord.seen[1].body == large
        assert discord.connections == 1
        with pytest.raises(RequestTimedOut):
            await fetch(lean, get(seconds=0.05))
        discord.script(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", then="close"))
        with pytest.raises(ConnectionLost):
            await fetch(lean, get())
        assert (await fetch(lean, get(kind=Repeatable))).status == 204
        await lean.close()


async def test_a_kept_tls_connection_that_was_closed(
    tls_contexts: Contexts,
    to_close: list[LeanTransport],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server, client = tls_contexts
    async with FakeDiscord(tls=server) as discord:
        lean = LeanTransport(Origin("localhost", discord.port, tls=True), tls=client)
        to_close.append(lean)
        await closing_unseen(discord, lean)
        assert (await fetch(lean, get(kind=Repeatable))).status == 204
        await asyncio.sleep(0.01)  # session tickets are in
        monkeypatch.setattr("flora_gateway.rest.http1.TRUST_SECONDS", 0.0)
        await fetch(lean, get())
        assert discord.connections == 2
        await lean.close()


async def test_a_certificate_that_nobody_trusts_is_refused(
    tls_contexts: Contexts, to_close: list[LeanTransport]
) -> None:
    async with FakeDiscord(tls=tls_contexts[0]) as discord:
        lean = LeanTransport(Origin("localhost", discord.port, tls=True))
        to_close.append(lean)
        with pytest.raises(ConnectFailed, match="CERTIFICATE_VERIFY_FAILED"):
            await fetch(lean, get())
        assert discord.seen == []


async def test_a_certificate_for_another_name_is_refused(
    tls_contexts: Contexts, to_close: list[LeanTransport]
) -> None:
    async with FakeDiscord(tls=tls_contexts[0]) as discord:
        lean = LeanTransport(Origin("127.0.0.1", discord.port, tls=True), tls=tls_contexts[1])
        to_close.append(lean)
        with pytest.raises(ConnectFailed, match="IP address mismatch"):
            await fetch(lean, get())


async def test_more_roots_can_be_trusted_by_the_environment(
    certificate: Certificate,
    to_close: list[LeanTransport],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[2]))
    async with FakeDiscord(tls=certificate[0]) as discord:
        lean = LeanTransport(Origin("localhost", discord.port, tls=True))
        to_close.append(lean)
        assert (await fetch(lean, get())).status == 204
        await lean.close()


async def test_plain_text_where_tls_was_expected(discord: FakeDiscord, make_lean: MakeLean) -> None:
    lean = LeanTransport(Origin("localhost", discord.port, tls=True), connect_seconds=0.3)
    with pytest.raises(ConnectFailed):
        await fetch(lean, get())
    await lean.close()
