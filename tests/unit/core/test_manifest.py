"""GuildDeployment documents: what is taken, and what a wrong one is told."""

from __future__ import annotations

from typing import Any

import pytest

from flora_core.manifest import Hibernation, InvalidManifest, parse_manifest
from flora_core.wire.control import Limits


def document(**spec: Any) -> dict[str, Any]:
    fields = {"guildId": "123", "source": {"files": {"src/main.ts": "on('ready', () => {})"}}} | spec
    return {
        "apiVersion": "flora.uwu.network/v1alpha1",
        "kind": "GuildDeployment",
        "metadata": {"name": "guild-123", "namespace": "bots", "uid": "an API server's own field"},
        "spec": {name: value for name, value in fields.items() if value is not None},
        "status": {"observedGeneration": 3},
    }


def test_a_document_as_kubectl_applies_it_is_read_with_its_defaults() -> None:
    manifest = parse_manifest(document())
    assert manifest.guild == "123"
    assert manifest.spec.source.entrypoint == "src/main.ts"
    assert (manifest.spec.limits.cpu_milliseconds, manifest.spec.limits.memory_mebibytes) == (200, 64)
    assert manifest.spec.hibernation is Hibernation.AUTO
    assert manifest.hibernates
    assert not manifest.spec.suspend


def test_limits_go_over_the_wire_as_limits() -> None:
    manifest = parse_manifest(document(limits={"cpuMilliseconds": 50}))
    assert manifest.limits == Limits(50, 64)
    assert type(manifest.limits) is Limits


def test_limits_and_secrets_are_read() -> None:
    manifest = parse_manifest(
        document(
            limits={"cpuMilliseconds": 50, "memoryMebibytes": 128},
            secrets=[
                {
                    "name": "KEY",
                    "secretKeyRef": {"name": "s", "key": "k"},
                    "allowedHosts": ["api.example.com"],
                }
            ],
            suspend=True,
            hibernation="Never",
        )
    )
    assert manifest.spec.limits.memory_mebibytes == 128
    assert not manifest.hibernates
    assert manifest.spec.secrets[0].allowed_hosts == ["api.example.com"]


WRONG = {
    "a limit that is none": (document(limits={"memoryMebibyte": 512}), "memoryMebibyte"),
    "no digest": (
        document(source={"bundleRef": {"sha256": "nope"}}),
        "bundleRef.sha256: 'nope' is not a SHA-256",
    ),
    "no mapping": ([], "should be a mapping"),
    "another kind": ({**document(), "kind": "Pod"}, "this is Pod of"),
    "another name": ({**document(), "metadata": {"name": "bot"}}, "metadata.name: should be guild-123"),
    "a number for an id": (document(guildId=123), "spec.guildId: Expected `str`"),
    "no snowflake": (document(guildId="me"), "spec.guildId: 'me' is not a Discord id"),
    "no source": (document(source={}), "exactly one of files, configMapRef and bundleRef"),
    "two sources": (
        document(source={"files": {"a.ts": ""}, "bundleRef": {"sha256": "ab" * 32}}),
        "exactly one of",
    ),
    "a misspelt field": (document(suspended=True), "unknown field `suspended`"),
    "a file that is no text": (
        document(source={"files": {"a.ts": 3}}),
        r"spec.source.files\[...\]: Expected",
    ),
    "too much memory": (document(limits={"memoryMebibytes": 9999}), "spec.limits.memoryMebibytes: should be"),
    "no CPU": (document(limits={"cpuMilliseconds": 0}), "spec.limits.cpuMilliseconds: should be from 1 to"),
    "no such hibernation": (document(hibernation="Often"), "spec.hibernation: Invalid enum value 'Often'"),
    "no spec": ({"apiVersion": "x", "kind": "y", "metadata": {}}, "missing required field `spec`"),
}


@pytest.mark.parametrize(("wrong", "text"), WRONG.values(), ids=WRONG)
def test_a_wrong_document_is_told_which_field_and_what_to_do(wrong: Any, text: str) -> None:
    with pytest.raises(InvalidManifest, match=text):
        parse_manifest(wrong)
