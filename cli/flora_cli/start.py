"""Where the ``flora`` command begins.

What it imports first takes some tenths of a second, in which Ctrl-C would show where Python just was. So
until there is somebody to take it, it ends the process as it ends any other.
"""

from __future__ import annotations

import signal


def main() -> None:
    """Run a command."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from flora_cli.main import main as run  # noqa: PLC0415  what takes its time

    signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()
