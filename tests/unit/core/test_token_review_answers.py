"""What the API server's answers mean, and what settings and tokens say. No I/O."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_core.errors import InvalidSettings
from flora_core.identity import CannotIdentify, EitherIdentities, Identity, Role, StaticIdentities
from flora_core.identity_cache import expiry
from flora_core.token_review import (
    POD_NAME,
    IdentitySettings,
    Reviewed,
    ServiceAccount,
    could_be_token,
    identities,
    parse_accounts,
    read_review,
)

GATEWAY = ServiceAccount("flora", "flora-gateway")
RUNTIME = ServiceAccount("flora", "flora-runtime")


def answer(**status: Any) -> bytes:
    """A yes, but for what is said otherwise."""
    whole = {
        "authenticated": True,
        "audiences": ["flora"],
        "user": {
            "username": "system:serviceaccount:flora:flora-runtime",
            "uid": "1",
            "groups": ["system:serviceaccounts"],
            "extra": {POD_NAME: ["flora-runtime-0"]},
        },
        **status,
    }
    return json.dumps({"kind": "TokenReview", "status": whole}).encode()


def user(name: str, **extra: list[str]) -> dict[str, Any]:
    return {"username": name, "extra": extra}


def token(**claims: Any) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJSUzI1NiJ9.{payload}.c2lnbmF0dXJl"


def test_a_yes_names_account_and_pod() -> None:
    assert read_review(answer(), audience="flora") == Reviewed(RUNTIME, "flora-runtime-0")


def test_a_token_that_is_bound_to_no_pod_has_none() -> None:
    name = "system:serviceaccount:flora:flora-runtime"
    assert read_review(answer(user=user(name)), audience="flora") == Reviewed(RUNTIME, "")


def test_two_pods_are_none() -> None:
    name = "system:serviceaccount:flora:flora-runtime"
    said = answer(user={"username": name, "extra": {POD_NAME: ["a", "b"]}})
    assert read_review(said, audience="flora") == Reviewed(RUNTIME, "")


@pytest.mark.parametrize(
    "no",
    [
        answer(authenticated=False),
        answer(audiences=["https://kubernetes.default.svc"]),
        answer(audiences=[]),
        answer(user=user("admin")),
        answer(user=user("system:node:node1")),
        answer(user=user("system:serviceaccount:flora")),
        answer(user=user("system:serviceaccount::flora-runtime")),
        answer(user=user("system:serviceaccount:flora:")),
        answer(user={}),
        b'{"status": {"error": "[invalid bearer token]"}}',
        b'{"status": {}}',
    ],
)
def test_everything_else_is_nobody(no: bytes) -> None:
    assert read_review(no, audience="flora") is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["status", "user", "extra"]), inner),
    )
)
def test_an_answer_of_any_shape_is_nobody_or_no_answer(shape: Any) -> None:
    with contextlib.suppress(CannotIdentify):
        assert read_review(msgspec.json.encode(shape), audience="flora") is None


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_no_answer(data: bytes) -> None:
    with pytest.raises(CannotIdentify):
        read_review(data, audience="flora")


@given(st.text(max_size=40))
def test_the_answers_audience_must_be_ours(audience: str) -> None:
    reviewed = read_review(answer(audiences=["flora"]), audience=audience)
    assert (reviewed is not None) == (audience == "flora")


@pytest.mark.parametrize(
    "text", ["", "a.b", "a.b.c.d", "a..c", ".b.c", "a.b.ü", "a.b.c\n", "a b.c.d", "a.b." + "c" * 20_000]
)
def test_what_cannot_be_a_token_is_not_asked_about(text: str) -> None:
    assert not could_be_token(text)


def test_a_token_could_be_one() -> None:
    assert could_be_token(token(exp=1))


@given(st.text(max_size=200))
def test_any_text_can_be_looked_at(text: str) -> None:
    if could_be_token(text):
        assert expiry(text, otherwise=7.0) is not None


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        (token(exp=1_900_000_000), 1_900_000_000.0),
        (token(exp="soon"), 7.0),
        (token(exp=None), 7.0),
        (token(), 7.0),
        ("a.b.c", 7.0),
        ("a.W10.c", 7.0),  # a list
    ],
)
def test_a_tokens_own_end_counts_when_it_says_one(text: str, ends: float) -> None:
    assert expiry(text, otherwise=7.0) == ends


# ---- Settings


def test_accounts_have_roles() -> None:
    text = "gateway=flora/flora-gateway, runtime=flora/flora-runtime\nruntime=other/flora-runtime"
    assert parse_accounts(text, variable="A") == {
        GATEWAY: Role.GATEWAY,
        RUNTIME: Role.RUNTIME,
        ServiceAccount("other", "flora-runtime"): Role.RUNTIME,
    }


@pytest.mark.parametrize(
    "text",
    ["flora/flora-gateway", "king=flora/a", "gateway=flora", "gateway=/a", "gateway=flora/", "gateway=a/b/c"],
)
def test_a_wrong_account_stops_the_start(text: str) -> None:
    with pytest.raises(InvalidSettings, match=r"FLORA_SERVICE_ACCOUNTS: '.*' should be role=namespace/name"):
        parse_accounts(f"runtime=flora/b,{text}", variable="FLORA_SERVICE_ACCOUNTS")


def test_an_account_has_one_role() -> None:
    with pytest.raises(InvalidSettings, match="cannot be gateway and runtime"):
        parse_accounts("gateway=flora/a runtime=flora/a", variable="A")


async def test_without_accounts_only_fixed_tokens_count() -> None:
    fixed = StaticIdentities({"sesame": Identity(Role.GATEWAY)})
    async with identities(IdentitySettings(service_accounts=""), fixed) as found:
        assert found is fixed


async def test_accounts_without_an_api_server_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InvalidSettings, match="FLORA_SERVICE_ACCOUNTS needs an API server"):
        async with identities(IdentitySettings(service_accounts="gateway=a/b"), StaticIdentities({})):
            pass


async def test_an_empty_audience_stops_the_start() -> None:
    settings = IdentitySettings(service_accounts="gateway=a/b", token_audience="")
    with pytest.raises(InvalidSettings, match="FLORA_TOKEN_AUDIENCE: is empty"):
        async with identities(settings, StaticIdentities({})):
            pass


async def test_fixed_tokens_count_before_others_are_asked() -> None:
    class Nobody:
        async def identify(self, token: str) -> Identity | None:
            raise CannotIdentify("gone")

    either = EitherIdentities(StaticIdentities({"sesame": Identity(Role.GATEWAY)}), Nobody())
    assert await either.identify("sesame") == Identity(Role.GATEWAY)
    with pytest.raises(CannotIdentify):
        await either.identify("other")
