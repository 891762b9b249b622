"""Whose token is whose, and which streams it opens."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from prometheus_client import REGISTRY

from flora_core.errors import InvalidSettings
from flora_core.identity import CannotIdentify, Identity, Role, StaticIdentities, require

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


class Unreachable:
    async def identify(self, token: str) -> Identity | None:
        raise CannotIdentify("the API server does not answer")


async def test_a_token_that_cannot_be_checked_now_is_asked_to_come_again() -> None:
    with pytest.raises(web.HTTPServiceUnavailable) as told:
        await require(request("Bearer aaa"), Unreachable(), role=Role.RUNTIME)
    assert told.value.headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    ("token", "role", "pod", "reason"),
    [
        (None, Role.GATEWAY, "", "no_token"),
        ("Bearer zzz", Role.GATEWAY, "", "unknown"),
        ("Bearer aaa", Role.GATEWAY, "", "other_role"),
        ("Bearer aaa", Role.RUNTIME, "flora-runtime-1", "other_pod"),
    ],
)
async def test_who_is_turned_away_is_counted(token: str | None, role: Role, pod: str, reason: str) -> None:
    def count() -> float:
        return REGISTRY.get_sample_value("flora_identity_turned_away_total", {"reason": reason}) or 0.0

    before = count()
    with pytest.raises(web.HTTPException):
        await require(request(token), IDENTITIES, role=role, pod=pod)
    assert count() == before + 1
