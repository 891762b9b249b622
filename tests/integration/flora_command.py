"""The ``flora`` command, run by a test: in its own process, or in one of the command's."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from flora_cli import main as cli

FLORA = [sys.executable, "-m", "flora_cli.main"]


@dataclass
class Ended:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Output of ``--json``, where it is one object."""
        (line,) = self.out.splitlines()
        return msgspec.json.decode(line)

    @property
    def lines(self) -> list[Any]:
        """The same, an object a line."""
        return [msgspec.json.decode(line) for line in self.out.splitlines()]


def run_here(
    monkeypatch: pytest.MonkeyPatch,
    output: pytest.CaptureFixture[str],
    *arguments: str | Path,
    stdin: bytes = b"",
) -> Ended:
    """In this process and its environment."""
    monkeypatch.setattr(sys, "argv", ["flora", *map(str, arguments)])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
    with pytest.raises(SystemExit) as ended:
        cli.main()
    code = ended.value.code or 0
    assert isinstance(code, int)
    return Ended(code, *output.readouterr())


def run_apart(
    *arguments: str | Path,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin: str = "",
    seconds: float = 60,
) -> Ended:
    """As a process of its own, without a terminal; no other variables than ``env``."""
    ended = subprocess.run(
        [*FLORA, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
        cwd=cwd,
        env=env,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)
