"""A guild's secrets: what its script has in their place, and their values for its pod. Pure.

A placeholder is derived from the uid of the GuildDeployment, which is random, and the secret's name: it is
the same after a restart, without being written down, and says nothing about the value. Scripts and members
of a guild do not know the uid. Who does know it (whoever may read GuildDeployments) learns nothing by it
either: a placeholder becomes a value only in a request of that guild, to a host that is allowed the value
anyway.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

from flora_core.wire.control import SECRET_PREFIX, Secret
from flora_operator.deployment import Deployment, Key

LABEL: Final = "flora.uwu.network/guild-secret"
SELECTOR: Final = f"{LABEL}=true"

KubernetesSecrets = Mapping[Key, Mapping[str, str]]
"""Labelled Secrets: key to base64, as they come."""


def placeholder(uid: str, name: str) -> str:
    """What stands in place of the secret ``name`` in scripts of the object ``uid``."""
    return SECRET_PREFIX + blake2b(name.encode(), key=uid.encode()[:64], digest_size=16).hexdigest()


def resolve(deployment: Deployment, known: KubernetesSecrets) -> tuple[list[Secret], list[str]]:
    """All its secrets, those without a value too, and what is wrong with these."""
    secrets: list[Secret] = []
    missing: list[str] = []
    namespace = deployment.key[0]
    for spec in deployment.secrets:
        ref = spec.secret_key_ref
        value, trouble = _value(known.get((namespace, ref.name)), ref.name, ref.key)
        if trouble:
            missing.append(f"secret {spec.name}: {trouble}")
        mark = placeholder(deployment.uid, spec.name)
        secrets.append(Secret(spec.name, mark, value, list(spec.allowed_hosts)))
    return secrets, missing


def _value(held: Mapping[str, str] | None, name: str, key: str) -> tuple[str | None, str]:
    if held is None:
        return None, f"there is no Secret {name} labelled {SELECTOR}; create it, or label the one there is"
    if key not in held:
        return None, f"Secret {name} has no key {key}; add it, or correct secretKeyRef"
    try:
        return base64.b64decode(held[key], validate=True).decode(), ""
    except (binascii.Error, UnicodeDecodeError):
        return None, f"key {key} of Secret {name} is no text"
