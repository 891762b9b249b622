"""``flora-simulator``: the simulated Discord as a process of its own.

Prints one line of JSON when it listens, and runs until SIGINT or SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from flora_core.errors import FloraError, InvalidInput
from flora_core.process import outlive_no_parent
from flora_core.settings import load
from flora_core.telemetry import setup_logging
from flora_simulator.errors import AddressInUse
from flora_simulator.server import Simulator
from flora_simulator.settings import SimulatorSettings


def main(argv: Sequence[str] | None = None) -> None:
    """Run until stopped; exit code 2 for wrong settings or an address in use, 1 for anything else."""
    wishes = _arguments(argv)
    setup_logging("simulator", level=wishes.pop("log_level"))
    try:
        settings = load(SimulatorSettings).model_copy(update=wishes)
        asyncio.run(_run(settings))
    except FloraError as error:
        sys.stderr.write(f"flora-simulator: {error}\n")
        sys.exit(2 if isinstance(error, (InvalidInput, AddressInUse)) else 1)


def _arguments(argv: Sequence[str] | None) -> dict[str, Any]:
    """What the command line sets, by the names of the settings."""
    parser = argparse.ArgumentParser(
        prog="flora-simulator",
        description="A simulated Discord on this machine. Every setting is also SIMULATOR_<NAME>.",
        epilog="example: flora-simulator --port 0 --world world.toml --no-rate-limits",
    )
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=_port, help="TCP port, 0 for a free one (default 8410)")
    parser.add_argument("--world", type=Path, help="TOML or JSON file with guilds, channels and people")
    parser.add_argument("--no-rate-limits", dest="rate_limits", action="store_false", default=None)
    parser.add_argument("--log-level", default="INFO", help="DEBUG, INFO, WARNING or ERROR")
    given = vars(parser.parse_args(argv))
    return {name: value for name, value in given.items() if value is not None}


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; give 0 to 65535")
    return int(text)


async def _run(settings: SimulatorSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    leaving = asyncio.create_task(outlive_no_parent())
    async with Simulator(settings) as simulator:
        ready = {"event": "ready", "url": simulator.url, "gateway": simulator.gateway_url}
        sys.stdout.write(msgspec.json.encode(ready).decode() + "\n")
        sys.stdout.flush()
        await stop.wait()
    leaving.cancel()


if __name__ == "__main__":
    main()
