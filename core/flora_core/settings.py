"""Settings: the environment first, then ``config.toml``, then defaults.

A component has one class for each topic, a subclass of ``Settings`` that names its variables' prefix and
its table in ``config.toml``: ``RUNTIME_MAX_WORKERS=8`` and ``[runtime] max_workers = 8`` are the same.
A wrong value stops the start with one line that names the variable and what it should be.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar, cast

from pydantic import BeforeValidator, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from flora_core.errors import InvalidSettings

CONFIG_FILE_VARIABLE = "FLORA_CONFIG"
"""Names another file than ``config.toml`` in the working directory; empty for none at all."""


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_upper)]


class Settings(BaseSettings):
    """Base of all settings classes: set ``env_prefix`` in ``model_config`` and ``table``."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", use_attribute_docstrings=True, hide_input_in_errors=True
    )
    table: ClassVar[str] = ""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, _TomlTable(settings_cls, cls.table)


class _TomlTable(PydanticBaseSettingsSource):
    """One table of the configuration file."""

    def __init__(self, settings_cls: type[BaseSettings], table: str) -> None:
        super().__init__(settings_cls)
        self._table = table

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        del field
        return self().get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        table: Any = _config_file()
        for name in self._table.split(".") if self._table else ():
            table = table.get(name, {})
        if not isinstance(table, dict):
            raise InvalidSettings(f"config.toml: [{self._table}] must be a table")
        fields = cast("dict[str, Any]", table)
        return {name: value for name, value in fields.items() if not isinstance(value, dict)}


def _config_file() -> dict[str, Any]:
    name = os.environ.get(CONFIG_FILE_VARIABLE, "config.toml")
    path = Path(name)
    if not name:
        return {}
    if not path.is_file():
        if CONFIG_FILE_VARIABLE in os.environ:
            raise InvalidSettings(f"{CONFIG_FILE_VARIABLE}: there is no file {path}")
        return {}
    try:
        return tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise InvalidSettings(f"{path}: {error}") from None


S = TypeVar("S", bound=Settings)


def load(settings: type[S]) -> S:
    """Read ``settings`` from environment and file; raises InvalidSettings naming the variables."""
    try:
        return settings()
    except SettingsError as error:  # a list or an object that is no JSON
        raise InvalidSettings(f"{settings.model_config.get('env_prefix', '')}…: {error}") from None
    except ValidationError as error:
        lines = [_explain(settings, detail) for detail in error.errors(include_url=False)]
        raise InvalidSettings("\n".join(lines)) from None


def _explain(settings: type[Settings], detail: Any) -> str:
    name = str(detail["loc"][0]) if detail["loc"] else ""
    field = settings.model_fields.get(name)
    alias = field.validation_alias if field is not None else None
    prefix = settings.model_config.get("env_prefix", "")
    variable = alias if isinstance(alias, str) else f"{prefix}{name}".upper()
    message: str = detail["msg"]
    if detail["type"] == "missing":
        message = "is not set"
    return f"{variable}: {message[:1].lower()}{message[1:]}"
