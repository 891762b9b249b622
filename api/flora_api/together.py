"""Questions asked together: what comes while an answer is awaited is asked with the others that do, next.

A question to Postgres or Redis costs this process more than it costs them, and one for twenty costs hardly
more than one for one. Nobody waits for company: a question that comes alone is asked at once, and an answer
is never older than its question.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")


class Together(Generic[Q, A]):
    """Belongs to its loop; who asks has a deadline, and so has what is asked."""

    def __init__(
        self,
        ask: Callable[[Sequence[Q]], Awaitable[Sequence[A]]],
        *,
        most: int = 100,
        at_once: int = 1,
    ) -> None:
        """``ask`` answers up to ``most`` questions in their order; ``at_once`` of it may be under way."""
        self._ask = ask
        self._most = most
        self._at_once = at_once
        self._waiting: list[tuple[Q, asyncio.Future[A] | None]] = []
        self._asking: Final[set[asyncio.Task[None]]] = set()

    async def ask(self, question: Q) -> A:
        """The answer, or what ``ask`` raised."""
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._add(question, answer)
        return await answer

    def tell(self, question: Q) -> None:
        """Have it asked too; nobody waits for the answer, and nobody hears of an error."""
        self._add(question, None)

    async def close(self) -> None:
        """Give up what is under way; who waits for it is cancelled."""
        asking = list(self._asking)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    def _add(self, question: Q, answer: asyncio.Future[A] | None) -> None:
        self._waiting.append((question, answer))
        if len(self._asking) < self._at_once:
            self._asking.add(asyncio.create_task(self._run()))

    async def _run(self) -> None:
        """Ask until nobody waits. From finding nobody to being counted out nothing else may happen, or
        somebody who comes in between would wait for a task that asks no more."""
        try:
            while self._waiting:
                now, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._ask_for(now)
        finally:
            task = asyncio.current_task()
            assert task is not None
            self._asking.discard(task)

    async def _ask_for(self, asked: Sequence[tuple[Q, asyncio.Future[A] | None]]) -> None:
        try:
            answers = await self._ask([question for question, _ in asked])
        except asyncio.CancelledError:
            for _, waiting in (*asked, *self._waiting):
                if waiting is not None:
                    waiting.cancel()
            self._waiting.clear()
            raise
        except Exception as error:  # noqa: BLE001  theirs who asked
            for _, waiting in asked:
                if waiting is not None and not waiting.done():  # else whoever asked has left
                    waiting.set_exception(error)
        else:
            for (_, waiting), answer in zip(asked, answers, strict=True):
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer)
