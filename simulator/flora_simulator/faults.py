"""Faults that a test asks for: the next N calls of matching routes fail, hang or lose their answer."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field
from typing import Final

from flora_simulator.wire import Fault

_MOST: Final = 1_000


@dataclass(slots=True)
class Faults:
    """The faults still to happen, oldest first."""

    waiting: list[Fault] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        """Let ``fault`` happen to the next ``fault.times`` calls that match it."""
        self.waiting.append(fault)
        del self.waiting[:-_MOST]

    def clear(self) -> None:
        """Forget them all."""
        self.waiting.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault for this call, if any; it has then happened once more."""
        for index, fault in enumerate(self.waiting):
            if fault.method in {"*", method} and fnmatch.fnmatchcase(path, fault.path):
                fault.times -= 1
                if fault.times <= 0:
                    del self.waiting[index]
                return fault
        return None
