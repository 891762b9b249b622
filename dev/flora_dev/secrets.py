"""Secrets of a script that runs on its author's machine.

``flora.toml`` says which there are and which hosts may see them; it can be checked in. The values are in
``.env`` beside it, which is not, or come with ``--secret NAME``:

    [secrets.WEATHER_KEY]
    allowed_hosts = ["api.example.com"]
    env = "MY_KEY"                       # its name in .env, when that is another

The environment of ``flora dev`` itself is not searched: a project that somebody else wrote could name any
variable of it, and a host of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from flora_cli.dotenv import read_values
from flora_cli.project_file import CONFIG, SecretEntry, read_project_file
from flora_core.manifest import SecretSpec

VALUES: Final = ".env"


@dataclass(slots=True, frozen=True)
class DevSecret:
    """One secret with its value."""

    name: str
    value: str = field(repr=False)
    allowed_hosts: list[str]


@dataclass(slots=True, frozen=True)
class DevSecrets:
    """What a folder has, and what is missing."""

    known: list[DevSecret] = field(default_factory=list[DevSecret])
    notes: list[str] = field(default_factory=list[str])


def read_secrets(folder: Path, given: Mapping[str, str]) -> DevSecrets:
    """The secrets of the project in ``folder``; ``given`` are those of ``--secret``.

    Raises InvalidInput when one of the files is not what it should be; no value is ever in its text.
    """
    entries = read_project_file(folder).secrets
    values = read_values(folder / VALUES)
    known: list[DevSecret] = []
    notes: list[str] = []
    for name in sorted({*entries, *given}):
        entry = entries.get(name, SecretEntry())
        value = given.get(name) or values.get(entry.env or name)
        if not value:
            notes.append(f"the secret {name} has no value: write {entry.env or name}=… into {VALUES}")
            continue
        if not entry.allowed_hosts:
            notes.append(f"the secret {name} may go nowhere: give it allowed_hosts in {CONFIG}")
        known.append(DevSecret(name, value, entry.allowed_hosts))
    return DevSecrets(known, notes)


def manifest_secrets(specs: list[SecretSpec], values: Mapping[str, str]) -> DevSecrets:
    """The secrets of a GuildDeployment: there are no Kubernetes Secrets here, so that ``values`` stand in."""
    known = [
        DevSecret(spec.name, values[spec.name], spec.allowed_hosts) for spec in specs if spec.name in values
    ]
    notes = [
        f"the secret {spec.name} is not available: there is no Secret {spec.secret_key_ref.name} here; "
        f"write {spec.name}=… into {VALUES} beside the documents"
        for spec in specs
        if spec.name not in values
    ]
    return DevSecrets(known, notes)
