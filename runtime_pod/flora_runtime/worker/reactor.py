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
import os
import selectors
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from flora_runtime.worker.racer import CALLBACK, Address

Port = int
Sink = Callable[[Address], None]


class Reactor(Protocol):
    """Where results arrive. All methods are called by the one thread that owns it."""

    callback: Any
    """For ``mr_init_context``."""

    def open_port(self, sink: Sink) -> Port:
        """A port whose results go to ``sink`` while ``run_once`` waits."""
        ...

    def close_port(self, port: Port) -> None: ...

    def wait_port(self, port: Port, seconds: float) -> Address | None:
        """Wait for the one result that is due on ``port``; None when it did not come in time."""
        ...

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
        self._readable = select.EPOLLIN
        self._sinks: dict[int, Sink] = {}
        self._readers: dict[int, Callable[[], None]] = {}

    def open_port(self, sink: Sink) -> Port:
        port = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._sinks[port] = sink
        self._epoll.register(port, self._readable)
        return port

    def close_port(self, port: Port) -> None:
        self._sinks.pop(port, None)
        self._epoll.unregister(port)
        os.close(port)

    def wait_port(self, port: Port, seconds: float) -> Address | None:
        import select  # noqa: PLC0415

        poll = select.poll()
        poll.register(port, select.POLLIN)
        return os.eventfd_read(port) if poll.poll(seconds * 1000) else None

    def add_reader(self, fd: int, callback: Callable[[], None]) -> None:
        self._readers[fd] = callback
        self._epoll.register(fd, self._readable)

    def run_once(self, seconds: float | None) -> None:
        sinks, readers = self._sinks, self._readers
        for fd, _ in self._epoll.poll(seconds):
            sink = sinks.get(fd)
            if sink is not None:
                try:
                    address = os.eventfd_read(fd)
                except BlockingIOError:  # its owner took it with wait_port meanwhile
                    continue
                sink(address)
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
        self._last_port = 0
        self._selector = selectors.DefaultSelector()
        self._wake_out, self._wake_in = socket.socketpair()
        self._wake_out.setblocking(False)
        self._wake_in.setblocking(False)
        self._selector.register(self._wake_in, selectors.EVENT_READ, self._drain_wakes)
        self.callback = CALLBACK(self._on_result)

    def _on_result(self, port: Port, address: Address | None) -> None:
        self._arrived.append((port, address or 0))
        with contextlib.suppress(BlockingIOError):  # enough wake-ups are on their way
            self._wake_out.send(b"\0")

    def _drain_wakes(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._wake_in.recv(4096):
                pass

    def open_port(self, sink: Sink) -> Port:
        self._last_port += 1
        self._sinks[self._last_port] = sink
        return self._last_port

    def close_port(self, port: Port) -> None:
        self._sinks.pop(port, None)

    def wait_port(self, port: Port, seconds: float) -> Address | None:
        deadline = time.monotonic() + seconds
        while True:
            for index, (arrived, address) in enumerate(self._arrived):
                if arrived == port:
                    del self._arrived[index]
                    return address
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._selector.select(min(left, 0.05))
            self._drain_wakes()

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
