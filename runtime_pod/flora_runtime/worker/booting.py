"""Isolates come up on a thread of their own: it takes 8 ms, in which others' turns go on.

One isolate is booted at a time; the worker's thread hears through its reactor when it is there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

from flora_runtime.errors import BootFailed
from flora_runtime.worker.isolate import Isolate
from flora_runtime.worker.racer import Address
from flora_runtime.worker.reactor import Reactor

Make = Callable[[], Isolate]
Done = Callable[[Isolate | BootFailed], None]


class Booter:
    """All methods belong to the worker's thread."""

    def __init__(self, reactor: Reactor) -> None:
        self._orders: SimpleQueue[Make] = SimpleQueue()
        self._made: SimpleQueue[Isolate | Exception] = SimpleQueue()
        self._done: Done | None = None
        self._thread: threading.Thread | None = None
        self._reactor = reactor
        self._port = reactor.open_port()
        reactor.attach(self._port, self._finish)

    @property
    def busy(self) -> bool:
        """Whether an isolate is coming up."""
        return self._done is not None

    def start(self, make: Make, done: Done) -> None:
        """Call ``make`` on the other thread, then ``done`` on this one; only when not ``busy``."""
        assert self._done is None
        self._done = done
        self._orders.put(make)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="booter", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            make = self._orders.get()
            try:
                self._made.put(make())
            except Exception as error:  # noqa: BLE001  it is raised again where somebody sees it
                self._made.put(error)
            self._reactor.signal(self._port)

    def _finish(self, _signal: Address) -> None:
        made, done = self._made.get(), self._done
        self._done = None
        if isinstance(made, Exception) and not isinstance(made, BootFailed):
            raise made
        if done is not None:
            done(made)
