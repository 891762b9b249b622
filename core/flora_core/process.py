"""What a process of flora and whoever started it owe each other."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import msgspec

PARENT_VARIABLE = "FLORA_PARENT_PID"
"""Set by ``flora dev``: end when this process is no longer our parent."""

PARENT_SECONDS = 0.5


def announce(name: str, url: str, **more: str) -> None:
    """Say on standard output where this process listens: one JSON line, for whoever started it."""
    said = {"event": "listening", "name": name, "url": url, **more}
    sys.stdout.write(msgspec.json.encode(said).decode() + "\n")
    sys.stdout.flush()


async def outlive_no_parent() -> None:
    """Send ourselves SIGTERM once the parent named by ``FLORA_PARENT_PID`` is gone; else wait for ever.

    A parent killed with SIGKILL cannot stop its children; this way none is left behind, on any platform.
    """
    parent = os.environ.get(PARENT_VARIABLE, "")
    if not parent.isdigit():
        await asyncio.Event().wait()
    while os.getppid() == int(parent):
        await asyncio.sleep(PARENT_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
