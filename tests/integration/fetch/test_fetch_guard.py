"""What cannot be reached, however one asks."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from flora_core.wire.control import SECRET_PREFIX, Secret
from flora_runtime.fetch.address import AddressRules, parse_networks
from tests.integration.fetch.world import Fetcher, Site, certificate

MARK = SECRET_PREFIX + "cd" * 16
NewFetcher = Callable[..., Fetcher]


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "169.254.169.254"])
async def test_addresses_that_are_not_public_are_refused(
    new_fetcher: NewFetcher, site: Site, host: str
) -> None:
    fetcher = new_fetcher(rules=AddressRules())
    assert (await fetcher.refusal(f"http://{host}:{site.port}/echo")).code == "FETCH_FORBIDDEN_ADDRESS"
    assert site.requests == []


async def test_names_that_lead_there_are_refused(new_fetcher: NewFetcher, site: Site) -> None:
    fetcher = new_fetcher(rules=AddressRules())
    fetcher.names.answers["inside.example"] = [["127.0.0.1"]]
    refused = await fetcher.refusal(f"http://inside.example:{site.port}/echo")
    assert (refused.code, site.requests) == ("FETCH_FORBIDDEN_ADDRESS", [])
    assert "127.0.0.1" not in refused.text, "what a name stands for inside is nobody's business"


async def test_one_bad_address_spoils_a_name(fetcher: Fetcher, site: Site) -> None:
    fetcher.names.answers["mixed.example"] = [["127.0.0.1", "10.0.0.1"]]
    assert (await fetcher.refusal(f"http://mixed.example:{site.port}/echo")).code == "FETCH_FORBIDDEN_ADDRESS"
    assert site.requests == []


async def test_a_name_is_looked_up_once_and_what_it_says_later_does_not_matter(
    fetcher: Fetcher, site: Site
) -> None:
    fetcher.names.answers["rebind.example"] = [["127.0.0.1"], ["10.0.0.1"]]
    await fetcher.fetch(f"http://rebind.example:{site.port}/echo")
    assert fetcher.names.asked == ["rebind.example"]
    assert site.requests[0]["headers"]["Host"] == f"rebind.example:{site.port}"
    # The next fetch asks again, and the new answer is checked again.
    refused = await fetcher.refusal(f"http://rebind.example:{site.port}/echo")
    assert (refused.code, len(site.requests)) == ("FETCH_FORBIDDEN_ADDRESS", 1)


async def test_a_name_that_turns_bad_between_two_redirects_is_refused(fetcher: Fetcher, site: Site) -> None:
    fetcher.names.answers["rebind.example"] = [["127.0.0.1"], ["192.168.0.1"]]
    refused = await fetcher.refusal(f"http://rebind.example:{site.port}/redirect?to=/echo")
    assert (refused.code, len(site.requests)) == ("FETCH_FORBIDDEN_ADDRESS", 1)


@pytest.mark.parametrize(
    "to",
    [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "http://[::ffff:7f00:1]/",
        "//127.0.0.2/",
        "http://0x7f.2/",
        "http://2130706434/",
        "http://127.0.0.1:22/",
    ],
)
async def test_a_redirect_there_is_refused(fetcher: Fetcher, site: Site, to: str) -> None:
    assert (await fetcher.refusal(f"{site.url}/redirect?to={to}")).code == "FETCH_FORBIDDEN_ADDRESS"
    assert len(site.requests) == 1


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "data:,x"])
async def test_a_redirect_to_another_scheme_is_refused(fetcher: Fetcher, site: Site, to: str) -> None:
    assert (await fetcher.refusal(f"{site.url}/redirect?to={to}")).code == "FETCH_FAILED"


async def test_an_installation_denies_its_own_ranges(new_fetcher: NewFetcher, site: Site) -> None:
    rules = AddressRules(allow=parse_networks("127.0.0.0/8"), deny=parse_networks("127.0.0.1"))
    assert (await new_fetcher(rules=rules).refusal(f"{site.url}/echo")).code == "FETCH_FORBIDDEN_ADDRESS"


async def test_a_name_that_is_none(fetcher: Fetcher) -> None:
    assert (await fetcher.refusal("http://nowhere.example/")).code == "FETCH_FAILED"


async def test_the_machines_own_resolver_is_checked_as_well() -> None:
    from flora_runtime.fetch.resolver import Resolver, system_lookup  # noqa: PLC0415
    from tests.integration.fetch.world import GUILD  # noqa: PLC0415

    resolver = Resolver(AddressRules(), lookup=system_lookup)
    with pytest.raises(Exception, match="not on the public internet"):
        await resolver.resolve(GUILD, "localhost")
    resolver.close()


async def test_names_that_never_answer_keep_only_their_own_guild_waiting(
    new_fetcher: NewFetcher, site: Site
) -> None:
    import threading  # noqa: PLC0415

    fetcher = new_fetcher()
    answer = threading.Event()
    usual = fetcher.names.__call__

    def slow(host: str) -> list[str]:
        if host.startswith("slow"):
            answer.wait(20)
        return usual(host)

    fetcher.service._resolver._lookup = slow
    fetcher.names.answers["quick.example"] = [["127.0.0.1"]]
    waiting = [fetcher.start(f"http://slow{n}.example/")[1] for n in range(4)]
    await asyncio.sleep(0)
    await fetcher.fetch(f"http://quick.example:{site.port}/echo", guild="2")
    assert (await fetcher.refusal("http://slow9.example/")).code == "FETCH_TOO_MANY"
    answer.set()
    await asyncio.gather(*waiting, return_exceptions=True)


# ------------------------------------------------------------------------------------------------- TLS


async def test_a_certificate_nobody_vouches_for_is_refused(new_fetcher: NewFetcher, tmp_path: Path) -> None:
    server, _ = certificate(tmp_path, "api.example")
    site = Site()
    await site.start(server)
    fetcher = new_fetcher()
    fetcher.names.answers["api.example"] = [["127.0.0.1"]]
    refused = await fetcher.refusal(f"https://api.example:{site.port}/echo")
    assert (refused.code, site.requests) == ("FETCH_FAILED", [])
    assert "certificate is not accepted" in refused.text
    await site.stop()


async def test_a_certificate_for_another_name_is_refused(new_fetcher: NewFetcher, tmp_path: Path) -> None:
    server, crt = certificate(tmp_path, "api.example")
    site = Site()
    await site.start(server)
    fetcher = new_fetcher(tls=ssl.create_default_context(cafile=crt))
    fetcher.names.answers |= {"api.example": [["127.0.0.1"]], "other.example": [["127.0.0.1"]]}
    assert (await fetcher.fetch(f"https://api.example:{site.port}/echo"))["status"] == 200
    refused = await fetcher.refusal(f"https://other.example:{site.port}/echo")
    assert "certificate is not accepted" in refused.text
    assert len(site.requests) == 1
    await site.stop()


@pytest.mark.parity(81)
async def test_a_secret_goes_over_https_and_not_on_with_a_redirect_to_plain_http(
    new_fetcher: NewFetcher, site: Site, tmp_path: Path
) -> None:
    server, crt = certificate(tmp_path, "api.example")
    safe = Site()
    await safe.start(server)
    fetcher = new_fetcher(tls=ssl.create_default_context(cafile=crt))
    fetcher.names.answers["api.example"] = [["127.0.0.1"]]
    fetcher.know(Secret("KEY", MARK, "s3cret-value", ["api.example"]))
    headers = [["X-Key", MARK]]
    answer = await fetcher.fetch(f"https://api.example:{safe.port}/echo?k={MARK}", headers=headers)
    assert safe.requests[0]["headers"]["X-Key"] == "s3cret-value"
    assert safe.requests[0]["path"] == "/echo?k=s3cret-value"
    assert MARK in answer["text"]
    assert "s3cret" not in str(answer), "not in the body the server repeats it in, nor in the URL"
    to = f"http://api.example:{site.port}/echo"
    await fetcher.fetch(f"https://api.example:{safe.port}/redirect?to={to}", headers=headers)
    assert "X-Key" not in site.requests[0]["headers"]
    refused = await fetcher.refusal(to, headers=headers)
    assert (refused.code, len(site.requests)) == ("FETCH_SECRET_FORBIDDEN", 1)
    await safe.stop()
