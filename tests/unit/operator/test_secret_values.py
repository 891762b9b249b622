"""Secrets by reference: placeholders that stay, values that change, and what is said of those that are missing."""

from __future__ import annotations

import base64

from flora_core.manifest import SecretKeyRef, SecretSpec
from flora_core.wire.control import SECRET_PREFIX
from flora_operator.secret_values import placeholder, resolve
from tests.unit.operator.guilds import deployment

SPEC = SecretSpec("KEY", SecretKeyRef("s", "token"), ["api.example.com"])


def held(value: bytes) -> dict[tuple[str, str], dict[str, str]]:
    return {("default", "s"): {"token": base64.b64encode(value).decode()}}


def test_a_value_comes_with_its_placeholder_and_hosts() -> None:
    [secret], missing = resolve(deployment(secrets=(SPEC,)), held(b"hunter2"))
    assert (secret.name, secret.value, secret.allowed_hosts) == ("KEY", "hunter2", ["api.example.com"])
    assert not missing


def test_a_placeholder_stays_when_the_value_changes_and_when_the_operator_starts_anew() -> None:
    [one], _ = resolve(deployment(secrets=(SPEC,)), held(b"hunter2"))
    [other], _ = resolve(deployment(secrets=(SPEC,), generation=9), held(b"hunter3"))
    assert one.placeholder == other.placeholder
    assert one.placeholder.startswith(SECRET_PREFIX)
    assert len(one.placeholder) == len(SECRET_PREFIX) + 32


def test_placeholders_differ_between_secrets_and_guilds() -> None:
    assert len({placeholder(uid, name) for uid in ("u1", "u2") for name in ("a", "b")}) == 4


def test_what_is_missing_says_what_to_do_and_shows_no_value() -> None:
    some = deployment(secrets=(SPEC,))
    [secret], [text] = resolve(some, {})
    assert secret.value is None
    assert "there is no Secret s labelled flora.uwu.network/guild-secret=true" in text
    _, [text] = resolve(some, {("default", "s"): {"other": "aHVudGVyMg=="}})
    assert text == "secret KEY: Secret s has no key token; add it, or correct secretKeyRef"
    assert "hunter2" not in text
    _, [text] = resolve(some, held(b"\xff\xfe"))
    assert "is no text" in text


def test_a_secret_of_another_namespace_is_nobodys() -> None:
    _, missing = resolve(deployment(secrets=(SPEC,)), {("other", "s"): {"token": "eA=="}})
    assert missing
