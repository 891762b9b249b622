"""Entry point of a worker process: ``python -m flora_runtime.worker.main PIPE_FD RECORDER_FD``."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import sys
import traceback

from flora_core.throughput import freeze_startup_objects, schedule_in_batches
from flora_runtime.errors import EngineMismatch
from flora_runtime.flight import FlightRecorder
from flora_runtime.worker.isolate import Engine
from flora_runtime.worker.reactor import make_reactor
from flora_runtime.worker.worker import Worker


def main(make_worker: type[Worker] = Worker) -> None:
    """Serve until the pipe closes; always leaves by ``os._exit``, since V8's threads may never end."""
    _ignore_the_terminal()
    connection = socket.socket(fileno=int(sys.argv[1]))
    recorder = FlightRecorder(int(sys.argv[2]))
    code = 1
    try:
        schedule_in_batches()  # V8's threads too: those that are made from here on
        worker = make_worker(connection, Engine(make_reactor()), recorder)
        freeze_startup_objects()
        worker.run()
        code = 0
    except EngineMismatch as error:
        print(f"flora worker: {error}", file=sys.stderr)  # noqa: T201  no logging in here
    except (BrokenPipeError, ConnectionResetError):
        pass  # the supervisor is gone
    except Exception:  # noqa: BLE001  os._exit would swallow it
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _ignore_the_terminal() -> None:
    """Ctrl-C reaches the whole process group; only the supervisor decides when a worker ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
