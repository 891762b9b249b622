"""Both HTTP clients against a server that does all that servers do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from fake_discord import FakeDiscord, answer, raw, response
from requests_to_fake import Once, get, post

from flora_gateway.rest.transport import (
    ConnectionLost,
    MalformedResponse,
    Outcome,
    PoolExhausted,
    Request,
    RequestTimedOut,
    Response,
    ResponseTooLarge,
    Transport,
    TransportClosed,
    TransportError,
    fetch,
)
from tests.waiting import until

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


# What goes out


async def test_a_request_arrives_as_it_was_made(discord: FakeDiscord, transport: Transport) -> None:
    request = Once(
        b"POST",
        b"/api/v10/a%2Fb?c=d",
        b"Authorization: Bot x\r\nUser-Agent: DiscordBot (x, 1)\r\n",
        b'{"content":"h\xc3\xa9"}',
        asyncio.get_running_loop().time() + 5,
    )
    await fetch(transport, request)
    (seen,) = discord.seen
    assert (seen.method, seen.target, seen.body) == ("POST", "/api/v10/a%2Fb?c=d", request.body)
    assert seen.headers["host"] == f"127.0.0.1:{discord.port}"
    assert seen.headers["authorization"] == "Bot x"
    assert seen.headers["user-agent"] == "DiscordBot (x, 1)"
    assert seen.headers["content-length"] == str(len(seen.body))
    assert "accept-encoding" not in seen.headers


@pytest.mark.parametrize("method", [b"GET", b"DELETE"])
async def test_without_a_body_none_is_announced(
    discord: FakeDiscord, transport: Transport, method: bytes
) -> None:
    await fetch(transport, Once(method, b"/x", deadline=asyncio.get_running_loop().time() + 5))
    assert discord.seen[0].headers.get("content-length", "0") == "0"


async def test_an_empty_body_is_announced(discord: FakeDiscord, transport: Transport) -> None:
    await fetch(transport, Once(b"PUT", b"/x", body=b"", deadline=asyncio.get_running_loop().time() + 5))
    assert discord.seen[0].headers["content-length"] == "0"


async def test_a_large_body_arrives_whole(discord: FakeDiscord, transport: Transport) -> None:
    body = b'"' + b"x" * ((1 << 20) - 2) + b'"'
    discord.script(answer(204))
    await fetch(transport, post(body))
    assert discord.seen[0].body == body


# What comes back


async def test_a_response_with_a_length(discord: FakeDiscord, transport: Transport) -> None:
    discord.script(answer(200, {"id": "1"}, {"X-RateLimit-Remaining": "4", "Server": "cloudflare"}))
    found = await fetch(transport, get())
    assert (found.status, found.body) == (200, b'{"id": "1"}')
    assert found.headers[b"x-ratelimit-remaining"] == b"4"
    assert b"server" not in found.headers


async def test_a_response_in_chunks(discord: FakeDiscord, transport: Transport) -> None:
    discord.script(raw(CHUNKED, b"5\r\nhello\r\n", b"6;x=y\r\n world\r\n", b"0\r\n\r\n"))
    assert (await fetch(transport, get())).body == b"hello world"


async def test_chunks_with_trailers_leave_the_connection_usable(
    discord: FakeDiscord, transport: Transport
) -> None:
    discord.script(raw(CHUNKED + b"2\r\n{}\r\n0\r\nX-Checksum: 1\r\nX-More: 2\r\n\r\n"))
    assert (await fetch(transport, get())).body == b"{}"
    assert (await fetch(transport, get())).status == 204
    assert discord.connections == 1


@pytest.mark.parametrize("status", [204, 304])
async def test_statuses_that_have_no_body(discord: FakeDiscord, transport: Transport, status: int) -> None:
    discord.script(raw(b"HTTP/1.1 %d X\r\nETag: y\r\n\r\n" % status))
    found = await fetch(transport, get())
    assert (found.status, found.body) == (status, b"")
    assert (await fetch(transport, get())).status == 204
    assert discord.connections == 1


async def test_a_head_has_no_body_whatever_its_length_says(
    discord: FakeDiscord, transport: Transport
) -> None:
    discord.script(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"))
    request = Once(b"HEAD", b"/x", deadline=asyncio.get_running_loop().time() + 5)
    found = await fetch(transport, request)
    assert (found.status, found.body) == (200, b"")
    assert (await fetch(transport, get())).status == 204


async def test_interim_responses_are_skipped(discord: FakeDiscord, transport: Transport) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nX-RateLimit-Remaining: 9\r\n\r\n"
    discord.script(raw(b"HTTP/1.1 100 Continue\r\n\r\n", early, response(200, {"id": "1"})))
    found = await fetch(transport, post())
    assert (found.status, found.body) == (200, b'{"id": "1"}')
    assert b"x-ratelimit-remaining" not in found.headers
    assert (await fetch(transport, get())).status == 204
    assert discord.connections == 1


async def test_a_body_that_ends_with_the_connection(discord: FakeDiscord, transport: Transport) -> None:
    discord.script(raw(b"HTTP/1.1 200 OK\r\n\r\nhello", b" world", then="close"))
    assert (await fetch(transport, get())).body == b"hello world"


async def test_http_1_0(discord: FakeDiscord, transport: Transport) -> None:
    discord.script(raw(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", then="close"))
    assert (await fetch(transport, get())).body == b"ok"
    assert (await fetch(transport, get())).status == 204
    assert discord.connections == 2


@pytest.mark.parametrize("size", [1, 3, 7])
async def test_a_response_may_be_cut_anywhere(discord: FakeDiscord, transport: Transport, size: int) -> None:
    whole = response(200, {"text": "hé"}, {"x-ratelimit-bucket": "abcdef"})
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    discord.script(raw(*pieces))
    found = await fetch(transport, get())
    assert found.body == b'{"text": "h\\u00e9"}'
    assert found.headers[b"x-ratelimit-bucket"] == b"abcdef"


async def test_redirects_are_not_followed(discord: FakeDiscord, transport: Transport) -> None:
    discord.script(answer(302, {}, {"Location": f"{discord.url}/elsewhere"}))
    assert (await fetch(transport, get())).status == 302
    assert len(discord.seen) == 1


# Connections


async def test_a_connection_is_kept_for_the_next_request(discord: FakeDiscord, transport: Transport) -> None:
    for _ in range(5):
        await fetch(transport, get())
    assert discord.connections == 1


async def test_a_server_that_says_close_is_dialled_anew(discord: FakeDiscord, transport: Transport) -> None:
    discord.script(answer(200, {}, {"Connection": "close"}))
    assert (await fetch(transport, get())).status == 200
    assert (await fetch(transport, get())).status == 204
    assert discord.connections == 2


async def test_no_more_connections_than_allowed_are_opened(
    discord: FakeDiscord, make_transport: Callable[..., Transport]
) -> None:
    transport = make_transport(connections=3)
    discord.latency = 0.01
    found = await asyncio.gather(*(fetch(transport, get(b"/%d" % n)) for n in range(20)))
    assert [one.status for one in found] == [204] * 20
    assert discord.connections == 3


async def test_answers_go_to_whoever_asked(
    discord: FakeDiscord, make_transport: Callable[..., Transport]
) -> None:
    transport = make_transport(connections=4)
    discord.script(*(answer(200, n, after=0.005 * (n % 3)) for n in range(40)))

    async def ask(n: int) -> bool:
        found = await fetch(transport, post(b"%d" % n))
        (seen,) = [seen for seen in discord.seen if seen.body == b"%d" % n]
        return found.body == b"%d" % discord.seen.index(seen)

    assert all(await asyncio.gather(*(ask(n) for n in range(40))))


# What goes wrong


async def failure(transport: Transport, request: Request) -> TransportError:
    with pytest.raises(TransportError) as caught:
        await fetch(transport, request)
    return caught.value


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\x01\x02\x03" * 20,
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 9999999 X\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\nBad Header : x\r\nContent-Length: 0\r\n\r\n",
        CHUNKED + b"zz\r\nhello\r\n",
        b"<html>\r\n\r\n",
    ],
    ids=range(8),
)
async def test_what_is_not_http_is_an_error_and_ends_the_connection(
    discord: FakeDiscord, transport: Transport, garbage: bytes
) -> None:
    discord.script(raw(garbage, then="close"))
    assert isinstance(await failure(transport, get()), MalformedResponse)
    assert (await fetch(transport, get())).status == 204
    assert discord.connections == 2


async def test_a_connection_that_is_reset_inside_the_body(discord: FakeDiscord, transport: Transport) -> None:
    discord.script(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf", pause=0.01, then="reset"))
    error = await failure(transport, get())
    assert isinstance(error, ConnectionLost)
    assert error.sent


async def test_a_body_that_ends_early(discord: FakeDiscord, transport: Transport) -> None:
    discord.script(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf", then="close"))
    assert isinstance(await failure(transport, get()), ConnectionLost)


async def test_chunks_that_end_early(discord: FakeDiscord, transport: Transport) -> None:
    discord.script(raw(CHUNKED + b"5\r\nhello\r\n", then="close"))
    assert isinstance(await failure(transport, get()), ConnectionLost)


@pytest.mark.parametrize("then", ["close", "reset"])
async def test_a_server_that_goes_instead_of_answering(
    discord: FakeDiscord, transport: Transport, then: str
) -> None:
    discord.script(raw(then=then))
    assert isinstance(await failure(transport, post()), ConnectionLost)
    assert len(discord.seen) == 1


async def test_a_slow_answer_is_given_up_and_its_connection_with_it(
    discord: FakeDiscord, transport: Transport
) -> None:
    discord.script(answer(200, "late", after=0.3))
    error = await failure(transport, get(seconds=0.05))
    assert isinstance(error, RequestTimedOut)
    assert error.sent
    assert (await fetch(transport, get())).status == 204
    assert discord.connections == 2


async def test_a_body_that_trickles_is_given_up_too(discord: FakeDiscord, transport: Transport) -> None:
    discord.script(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", *[b"x"] * 50, pause=0.01))
    assert isinstance(await failure(transport, get(seconds=0.1)), RequestTimedOut)


async def test_a_body_over_the_limit_is_not_read_to_its_end(
    discord: FakeDiscord, make_transport: Callable[..., Transport]
) -> None:
    transport = make_transport(response_limit=10_000)
    discord.script(
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 300_000, then="reset"),
        raw(CHUNKED + b"4e20\r\n" + b"x" * 20_000 + b"\r\n0\r\n\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n" + b"x" * 10_000),
    )
    assert isinstance(await failure(transport, get()), ResponseTooLarge)
    assert isinstance(await failure(transport, get()), ResponseTooLarge)
    assert len((await fetch(transport, get())).body) == 10_000


async def test_nobody_listening_is_an_error_that_says_nothing_was_sent(
    discord: FakeDiscord, transport: Transport
) -> None:
    discord._server.close()
    await discord._server.wait_closed()
    error = await failure(transport, post())
    assert not error.sent
    assert error.reason == "connect"


async def test_too_many_requests_at_once_are_refused(
    discord: FakeDiscord, make_transport: Callable[..., Transport]
) -> None:
    transport = make_transport(connections=1, waiting=2)
    discord.script(*[answer(200, "ok", after=0.05)] * 3)
    results = await asyncio.gather(*(fetch(transport, get()) for _ in range(5)), return_exceptions=True)
    refused = [one for one in results if isinstance(one, PoolExhausted)]
    assert 1 <= len(refused) <= 3
    assert all(not one.sent for one in refused)
    assert sum(isinstance(one, Response) for one in results) == 5 - len(refused)


# Cancelling and closing


async def test_a_cancelled_request_takes_its_connection_with_it(
    discord: FakeDiscord, transport: Transport
) -> None:
    discord.script(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of the first", pause=0.02))
    task = asyncio.create_task(fetch(transport, get()))
    await asyncio.sleep(0.03)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not discord.open_connections)
    assert (await fetch(transport, get())).status == 204
    assert discord.connections == 2


async def test_a_request_that_is_cancelled_while_it_waits_is_not_sent(
    discord: FakeDiscord, make_transport: Callable[..., Transport]
) -> None:
    transport = make_transport(connections=1)
    discord.script(answer(200, "first", after=0.05))
    first = asyncio.create_task(fetch(transport, get()))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(fetch(transport, get(b"/cancelled")))
    await asyncio.sleep(0.01)
    second.cancel()
    assert (await first).body == b'"first"'
    assert (await fetch(transport, get())).status == 204
    assert [seen.target for seen in discord.seen] == ["/x", "/x"]


async def test_close_lets_what_is_under_way_finish(discord: FakeDiscord, transport: Transport) -> None:
    discord.script(answer(200, "done", after=0.05))
    task = asyncio.create_task(fetch(transport, get()))
    await asyncio.sleep(0.02)
    await transport.close(seconds=2.0)
    assert (await task).body == b'"done"'


async def test_close_does_not_wait_for_ever(discord: FakeDiscord, transport: Transport) -> None:
    discord.script(answer(200, "late", after=5.0))
    task = asyncio.create_task(fetch(transport, get()))
    await asyncio.sleep(0.02)
    await transport.close(seconds=0.05)
    with pytest.raises(TransportClosed):
        await task


async def test_a_closed_client_takes_nothing(discord: FakeDiscord, transport: Transport) -> None:
    await transport.close()
    with pytest.raises(TransportClosed):
        await fetch(transport, get())
    assert discord.seen == []


async def test_each_request_is_answered_exactly_once(
    discord: FakeDiscord, make_transport: Callable[..., Transport]
) -> None:
    transport = make_transport(connections=3)
    steps = [
        answer(200, "ok"),
        raw(then="close"),
        raw(then="reset"),
        raw(b"garbage\r\n\r\n", then="close"),
        answer(200, "late", after=0.2),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", then="close"),
    ]
    discord.script(*(steps[n % len(steps)] for n in range(60)))
    outcomes: dict[int, list[Outcome]] = {n: [] for n in range(60)}
    for n in range(60):
        transport.send(get(b"/%d" % n, seconds=0.15), lambda _, outcome, n=n: outcomes[n].append(outcome))
    for _ in range(50):
        await asyncio.sleep(0.01)
    await transport.close()
    assert [len(found) for found in outcomes.values()] == [1] * 60
