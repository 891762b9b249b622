"""Which API to speak to, and with which token.

The address comes from ``--api``, else FLORA_API_URL, else from the environment of ``flora.toml`` that
``--env`` or FLORA_ENV names, else from the last ``flora login``, else it is that of a ``flora dev`` on this
machine, which the word ``dev`` in place of an address means too. The token comes from FLORA_TOKEN, else from
a login at exactly that address: one that was given at one API is never shown to another. A ``flora dev`` is
shown its own.

What a login leaves is ``flora/config.json`` in XDG_CONFIG_HOME, for its user alone (0600). The token itself
is in the system's keyring where there is one, and in that file where there is none.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from flora_cli import keys
from flora_cli.errors import CliError
from flora_cli.project_file import CONFIG, Environment, read_project_file
from flora_core.errors import InvalidInput
from flora_core.files import CannotRead, read_kept, write_whole

HERE: Final = "dev"
"""In place of an address: the ``flora dev`` on this machine."""
DEV: Final = "flora dev"

API_URL: Final = "FLORA_API_URL"
TOKEN: Final = "FLORA_TOKEN"  # noqa: S105  a variable's name
GUILD: Final = "FLORA_GUILD"
ENVIRONMENT: Final = "FLORA_ENV"
PLAIN_HTTP: Final = "FLORA_PLAIN_HTTP"
"""Set to 1, a token may travel without TLS to other machines: within a cluster, say."""


class Login(Struct, frozen=True, omit_defaults=True):
    """What a ``flora login`` left."""

    user: str = ""
    """Who that is, for people to read."""
    token_id: str = ""
    token: str = ""
    """Empty when the keyring has it."""

    def __repr__(self) -> str:
        return f"Login(user={self.user!r}, token_id={self.token_id!r})"


class UserConfig(Struct, frozen=True, omit_defaults=True):
    """The user's file."""

    api: str = ""
    """Address of the newest login, or ``dev``."""
    logins: dict[str, Login] = {}
    """By address."""


@dataclass(slots=True, frozen=True)
class Target:
    """An API, and how to be known there."""

    url: str
    """Without ``/api`` and without a slash at its end."""
    source: str
    """Where the address is from, for error texts."""
    token: str = field(default="", repr=False)
    """Empty when nobody is logged in there."""
    guilds: tuple[str, ...] = ()
    """Those that the environment names."""
    folder: str = ""
    """Of the ``flora dev`` whose API this is; empty for another."""


def resolve(
    *,
    api: str | None,
    env: str | None,
    environ: Mapping[str, str] = os.environ,
    folder: Path | None = None,
) -> Target | None:
    """The API that is meant; None when none is configured and no ``flora dev`` runs. Blocks.

    ``folder`` is where a project is looked for, upwards; else the working directory. Raises InvalidInput for
    an address that is none, an environment that ``flora.toml`` does not have, or a file that is wrong; and
    what ``dev_target`` does.
    """
    from flora_cli import dev_target  # noqa: PLC0415  it speaks of targets itself

    environment = _environment(folder or Path.cwd(), env or environ.get(ENVIRONMENT))
    user = read_user()
    found = next(
        (
            (url, source)
            for url, source in (
                (api, "--api"),
                (environ.get(API_URL), API_URL),
                (environment.api, CONFIG),
                (user.api, "flora login"),
            )
            if url
        ),
        None,
    )
    if found is None and not dev_target.runs_here():
        return None
    if found is None or found[0].strip() == HERE:
        return dev_target.dev_target(guilds=tuple(environment.guilds))
    url, source = parse_url(found[0], source=found[1]), found[1]
    token = environ.get(TOKEN, "").strip() or _stored(user, url)
    if token:
        check_transport(url, environ)
    return Target(url, source, token, tuple(environment.guilds))


def parse_url(text: str, *, source: str) -> str:
    """``text`` as the address of an API, without ``/api``; raises InvalidInput naming ``source``."""
    wrong = InvalidInput(f"{source}: should be an address as https://flora.example.com")
    try:
        parts = urlsplit(text.strip())
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise wrong from None
    if not usable or parts.username or parts.password or parts.query or parts.fragment:
        raise wrong
    path = parts.path.rstrip("/").removesuffix("/api").rstrip("/")
    return f"{parts.scheme}://{parts.netloc.lower()}{path}"


def read_user() -> UserConfig:
    """What logins left, if there were any; raises CliError for a file that cannot be read. Blocks."""
    try:
        return read_kept(user_file(), UserConfig) or UserConfig()
    except CannotRead as error:
        raise CliError(f"{error}; remove the file and log in again: flora login") from None


def remember(url: str, login: Login, token: str) -> bool:
    """Keep a login and make ``url`` the API that is meant; whether the keyring has the token. Blocks."""
    kept = keys.put(url, token)
    user = read_user()
    entry = msgspec.structs.replace(login, token="" if kept else token)
    _write_user(UserConfig(url, {**user.logins, url: entry}))
    return kept


def remember_dev() -> None:
    """Make the ``flora dev`` on this machine what is meant; there is nothing to keep. Blocks."""
    _write_user(UserConfig(HERE, read_user().logins))


def forget(url: str) -> None:
    """Forget the login at ``url``; nothing when there is none. Blocks."""
    user = read_user()
    if url in user.logins and not user.logins[url].token:
        keys.delete(url)
    logins = {other: login for other, login in user.logins.items() if other != url}
    _write_user(UserConfig("" if user.api == url else user.api, logins))


def user_file() -> Path:
    """Where logins are kept."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "flora" / "config.json"


def find_project(start: Path) -> Path | None:
    """The nearest folder with a ``flora.toml``, from ``start`` upwards. Blocks."""
    here = start.resolve()
    return next((folder for folder in (here, *here.parents) if (folder / CONFIG).is_file()), None)


def _environment(folder: Path, name: str | None) -> Environment:
    """The environment of that name, of the project around ``folder``; an empty one without a name."""
    if not name:
        return Environment()
    found = find_project(folder)
    if found is None:
        raise InvalidInput(f"--env: there is no {CONFIG} here or above that could have [env.{name}]")
    environments = read_project_file(found).env
    if name not in environments:
        there = ", ".join(sorted(environments)) or "none"
        raise InvalidInput(f"--env: there is no [env.{name}] in {CONFIG}; there are: {there}")
    return environments[name]


def _stored(user: UserConfig, url: str) -> str:
    login = user.logins.get(url)
    if login is None:
        return ""
    return login.token or keys.get(url)


def check_transport(url: str, environ: Mapping[str, str] = os.environ) -> None:
    """Raises InvalidInput when a token would travel readable by everybody on the way."""
    parts = urlsplit(url)
    if parts.scheme == "https" or _is_here(parts.hostname or "") or environ.get(PLAIN_HTTP) == "1":
        return
    raise InvalidInput(
        f"{url}: a token does not travel without TLS; use https://, or set {PLAIN_HTTP}=1 where the network "
        "between is yours"
    )


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _write_user(user: UserConfig) -> None:
    file = user_file()
    try:
        write_whole(file, msgspec.json.format(msgspec.json.encode(user)), private=True)
    except OSError as error:
        raise CliError(f"{file}: cannot be written: {error.strerror or error}") from None
