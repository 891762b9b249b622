"""Waiting for isolates and for the pipe, in one thread.

An isolate's result arrives on that isolate's own thread, through a C callback ``(port, address)``. The
callback must not run Python: the guest decides how often it is called, and a Python callback would fight
the worker for the GIL each time. On Linux the callback *is* libc's ``eventfd_write(fd, value)``: the port
is an eventfd and the value the address of the result, so a completion costs one system call and no lock,
and one ``epoll`` waits for all isolates and the pipe. Elsewhere a small Python callback and a socket pair
do the same, slower (``PortableReactor``; it runs on Linux too, and the tests run both).

At most one result may be outstanding on a port: a second write would add to the first.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import selectors
import socket
import sys
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Final, Protocol

from flora_runtime.worker.racer import CALLBACK, Address

Port = int
Sink = Callable[[Address], None]


class Reactor(Protocol):
    """Where results arrive. All methods are called by the one thread that owns it, except that another may
    open, wait for, attach and close ports of its own while it boots an isolate."""

    callback: Any
    """For ``mr_init_context``."""

    def open_port(self) -> Port:
        """A port whose results are waited for with ``wait_port``, until it is attached."""
        ...

    def wait_port(self, port: Port, seconds: float) -> Address | None:
        """Wait for the one result that is due on ``port``; None when it did not come in time."""
        ...

    def attach(self, port: Port, sink: Sink) -> None:
        """From now on the port's results go to ``sink`` while ``run_once`` waits."""
        ...

    def signal(self, port: Port) -> None:
        """Call the port's sink with 1, from any thread."""
        ...

    def close_port(self, port: Port) -> None: ...

    def add_reader(self, fd: int, callback: Callable[[], None]) -> None: ...

    def run_once(self, seconds: float | None) -> None:
        """Wait up to ``seconds`` (None: for ever), then hand out everything that arrived."""
        ...

    def close(self) -> None: ...


class EpollReactor:
    """Linux: eventfds written by libc, one epoll."""

    def __init__(self) -> None:
        import select  # noqa: PLC0415  epoll exists on Linux only

        self.callback = ctypes.cast(ctypes.CDLL(None).eventfd_write, CALLBACK)
        self._epoll = select.epoll()
        self._poll = select.poll
        self._readable = select.EPOLLIN
        self._sinks: dict[int, Sink] = {}
        self._readers: dict[int, Callable[[], None]] = {}

    def open_port(self) -> Port:
        return os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def wait_port(self, port: Port, seconds: float) -> Address | None:
        poll = self._poll()
        poll.register(port, self._readable)
        return os.eventfd_read(port) if poll.poll(seconds * 1000) else None

    def attach(self, port: Port, sink: Sink) -> None:
        self._sinks[port] = sink
        self._epoll.register(port, self._readable)

    def signal(self, port: Port) -> None:
        os.eventfd_write(port, 1)

    def close_port(self, port: Port) -> None:
        if self._sinks.pop(port, None) is not None:
            self._epoll.unregister(port)
        os.close(port)

    def add_reader(self, fd: int, callback: Callable[[], None]) -> None:
        self._readers[fd] = callback
        self._epoll.register(fd, self._readable)

    def run_once(self, seconds: float | None) -> None:
        sinks, readers = self._sinks, self._readers
        for fd, _ in self._epoll.poll(seconds):
            sink = sinks.get(fd)
            if sink is not None:
                sink(os.eventfd_read(fd))
            elif fd in readers:
                readers[fd]()

    def close(self) -> None:
        for port in list(self._sinks):
            self.close_port(port)
        self._epoll.close()


class PortableReactor:
    """Anywhere: a Python callback, a queue, and a socket pair that wakes the waiting thread."""

    def __init__(self) -> None:
        self._arrived: deque[tuple[Port, Address]] = deque()
        self._sinks: dict[Port, Sink] = {}
        self._numbers = itertools.count(1)
        self._unattached: dict[Port, SimpleQueue[Address]] = {}
        self._selector = selectors.DefaultSelector()
        self._wake_out, self._wake_in = socket.socketpair()
        self._wake_out.setblocking(False)
        self._wake_in.setblocking(False)
        self._selector.register(self._wake_in, selectors.EVENT_READ, self._drain_wakes)
        self.callback = CALLBACK(self._on_result)

    def _on_result(self, port: Port, address: Address | None) -> None:
        waited_for = self._unattached.get(port)
        if waited_for is not None:
            waited_for.put(address or 0)
            return
        self._arrived.append((port, address or 0))
        with contextlib.suppress(BlockingIOError):  # enough wake-ups are on their way
            self._wake_out.send(b"\0")

    def _drain_wakes(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._wake_in.recv(4096):
                pass

    def open_port(self) -> Port:
        port = next(self._numbers)
        self._unattached[port] = SimpleQueue()
        return port

    def wait_port(self, port: Port, seconds: float) -> Address | None:
        try:
            return self._unattached[port].get(timeout=seconds)
        except Empty:
            return None

    def attach(self, port: Port, sink: Sink) -> None:
        self._sinks[port] = sink
        del self._unattached[port]

    def signal(self, port: Port) -> None:
        self._on_result(port, 1)

    def close_port(self, port: Port) -> None:
        self._sinks.pop(port, None)
        self._unattached.pop(port, None)

    def add_reader(self, fd: int, callback: Callable[[], None]) -> None:
        self._selector.register(fd, selectors.EVENT_READ, callback)

    def run_once(self, seconds: float | None) -> None:
        for key, _ in self._selector.select(0 if self._arrived else seconds):
            key.data()
        for _ in range(len(self._arrived)):
            port, address = self._arrived.popleft()
            sink = self._sinks.get(port)
            if sink is not None:
                sink(address)

    def close(self) -> None:
        self._selector.close()
        self._wake_in.close()
        self._wake_out.close()


HAS_EVENTFD: Final = sys.platform == "linux" and hasattr(os, "eventfd")


def make_reactor() -> Reactor:
    """The best reactor for this platform."""
    return EpollReactor() if HAS_EVENTFD else PortableReactor()
