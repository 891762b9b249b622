"""Finding the handler of a REST call: method and path in, template and arguments out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flora_simulator.simcord_port import Upload


@dataclass(slots=True)
class Call:
    """One REST call, its path without the API prefix."""

    method: str
    path: str
    args: dict[str, str] = field(default_factory=dict)
    json: Any = None
    params: dict[str, str] = field(default_factory=dict)
    files: list[Upload] = field(default_factory=list)
    reason: str | None = None
    """The X-Audit-Log-Reason."""
    host: str = ""

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object that came, or an empty one."""
        return self.json if isinstance(self.json, dict) else {}

    def has_flag(self, name: str) -> bool:
        """Whether the query says ``name=true``, as any client spells it."""
        return self.params.get(name, "").lower() in {"1", "true"}


class Endpoint(NamedTuple):
    """A route and what answers it."""

    method: str
    template: str
    run: Callable[[Call], Any]


@dataclass(slots=True)
class _Entry:
    segments: list[str]
    endpoint: Endpoint

    def match(self, segments: list[str]) -> tuple[int, dict[str, str]] | None:
        """How literally the path fits, and its arguments; None when it does not."""
        literal, args = 0, {}
        for pattern, segment in zip(self.segments, segments, strict=True):
            if pattern.startswith("{"):
                args[pattern[1:-1]] = segment
            elif pattern == segment:
                literal += 1
            else:
                return None
        return literal, args


class WrongMethod(Exception):
    """The path exists, for other methods."""


class Router:
    """All endpoints; of several that fit a path, the most literal one counts, then the first given."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._by_shape: dict[int, list[_Entry]] = {}
        for endpoint in endpoints:
            segments = endpoint.template.strip("/").split("/")
            self._by_shape.setdefault(len(segments), []).append(_Entry(segments, endpoint))

    def find(self, method: str, path: str) -> tuple[Endpoint, dict[str, str]] | None:
        """The endpoint and its arguments, None when nothing is there; raises WrongMethod."""
        segments = path.strip("/").split("/")
        best: tuple[int, Endpoint, dict[str, str]] | None = None
        elsewhere = False
        for entry in self._by_shape.get(len(segments), ()):
            if (fit := entry.match(segments)) is None:
                continue
            if entry.endpoint.method != method:
                elsewhere = True
            elif best is None or fit[0] > best[0]:
                best = fit[0], entry.endpoint, fit[1]
        if best is None and elsewhere:
            raise WrongMethod
        return best[1:] if best is not None else None
