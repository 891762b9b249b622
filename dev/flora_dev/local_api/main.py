"""The API of one machine: ``flora-api`` with the deployments of a ``flora dev``, and databases of its own.

Started by ``flora dev`` alone. What it needs once is made in its folder: keys for secrets, and the token of
the developer, who owns every guild that the bot is in. All of it listens on loopback.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from flora_api.auth import people
from flora_api.auth.discord import User
from flora_api.auth.tokens import TokenParts, Tokens, parse_token
from flora_api.main import serve
from flora_api.parts import Common
from flora_api.principal import ActorType, Principal
from flora_api.settings import ApiSettings
from flora_core.errors import FloraError, InvalidSettings
from flora_core.files import write_whole
from flora_core.ids import parse_guild_id
from flora_core.process import outlive_no_parent
from flora_core.settings import load
from flora_core.telemetry import logger, setup_logging
from flora_core.token_review import IdentitySettings
from flora_dev.local_api.postgres import open_postgres
from flora_dev.local_api.redis import open_redis_server
from flora_dev.local_api.settings import LocalSettings
from flora_dev.local_api.store import in_flora_dev

TOKEN_FILE: Final = "token"  # noqa: S105  a file's name
LABEL: Final = "flora dev"
TOKEN_DAYS: Final = 365
RENEW: Final = timedelta(days=7)
"""A token that ends sooner is replaced at the start."""

_log = logger(__name__)


def main() -> None:
    """Run until SIGTERM or SIGINT, or until ``flora dev`` is gone. Exit codes as of ``flora-api``."""
    try:
        settings, local, accounts = load(ApiSettings), load(LocalSettings), load(IdentitySettings)
    except InvalidSettings as error:
        sys.stderr.write(f"{error}\n")  # logging is not set up yet
        raise SystemExit(2) from None
    setup_logging("api", level=settings.log_level, style=settings.log_format)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    try:
        asyncio.run(_run(settings, local, accounts))
    except FloraError as error:
        sys.stderr.write(f"{error}\n")  # the last words, which `flora dev` shows
        raise SystemExit(1) from None


async def _run(settings: ApiSettings, local: LocalSettings, accounts: IdentitySettings) -> None:
    local.folder.mkdir(parents=True, exist_ok=True, mode=0o711 if os.geteuid() == 0 else 0o700)
    working = asyncio.create_task(_serve(settings, local, accounts))
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):  # until the server, once it is there, takes them
        loop.add_signal_handler(name, working.cancel)
    parent = asyncio.create_task(outlive_no_parent())
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await working
    finally:
        parent.cancel()


async def _serve(settings: ApiSettings, local: LocalSettings, accounts: IdentitySettings) -> None:
    async with contextlib.AsyncExitStack() as stack:
        given = settings.database_url.get_secret_value(), settings.redis_url.get_secret_value()
        # One after the other costs less than it seems: Redis is there in a moment.
        redis = given[1] or await stack.enter_async_context(
            open_redis_server(local.folder / "redis", kept=local.kept)
        )
        database = given[0] or await stack.enter_async_context(
            open_postgres(local.folder / "postgres", kept=local.kept)
        )
        _log.info("databases_ready")
        settings = settings.model_copy(
            update={
                "database_url": SecretStr(database),
                "redis_url": SecretStr(redis),
                "secret_keys": SecretStr(_secret_keys(local.folder / "secret-keys")),
            }
        )
        await serve(
            settings,
            accounts,
            open_store=in_flora_dev,
            owners=[local.user],
            prepare=lambda common: _let_the_developer_in(common, local),
        )


def _secret_keys(file: Path) -> str:
    if not file.exists():
        write_whole(file, b"dev:" + base64.b64encode(os.urandom(32)), private=True)
    return file.read_text()


async def _let_the_developer_in(common: Common, local: LocalSettings) -> None:
    """Leave a token in the folder: that of last time, as long as it is good."""
    user = User(local.user, local.username, local.username)
    guilds = [parse_guild_id(guild, field="LOCAL_GUILDS") for guild in local.guilds.split(",") if guild]
    await common.database.run(lambda connection: people.remember(connection, user, guilds))
    file = local.folder / TOKEN_FILE
    tokens = Tokens(common.database)
    parts = parse_token(file.read_text()) if file.exists() else None
    if parts is None or not await _is_good(tokens, parts):
        actor = Principal(ActorType.SYSTEM, local.user, local.username)
        for token in await tokens.list(local.user):
            if token.label == LABEL:
                await tokens.revoke(actor, token.token_id)
        parts, _ = await tokens.create(actor, label=LABEL, days=TOKEN_DAYS, login=True)
    write_whole(file, str(parts).encode(), private=True)


async def _is_good(tokens: Tokens, parts: TokenParts) -> bool:
    known = await tokens.find(parts)
    return known is not None and known.token.expires_at > datetime.now(UTC) + RENEW


if __name__ == "__main__":
    main()
