"""Paths of the objects that the operator reads and writes."""

from __future__ import annotations

from flora_core.manifest import API_VERSION

KEY = tuple[str, str]


def deployment_path(key: KEY) -> str:
    """A GuildDeployment."""
    return f"/apis/{API_VERSION}/namespaces/{key[0]}/guilddeployments/{key[1]}"


def config_map_path(key: KEY) -> str:
    """A ConfigMap."""
    return f"/api/v1/namespaces/{key[0]}/configmaps/{key[1]}"


def all_of(base: str, plural: str, namespaces: list[str]) -> list[str]:
    """Where to list ``plural``: in each of ``namespaces``, or everywhere at once."""
    if not namespaces:
        return [f"{base}/{plural}"]
    return [f"{base}/namespaces/{namespace}/{plural}" for namespace in namespaces]
