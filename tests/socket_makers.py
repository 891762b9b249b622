"""Which test made a socket that nobody closed: the garbage collector meets it during another one."""

from __future__ import annotations

import re
import socket
import traceback
from typing import Any

import pytest

FRAMES = 12

_made: dict[int, str] = {}
"""By file descriptor: a socket that is still open keeps its own."""
_test = ""
_init = socket.socket.__init__


def _noting(self: socket.socket, *args: Any, **options: Any) -> None:
    _init(self, *args, **options)
    frames = traceback.extract_stack(limit=FRAMES + 1)[:-1]
    places = "\n".join(f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
    _made[self.fileno()] = f"made in {_test or 'no test'}\n{places}"


def pytest_configure() -> None:
    """Note who makes sockets from now on."""
    socket.socket.__init__ = _noting  # type: ignore[method-assign]


def pytest_unconfigure() -> None:
    """Note it no longer."""
    socket.socket.__init__ = _init  # type: ignore[method-assign]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    global _test  # noqa: PLW0603  there is one at a time
    _test = item.nodeid


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add it to a failure that names one."""
    for number in sorted(set(re.findall(r"unclosed <socket\.socket fd=(\d+)", report.longreprtext))):
        report.sections.append((f"Socket {number}", _made.get(int(number), "made before the first test")))
