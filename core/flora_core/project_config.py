"""What an author keeps beside a script: ``flora.toml``, which is checked in, and ``.env``, which is not.

    name = "my-bot"
    entrypoint = "src/bot.ts"            # when it is not src/main.ts
    api = "https://flora.example.com"    # where it is deployed, unless an environment says otherwise

    [env.production]
    guilds = ["123456789012345678"]
    api = "https://flora.example.com"

    [secrets.WEATHER_KEY]
    allowed_hosts = ["api.example.com"]
    env = "MY_KEY"                       # its name in .env, when that is another

Neither file is ever a part of a bundle, and a token belongs into neither.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from flora_core.allowed_hosts import parse_allowed_hosts
from flora_core.errors import InvalidInput
from flora_core.ids import parse_guild_id

CONFIG: Final = "flora.toml"
VALUES: Final = ".env"


class SecretEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """A secret that the script uses."""

    allowed_hosts: list[str] = []
    env: str = ""
    """Its name in ``.env``; empty for its own."""


class Environment(Struct, frozen=True, forbid_unknown_fields=True):
    """Where ``--env NAME`` deploys to."""

    guilds: list[str] = []
    api: str = ""
    """Address of the API; empty for the project's."""


class ProjectConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """What ``flora.toml`` says; without the file, nothing."""

    name: str = ""
    entrypoint: str = ""
    """Empty for the first that is found."""
    api: str = ""
    env: dict[str, Environment] = {}
    secrets: dict[str, SecretEntry] = {}

    def environment(self, name: str) -> Environment:
        """The one of that name; raises InvalidInput naming those there are."""
        if name not in self.env:
            there = ", ".join(sorted(self.env)) or "none"
            raise InvalidInput(f"--env: {CONFIG} has no [env.{name}]; there are {there}")
        return self.env[name]


def read_project_config(folder: Path) -> ProjectConfig:
    """The ``flora.toml`` of ``folder``; raises InvalidInput when it is not what it should be. Blocks."""
    file = folder / CONFIG
    try:
        config = msgspec.convert(tomllib.loads(_read(file)), ProjectConfig)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InvalidInput(f"{CONFIG}: {error}") from None
    for name, secret in config.secrets.items():
        try:
            parse_allowed_hosts(secret.allowed_hosts)
        except InvalidInput as error:
            raise InvalidInput(f"{CONFIG}: secrets.{name}.allowed_hosts: {error}") from None
    for name, environment in config.env.items():
        for guild in environment.guilds:
            parse_guild_id(guild, field=f"{CONFIG}: env.{name}.guilds")
    return config


def chosen_entrypoint(folder: Path, given: str | None) -> str | None:
    """The file that starts the script of ``folder``: the one ``given``, else the config's; None for neither.

    Raises InvalidInput as ``read_project_config``. Blocks.
    """
    return given or read_project_config(folder).entrypoint or None


def find_project(start: Path) -> Path | None:
    """The nearest folder with a ``flora.toml``, from ``start`` upwards. Blocks."""
    here = start.resolve()
    return next((folder for folder in (here, *here.parents) if (folder / CONFIG).is_file()), None)


def read_values(path: Path) -> dict[str, str]:
    """The ``NAME=value`` lines of ``path``, with quotes or without; none when there is no such file.

    Raises InvalidInput naming file and line, never a value. Blocks.
    """
    values: dict[str, str] = {}
    for number, line in enumerate(_read(path).splitlines(), start=1):
        text = line.strip().removeprefix("export ").strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise InvalidInput(f"{path.name}:{number}: should be NAME=value")
        values[name.strip()] = _unquoted(value.strip())
    return values


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value.partition(" #")[0].rstrip()


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path.name}: cannot be read: {type(error).__name__}") from None
