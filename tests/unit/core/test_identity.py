"""Whose token is whose, and which streams it opens."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from flora_core.errors import InvalidSettings
from flora_core.identity import Identity, Role, StaticIdentities, require

IDENTITIES = StaticIdentities.parse("aaa=runtime/flora-runtime-0, bbb=gateway", variable="TOKENS")


def request(token: str | None) -> web.Request:
    headers = {"Authorization": token} if token is not None else {}
    return make_mocked_request("GET", "/", headers=headers)


async def test_a_pod_opens_the_streams_of_its_own_name() -> None:
    identity = await require(request("Bearer aaa"), IDENTITIES, role=Role.RUNTIME, pod="flora-runtime-0")
    assert identity == Identity(Role.RUNTIME, "flora-runtime-0")


@pytest.mark.parametrize("token", [None, "", "Bearer", "Bearer ", "Bearer zzz", "Basic aaa", "aaa"])
async def test_without_a_known_token_nothing_opens(token: str | None) -> None:
    with pytest.raises(web.HTTPUnauthorized):
        await require(request(token), IDENTITIES, role=Role.RUNTIME)


async def test_another_pods_stream_stays_shut() -> None:
    with pytest.raises(web.HTTPForbidden, match="Forbidden"):
        await require(request("Bearer aaa"), IDENTITIES, role=Role.RUNTIME, pod="flora-runtime-1")
    with pytest.raises(web.HTTPForbidden):
        await require(request("Bearer bbb"), IDENTITIES, role=Role.RUNTIME)


@pytest.mark.parametrize("text", ["secret-token", "secret-token=", "secret-token=king", "=gateway"])
def test_a_wrong_entry_is_numbered_and_its_token_not_shown(text: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        StaticIdentities.parse(f"ok=gateway,{text}", variable="GATEWAY_ACCEPT_TOKENS")
    assert "GATEWAY_ACCEPT_TOKENS: entry 2" in str(caught.value)
    assert "secret-token" not in str(caught.value)


async def test_a_token_of_odd_bytes_is_nobodys() -> None:
    identities = StaticIdentities({"sesame": Identity(Role.GATEWAY)})
    assert await identities.identify(b"ses\xffame".decode(errors="surrogateescape")) is None
