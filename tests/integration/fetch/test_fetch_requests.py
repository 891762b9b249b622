"""Requests and answers, over real sockets."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from flora_core.wire.control import SECRET_PREFIX, Secret
from flora_runtime.fetch import limits
from tests.integration.fetch.world import Fetcher, Raw, Site

MARK = SECRET_PREFIX + "ab" * 16


@pytest.mark.parity(26)
async def test_a_request_arrives_as_it_was_asked(fetcher: Fetcher, site: Site) -> None:
    answer = await fetcher.fetch(f"{site.url}/echo", method="PUT", headers=[["X-A", "1"]], text="hällo")
    seen = site.requests[0]
    assert (seen["method"], seen["body"], seen["headers"]["X-A"]) == ("PUT", "hällo".encode(), "1")
    assert (answer["status"], answer["statusText"], answer["url"]) == (200, "OK", f"{site.url}/echo")
    assert json.loads(answer["text"])["method"] == "PUT"


async def test_bytes_go_and_come_as_base64(fetcher: Fetcher, site: Site) -> None:
    every = base64.b64encode(bytes(range(256))).decode()
    answer = await fetcher.fetch(f"{site.url}/bytes", method="POST", body=every)
    assert site.requests[0]["body"] == bytes(range(256))
    assert answer["body"] == every


async def test_headers_come_one_by_one_and_cookies_are_not_kept(fetcher: Fetcher, site: Site) -> None:
    answer = await fetcher.fetch(f"{site.url}/cookies")
    assert [name for name, _ in answer["headers"]].count("set-cookie") == 2
    assert ["x-status", "fine"] in answer["headers"]
    await fetcher.fetch(f"{site.url}/echo")
    assert "Cookie" not in site.requests[1]["headers"]


async def test_headers_of_the_connection_are_the_hosts_business(fetcher: Fetcher, site: Site) -> None:
    own = [
        ["Host", "evil"],
        ["Transfer-Encoding", "chunked"],
        ["Proxy-Authorization", "x"],
        ["Content-Length", "9"],
    ]
    await fetcher.fetch(f"{site.url}/echo", headers=own)
    headers = site.requests[0]["headers"]
    assert headers["Host"] == f"127.0.0.1:{site.port}"
    assert not {"Transfer-Encoding", "Proxy-Authorization"} & set(headers)
    assert headers["User-Agent"] == "flora"


@pytest.mark.parametrize(
    "call",
    [
        {"method": "CONNECT"},
        {"method": "GE T"},
        {"method": "GET", "text": "x"},
        {"headers": [["X", "a\r\nY: b"]]},
        {"headers": [["X Y", "a"]]},
        {"headers": [["X", "☃"]]},
        {"headers": [["X", "y" * 40_000]]},
        {"headers": [["X", "y"]] * 101},
        {"headers": "x"},
        {"method": "POST", "body": "no base64!"},
        {"method": "POST", "text": "x" * ((1 << 20) + 1)},
        {"redirect": "sometimes"},
    ],
)
async def test_what_an_isolate_may_not_say_is_refused_before_anything_is_sent(
    fetcher: Fetcher, site: Site, call: dict[str, Any]
) -> None:
    assert (await fetcher.refusal(f"{site.url}/echo", **call)).code == "INVALID_INPUT"
    assert site.requests == []


# ------------------------------------------------------------------------------------------------- redirects


async def test_redirects_are_followed_and_told(fetcher: Fetcher, site: Site) -> None:
    answer = await fetcher.fetch(f"{site.url}/redirect?to=/echo")
    assert (answer["redirected"], answer["url"]) == (True, f"{site.url}/echo")


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "PUT", "GET"),
        (303, "HEAD", "HEAD"),
        (302, "PUT", "PUT"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
    ],
)
async def test_the_method_after_a_redirect_is_that_of_the_standard(
    fetcher: Fetcher, site: Site, status: int, method: str, then: str
) -> None:
    body = {} if method == "HEAD" else {"text": "b"}
    headers = [["Content-Type", "text/plain"]]
    await fetcher.fetch(
        f"{site.url}/redirect?to=/echo&status={status}", method=method, headers=headers, **body
    )
    seen = site.requests[1]
    assert seen["method"] == then
    assert seen["body"] == (b"b" if then == method != "HEAD" else b"")
    assert ("Content-Type" in seen["headers"]) == (then == method)


async def test_redirects_can_be_refused_or_taken_by_hand(fetcher: Fetcher, site: Site) -> None:
    url = f"{site.url}/redirect?to=/echo"
    assert "redirect" in (await fetcher.refusal(url, redirect="error")).text
    by_hand = await fetcher.fetch(url, redirect="manual")
    assert (by_hand["status"], dict(by_hand["headers"])["location"]) == (302, "/echo")
    assert len(site.requests) == 2


async def test_a_circle_of_redirects_ends(fetcher: Fetcher, site: Site) -> None:
    assert "more than 5 times" in (await fetcher.refusal(f"{site.url}/circle")).text
    assert len(site.requests) == 1 + limits.REDIRECTS


async def test_another_origin_gets_no_credentials(fetcher: Fetcher, site: Site) -> None:
    fetcher.names.answers["other.example"] = [["127.0.0.1"]]
    fetcher.know(Secret("KEY", MARK, "s3cret-value", ["http://127.0.0.1"]))
    headers = [["Authorization", "Bearer x"], ["Cookie", "a=b"], ["X-Key", MARK], ["X-Plain", "stays"]]
    await fetcher.fetch(f"{site.url}/redirect?to=http://other.example:{site.port}/echo", headers=headers)
    first, second = (request["headers"] for request in site.requests)
    assert (first["Authorization"], first["X-Key"]) == ("Bearer x", "s3cret-value")
    assert second["X-Plain"] == "stays"
    assert not {"Authorization", "Cookie", "X-Key"} & set(second)


# ------------------------------------------------------------------------------------------------- sizes


@pytest.mark.parametrize("kind", ["gzip", "deflate", "raw"])
async def test_compressed_bodies_are_inflated(fetcher: Fetcher, site: Site, kind: str) -> None:
    answer = await fetcher.fetch(f"{site.url}/packed?as={kind}&n=5000")
    assert base64.b64decode(answer["body"]) == bytes(5000)


async def test_ten_mebibytes_come_down_and_not_a_byte_more(fetcher: Fetcher, site: Site) -> None:
    answer = await fetcher.fetch(f"{site.url}/size?n={10 << 20}")
    assert len(answer["text"]) == 10 << 20
    assert (await fetcher.refusal(f"{site.url}/size?n={(10 << 20) + 1}")).code == "FETCH_TOO_LARGE"


@pytest.mark.parametrize("kind", ["gzip", "deflate", "raw"])
async def test_a_decompression_bomb_is_stopped_while_it_unfolds(
    fetcher: Fetcher, site: Site, kind: str
) -> None:
    assert (await fetcher.refusal(f"{site.url}/packed?as={kind}&n={100 << 20}")).code == "FETCH_TOO_LARGE"


@pytest.mark.parametrize("kind", ["cut", "broken", "br"])
async def test_a_body_that_cannot_be_inflated_is_an_error(fetcher: Fetcher, site: Site, kind: str) -> None:
    assert (await fetcher.refusal(f"{site.url}/packed?as={kind}&n=5000")).code == "FETCH_FAILED"


async def test_headers_have_a_limit_too(fetcher: Fetcher, site: Site) -> None:
    assert (await fetcher.refusal(f"{site.url}/headers?n=20")).code == "FETCH_TOO_LARGE"


# ------------------------------------------------------------------------------------------------- bad servers

BAD = {
    "no HTTP": (b"hello\r\n\r\n",),
    "nothing": (),
    "half of its headers": (b"HTTP/1.1 200 OK\r\nContent-",),
    "less than it said": (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc",),
    "a bad chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n",),
    "a header without end": (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000,),
}


@pytest.mark.parametrize("pieces", BAD.values(), ids=BAD.keys())
async def test_a_server_that_speaks_badly_is_an_error(fetcher: Fetcher, pieces: tuple[bytes, ...]) -> None:
    async with Raw(*pieces) as url:
        refused = await fetcher.refusal(url)
    assert refused.code == "FETCH_FAILED"
    assert url not in refused.text


async def test_a_closed_port_is_an_error(fetcher: Fetcher, site: Site) -> None:
    await site.stop()
    assert "no connection" in (await fetcher.refusal(f"{site.url}/echo")).text


async def test_a_server_that_dribbles_runs_out_of_time(
    fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TOTAL_SECONDS", 0.5)
    raw = Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", *[b"x"] * 100, pause=0.05)
    async with raw as url:
        assert (await fetcher.refusal(url)).code == "FETCH_TIMEOUT"
        await raw.lost.wait()


async def test_a_server_that_says_nothing_runs_out_of_time(
    fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TOTAL_SECONDS", 0.2)
    async with Raw(close=False) as url:
        assert (await fetcher.refusal(url)).code == "FETCH_TIMEOUT"
