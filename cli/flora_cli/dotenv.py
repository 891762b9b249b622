"""``.env``: values that stay on this machine, as ``NAME=value`` lines."""

from __future__ import annotations

from pathlib import Path

from flora_core.errors import InvalidInput


def read_values(path: Path) -> dict[str, str]:
    """``NAME=value`` lines, with quotes or without; raises InvalidInput."""
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
