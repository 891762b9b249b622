"""What is asked where somebody sits at a terminal: which guild, a secret's value, a token."""

from __future__ import annotations

import os
import pty
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli.played_api import GUILD, OTHER, TOKEN, PlayedApi
from tests.integration.flora_command import FLORA

SECONDS = 60.0
VALUE = "s3cret-value"


class Terminal:
    """A ``flora`` that talks to a pseudo-terminal of its own."""

    def __init__(self, *arguments: str, env: dict[str, str], cwd: Path) -> None:
        self._ours, theirs = pty.openpty()
        clean = {name: value for name, value in os.environ.items() if not name.startswith("FLORA_")}
        self.process = subprocess.Popen(
            [*FLORA, *arguments],
            stdin=theirs,
            stderr=theirs,
            stdout=subprocess.PIPE,
            start_new_session=True,
            cwd=cwd,
            env={
                **clean,
                "XDG_CONFIG_HOME": str(cwd),
                "XDG_RUNTIME_DIR": str(cwd),
                "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
                **env,
            },
        )
        os.close(theirs)
        self.seen = ""

    def until(self, text: str) -> None:
        """Read until ``text`` is on the screen."""
        while text not in self.seen:
            assert select.select([self._ours], [], [], SECONDS)[0], self.seen
            try:
                piece = os.read(self._ours, 4096)
            except OSError:  # Linux: nobody has the other end any more
                piece = b""
            assert piece, self.seen
            self.seen += piece.decode()

    def type(self, line: str) -> None:
        os.write(self._ours, f"{line}\n".encode())

    def end(self) -> tuple[int, str]:
        """Exit code and standard output; what was still said is in ``seen``."""
        out, _ = self.process.communicate(timeout=SECONDS)
        try:
            while piece := os.read(self._ours, 4096):
                self.seen += piece.decode()
        except OSError:
            pass
        return self.process.returncode, out.decode()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        os.close(self._ours)


@pytest.fixture
def env(api: PlayedApi) -> dict[str, str]:
    return {"FLORA_API_URL": api.url, "FLORA_TOKEN": TOKEN}


@pytest.fixture
def opened() -> Iterator[list[Terminal]]:
    terminals: list[Terminal] = []
    yield terminals
    for terminal in terminals:
        terminal.close()


def test_of_several_guilds_one_is_chosen(
    api: PlayedApi, env: dict[str, str], tmp_path: Path, opened: list[Terminal]
) -> None:
    api.guilds.append({"id": OTHER, "name": "second\x1b[2J"})
    api.stores["notes"] = {}
    terminal = Terminal("kv", "stores", "--json", env=env, cwd=tmp_path)
    opened.append(terminal)
    terminal.until("Which guild?:")
    assert "1  flora dev" in terminal.seen
    assert "\x1b[2J" not in terminal.seen, "names are other people's"
    terminal.type("7")
    terminal.until("a number from 1 to 2")
    terminal.type("2")
    code, out = terminal.end()
    assert (code, f'"guild_id":"{OTHER}"' in out) == (0, True)


def test_a_secrets_value_is_not_on_the_screen(
    api: PlayedApi, env: dict[str, str], tmp_path: Path, opened: list[Terminal]
) -> None:
    terminal = Terminal("secret", "put", "KEY", "--host", "a.example", env=env, cwd=tmp_path)
    opened.append(terminal)
    terminal.until("Value of KEY: ")  # the space comes once nothing is echoed any more
    terminal.type(VALUE)
    code, out = terminal.end()
    assert (code, out) == (0, "")
    assert api.secrets["KEY"]["value"] == VALUE
    assert VALUE not in terminal.seen
    assert f"KEY set in guild {GUILD}" in terminal.seen


def test_a_token_is_not_on_the_screen(api: PlayedApi, tmp_path: Path, opened: list[Terminal]) -> None:
    terminal = Terminal("login", "--api", api.url, "--token", "-", env={}, cwd=tmp_path)
    opened.append(terminal)
    terminal.until("Token: ")
    terminal.type(TOKEN)
    code, out = terminal.end()
    assert (code, out) == (0, "")
    assert TOKEN not in terminal.seen
    assert "as Ann" in terminal.seen
    assert TOKEN in (tmp_path / "flora" / "config.json").read_text()
