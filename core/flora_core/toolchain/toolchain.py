"""The JavaScript tools, as the rest of flora uses them: ``bundle`` and ``check``.

A few child processes are kept warm; each works on one project at a time. A call takes an idle child, or
starts one when there are fewer than allowed, or waits, in a line that is bounded in length and in time.
The child belongs to that call until it has answered: on a timeout, on its death and when the caller is
cancelled it is killed, and the next call starts another. A child is also replaced after a number of
answers, and when it has grown large.

``_idle`` and ``_children`` are only touched between awaits, so they need no lock; the semaphore counts the
calls that hold a child.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Self

from flora_core.assets import ESBUILD_WASM, TYPESCRIPT, asset
from flora_core.errors import ToolBusy, ToolDied, ToolError, ToolTimeout
from flora_core.toolchain import bundler, checker
from flora_core.toolchain.bundle import Built
from flora_core.toolchain.diagnostics import Diagnostic
from flora_core.toolchain.frames import Answer, Failure, Request
from flora_core.toolchain.process import Child
from flora_core.toolchain.project import Project


@dataclass(frozen=True, slots=True)
class ToolLimits:
    """What the tools may use."""

    children: int = 2
    """Processes at most, each of 150 to 500 MiB; two keep a slow build from holding up all others."""
    seconds: float = 15.0
    """Time for one call, starting a process included. A project of the full size takes 3 s."""
    waiting: int = 64
    """Calls that may wait for a child; more are refused, so that they can be tried elsewhere."""
    waiting_seconds: float = 30.0
    """How long a call may wait for a child: two builds that run into their limit, one after the other."""
    answers: int = 200
    """Answers of one child before it is replaced; its memory grows slowly."""
    rss: int = 512 << 20
    """Bytes of memory above which a child is replaced. A large build leaves a large process."""


class Toolchain:
    """Bundler and type checker, in child processes; use it as an async context manager."""

    def __init__(self, limits: ToolLimits | None = None) -> None:
        self.limits: Final = limits or ToolLimits()
        self._free = asyncio.Semaphore(self.limits.children)
        self._waiting = 0
        self._idle: list[Child] = []
        self._children: set[Child] = set()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Kill every child; calls that are still under way end with ToolDied, waiting ones with ToolError."""
        self._closed = True
        for child in self._children:
            child.kill()
        for _turn in range(self.limits.children):  # until every call has let go of its child
            await self._free.acquire()
        for child in list(self._children):
            await self._end(child)

    async def bundle(self, project: Project) -> Built:
        """``project`` as one script.

        Raises BundleFailed when the author's code is at fault and BundleTooLarge when there is too much of
        it; ToolTimeout, ToolDied or ToolBusy when the tools did not manage.
        """
        asset(ESBUILD_WASM)
        answer = await self._ask(bundler.request(project))
        return bundler.built(project, answer)

    async def check(self, project: Project) -> list[Diagnostic]:
        """What TypeScript finds in ``project``, in order of file and line; empty when all is well.

        Raises ToolTimeout, ToolDied or ToolBusy when the tools did not manage.
        """
        asset(TYPESCRIPT)
        answer = await self._ask(checker.request(project))
        return checker.diagnostics(answer)

    async def _ask(self, request: Request) -> Answer:
        async with self._turn():
            child: Child | None = None
            fit = False
            try:
                async with asyncio.timeout(self.limits.seconds):
                    child = await self._take()
                    answer = await child.ask(request)
                fit = answer.failure is None and self._is_fit(child)
            except TimeoutError:
                raise ToolTimeout(
                    f"the {request.tool} took longer than {self.limits.seconds:g} s and was stopped; "
                    "make the project smaller or simpler"
                ) from None
            finally:
                if child is not None and fit:
                    self._idle.append(child)
                elif child is not None:
                    await self._end(child)
        if answer.failure is Failure.MEMORY:
            raise ToolDied(f"the {request.tool} ran out of memory; make the sources smaller")
        if answer.failure is Failure.CRASH:
            raise ToolDied(f"the {request.tool} failed: {answer.detail}")
        return answer

    @asynccontextmanager
    async def _turn(self) -> AsyncGenerator[None]:
        """Hold the right to one child; raises ToolBusy when it does not come in time."""
        if self._free.locked() and self._waiting >= self.limits.waiting:
            raise ToolBusy(f"the tools have {self._waiting} calls waiting already; try again in a moment")
        self._waiting += 1
        try:
            async with asyncio.timeout(self.limits.waiting_seconds):
                await self._free.acquire()
        except TimeoutError:
            raise ToolBusy(
                f"the tools were busy for {self.limits.waiting_seconds:g} s; try again in a moment"
            ) from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()

    async def _take(self) -> Child:
        """A child that nobody else has."""
        if self._closed:
            raise ToolError("the toolchain is closed")
        while self._idle:
            child = self._idle.pop()
            if child.alive:
                return child
            await self._end(child)
        child = await Child.start()
        self._children.add(child)
        return child

    def _is_fit(self, child: Child) -> bool:
        return not self._closed and child.answered < self.limits.answers and child.rss < self.limits.rss

    async def _end(self, child: Child) -> None:
        await child.end()
        self._children.discard(child)
