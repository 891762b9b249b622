"""Entry point ``flora-migrate``: brings the database's schema up to date, and says what it did.

It takes no arguments: a command line is there for everybody to read, and the URL has a password in it.
"""

from __future__ import annotations

import asyncio
import sys
from typing import ClassVar, NoReturn

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from flora_core.database.pool import migrate_at
from flora_core.errors import DatabaseError, InvalidSettings
from flora_core.settings import Settings, load


class MigrateSettings(Settings):
    """``OPERATOR_…`` in the environment, ``[operator]`` in config.toml: the operator's own settings."""

    model_config = SettingsConfigDict(env_prefix="OPERATOR_")
    table: ClassVar[str] = "operator"

    database_url: SecretStr
    """Postgres, as ``postgresql://user:password@host:5432/name``; the user makes tables there."""

    migrate_seconds: float = Field(120.0, ge=1, le=3600)
    """How long to wait for Postgres, and for another that migrates."""


def main() -> None:
    """Migrate. Exit codes: 0 the schema is as it should be, 1 it could not be made so, 2 a wrong setting."""
    if len(sys.argv) > 1:  # which are not repeated: one may have been the URL
        _leave(2, "flora-migrate takes no arguments; set OPERATOR_DATABASE_URL in its environment")
    try:
        settings = load(MigrateSettings)
        done = asyncio.run(migrate_at(settings.database_url, seconds=settings.migrate_seconds))
    except InvalidSettings as error:
        _leave(2, str(error))
    except DatabaseError as error:
        _leave(1, str(error))
    except KeyboardInterrupt:
        _leave(130, "interrupted")
    print(f"flora-migrate: {done}")  # noqa: T201  a command's output


def _leave(code: int, why: str) -> NoReturn:
    print(f"flora-migrate: {why}", file=sys.stderr)  # noqa: T201
    raise SystemExit(code)


if __name__ == "__main__":
    main()
