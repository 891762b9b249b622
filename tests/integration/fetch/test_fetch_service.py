"""Limits of a guild, aborting, secrets, and files by URL."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable

import pytest

from flora_core.ids import GuildId
from flora_core.wire.control import SECRET_PREFIX, Secret
from flora_runtime.fetch import limits, metrics
from flora_runtime.fetch.attachments import names_urls
from flora_runtime.fetch.body import BodyBudget
from tests.integration.fetch.world import Fetcher, Refused, Site
from tests.waiting import until

MARK = SECRET_PREFIX + "ef" * 16
NewFetcher = Callable[..., Fetcher]


async def test_six_go_at_once_and_the_others_wait_their_turn(fetcher: Fetcher, site: Site) -> None:
    started = [fetcher.start(f"{site.url}/wait")[1] for _ in range(10)]
    await until(lambda: site.under_way == 6)
    assert len(site.requests) == 6
    site.gate.set()
    assert {(await future)["text"] for future in started} == {"at last"}
    assert site.most_at_once == 6


async def test_another_guild_is_not_held_up(fetcher: Fetcher, site: Site) -> None:
    started = [fetcher.start(f"{site.url}/wait")[1] for _ in range(10)]
    await until(lambda: site.under_way == 6)
    assert (await fetcher.fetch(f"{site.url}/echo", guild=GuildId("2")))["status"] == 200
    site.gate.set()
    await asyncio.gather(*started)


async def test_too_many_waiting_are_refused_at_once(new_fetcher: NewFetcher, site: Site) -> None:
    fetcher = new_fetcher(at_once=1)
    started = [fetcher.start(f"{site.url}/wait")[1] for _ in range(1 + limits.WAITING)]
    await until(lambda: site.under_way == 1)
    assert (await fetcher.refusal(f"{site.url}/echo")).code == "FETCH_TOO_MANY"
    site.gate.set()
    await asyncio.gather(*started)


async def test_waiting_ends_after_a_while(
    new_fetcher: NewFetcher, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "QUEUE_SECONDS", 0.05)
    fetcher = new_fetcher(at_once=1)
    _, first = fetcher.start(f"{site.url}/wait")
    await until(lambda: site.under_way == 1)
    refused = await fetcher.refusal(f"{site.url}/echo")
    assert (refused.code, "it waited" in refused.text) == ("FETCH_TOO_MANY", True)
    site.gate.set()
    await first


async def test_a_guild_has_a_rate(new_fetcher: NewFetcher, site: Site) -> None:
    fetcher = new_fetcher(a_minute=3)
    for _ in range(3):
        await fetcher.fetch(f"{site.url}/echo")
    refused = await fetcher.refusal(f"{site.url}/echo")
    assert refused.code == "FETCH_RATE_LIMITED"
    assert 0 < refused.error["retryAfter"] <= 60
    assert (await fetcher.fetch(f"{site.url}/echo", guild=GuildId("2")))["status"] == 200


async def test_a_pod_holds_only_so_much_of_all_bodies(new_fetcher: NewFetcher, site: Site) -> None:
    fetcher = new_fetcher()
    fetcher.service._client._budget = budget = BodyBudget(1 << 20)
    assert (await fetcher.refusal(f"{site.url}/size?n={2 << 20}")).code == "FETCH_TOO_MANY"
    assert budget.free == 1 << 20, "what was taken is given back"
    assert (await fetcher.fetch(f"{site.url}/size?n={1 << 19}"))["status"] == 200
    assert budget.free == 1 << 20


# ------------------------------------------------------------------------------------------------- ending


async def test_aborting_ends_the_request_itself(fetcher: Fetcher, site: Site) -> None:
    op, future = fetcher.start(f"{site.url}/wait")
    await until(lambda: site.under_way == 1)
    fetcher.abort(op)
    with pytest.raises(Refused, match="aborted"):
        await future
    await until(lambda: site.under_way == 0 or not fetcher.service._tasks)
    assert fetcher.service._tasks == {}


async def test_aborting_what_is_over_or_anothers_does_nothing(fetcher: Fetcher, site: Site) -> None:
    op, future = fetcher.start(f"{site.url}/wait")
    await until(lambda: site.under_way == 1)
    fetcher.abort(op, guild=GuildId("2"))
    fetcher.abort(op + 7)
    site.gate.set()
    assert (await future)["text"] == "at last"


async def test_what_waits_for_its_turn_can_be_aborted(new_fetcher: NewFetcher, site: Site) -> None:
    fetcher = new_fetcher(at_once=1)
    _, first = fetcher.start(f"{site.url}/wait")
    await until(lambda: site.under_way == 1)
    op, second = fetcher.start(f"{site.url}/echo")
    await asyncio.sleep(0)
    fetcher.abort(op)
    with pytest.raises(Refused, match="aborted"):
        await second
    site.gate.set()
    await first
    assert (await fetcher.fetch(f"{site.url}/echo"))["status"] == 200, "the turn was given back"


async def test_a_guild_that_goes_takes_its_fetches_along(fetcher: Fetcher, site: Site) -> None:
    mine = [fetcher.start(f"{site.url}/wait")[1] for _ in range(8)]
    _, other = fetcher.start(f"{site.url}/wait", guild=GuildId("2"))
    await until(lambda: site.under_way == 7)
    fetcher.service.forget(GuildId("1"))
    results = await asyncio.gather(*mine, return_exceptions=True)
    assert {str(result) for result in results} == {"FETCH_FAILED: the fetch was aborted"}
    site.gate.set()
    assert (await other)["text"] == "at last"


async def test_a_fault_of_ours_is_the_scripts_error_and_nobody_elses(
    fetcher: Fetcher, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(fetcher.service._client, "fetch", broken)
    assert "could not carry" in (await fetcher.refusal(f"{site.url}/echo")).text
    monkeypatch.undo()
    assert (await fetcher.fetch(f"{site.url}/echo"))["status"] == 200


async def test_outcomes_are_counted(fetcher: Fetcher, site: Site) -> None:
    def count(outcome: str) -> float:
        return metrics.fetches[outcome]._value.get()

    before = count("ok"), count("forbidden_address")
    await fetcher.fetch(f"{site.url}/echo")
    await fetcher.refusal("http://10.0.0.1/")
    assert (count("ok"), count("forbidden_address")) == (before[0] + 1, before[1] + 1)
    assert (metrics.in_flight._value.get(), metrics.waiting._value.get()) == (0, 0)


# ------------------------------------------------------------------------------------------------- secrets


@pytest.mark.parity(54, 81)
async def test_a_changed_value_is_live_and_its_placeholder_the_same(fetcher: Fetcher, site: Site) -> None:
    for value in ("first-value", "second-value"):
        fetcher.know(Secret("KEY", MARK, value, ["http://127.0.0.1"]))
        assert fetcher.service.placeholders(GuildId("1")) == {"KEY": MARK}
        await fetcher.fetch(f"{site.url}/echo?k={MARK}")
    assert [request["path"] for request in site.requests] == ["/echo?k=first-value", "/echo?k=second-value"]


async def test_a_body_has_values_only_when_the_script_says_so(fetcher: Fetcher, site: Site) -> None:
    fetcher.know(Secret("KEY", MARK, 'a"b-long-value', ["http://127.0.0.1"]))
    headers = [["Content-Type", "application/json"]]
    body = f'{{"k":"{MARK}"}}'
    for flag in (False, True):
        await fetcher.fetch(f"{site.url}/echo", method="POST", headers=headers, text=body, secretsInBody=flag)
    assert [r["body"] for r in site.requests] == [body.encode(), b'{"k":"a\\"b-long-value"}']


async def test_a_body_with_secrets_is_not_sent_on_to_another_host(fetcher: Fetcher, site: Site) -> None:
    fetcher.names.answers["other.example"] = [["127.0.0.1"]]
    fetcher.know(Secret("KEY", MARK, "s3cret-value", ["http://127.0.0.1"]))
    url = f"{site.url}/redirect?status=307&to=http://other.example:{site.port}/echo"
    refused = await fetcher.refusal(url, method="POST", text=MARK, secretsInBody=True)
    assert (refused.code, len(site.requests)) == ("FETCH_SECRET_FORBIDDEN", 1)


async def test_another_guilds_placeholder_is_worth_nothing(fetcher: Fetcher, site: Site) -> None:
    fetcher.know(Secret("KEY", MARK, "s3cret-value", ["http://127.0.0.1"]), guild=GuildId("2"))
    assert (await fetcher.refusal(f"{site.url}/echo?k={MARK}")).code == "FETCH_SECRET_FORBIDDEN"
    assert site.requests == []


async def test_nothing_that_goes_wrong_tells_a_value(
    fetcher: Fetcher, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    fetcher.know(Secret("KEY", MARK, "s3cret-value", ["http://127.0.0.1"]))
    url = f"{site.url}/echo?k={MARK}"
    await site.stop()
    texts = [(await fetcher.refusal(url)).text, (await fetcher.refusal(f"http://10.0.0.1/?k={MARK}")).text]
    assert "s3cret" not in " ".join(texts) + caplog.text


async def test_a_server_that_repeats_a_value_without_end_cannot_blow_an_answer_up(
    fetcher: Fetcher, site: Site
) -> None:
    fetcher.know(Secret("KEY", MARK, "8 chars!", ["http://127.0.0.1"]))
    assert (await fetcher.fetch(f"{site.url}/repeat?k={MARK}&n=3"))["text"] == MARK * 3
    refused = await fetcher.refusal(f"{site.url}/repeat?k={MARK}&n={1 << 20}")
    assert refused.code == "FETCH_TOO_LARGE"


async def test_an_allowed_host_that_is_none_locks_the_secret_away(fetcher: Fetcher, site: Site) -> None:
    fetcher.know(Secret("KEY", MARK, "s3cret-value", ["not a host"]))
    assert (await fetcher.refusal(f"{site.url}/echo?k={MARK}")).code == "FETCH_SECRET_FORBIDDEN"


# ------------------------------------------------------------------------------------------------- files


def test_only_a_call_with_files_by_url_is_looked_at() -> None:
    assert names_urls(b'{"body":{},"files":[{"url":"https://a.b/c"}]}')
    assert not names_urls(b'{"body":{"content":"x"}}')
    assert not names_urls(b'{"body":{"content":"\\"files\\":[{\\"url\\":1}]"}}')
    assert not names_urls(b'{"files":[{"name":"a","data":"eA=="}]}')


async def test_files_by_url_come_with_their_bytes(fetcher: Fetcher, site: Site) -> None:
    given = {"name": "b.txt", "data": base64.b64encode(b"given").decode()}
    args = {
        "path": {"channel": "1"},
        "body": {"content": "x"},
        "files": [{"url": f"{site.url}/pictures/cat.png", "description": "a cat"}, given],
    }
    filled = await fetcher.fill(args)
    cat = {"name": "cat.png", "description": "a cat", "data": base64.b64encode(bytes(range(256))).decode()}
    assert filled == {**args, "files": [cat, given]}


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ([{"url": "http://10.0.0.1/x"}], "FETCH_FORBIDDEN_ADDRESS"),
        ([{"url": "SITE/missing"}], "FETCH_FAILED"),
        ([{"url": f"SITE/size?n={(8 << 20) + 1}"}], "FETCH_TOO_LARGE"),
        ([{"url": f"SITE/size?n={6 << 20}"}] * 2, "FETCH_TOO_LARGE"),
        ([{"url": "SITE/bytes"}] * 11, "INVALID_INPUT"),
        ([{"url": 5}], "INVALID_INPUT"),
        ("x", "INVALID_INPUT"),
    ],
)
async def test_files_that_cannot_be_had_fail_the_call(
    fetcher: Fetcher, site: Site, files: object, code: str
) -> None:
    if isinstance(files, list):
        files = [{"url": str(f["url"]).replace("SITE", site.url)} if f["url"] != 5 else f for f in files]
    with pytest.raises(Refused) as caught:
        await fetcher.fill({"files": files})
    assert caught.value.code == code


async def test_files_count_as_fetches(new_fetcher: NewFetcher, site: Site) -> None:
    fetcher = new_fetcher(a_minute=1)
    with pytest.raises(Refused, match="FETCH_RATE_LIMITED"):
        await fetcher.fill({"files": [{"url": f"{site.url}/bytes"}] * 2})
