"""What other watches tell the fleet: ConfigMaps' versions, labelled Secrets, the runtime pods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from flora_core.ids import PodName
from flora_core.telemetry import logger
from flora_operator.deployment import Key, key_of
from flora_operator.fleet import Fleet
from flora_operator.kube.client import Document
from flora_operator.placement import pods_of

_log = logger(__name__)

T = TypeVar("T")


class Named(Generic[T]):
    """Objects that GuildDeployments name, of one namespace or of all."""

    def __init__(self, know: Callable[[Key, T | None], None], value: Callable[[Document], T]) -> None:
        """``know`` is told the ``value`` of each object, and None once it is gone."""
        self._know = know
        self._value = value
        self._mine: set[Key] = set()

    def replace(self, objects: list[Document]) -> None:
        for key in self._mine - {key_of(document) for document in objects}:
            self._know(key, None)
        self._mine = set()
        for document in objects:
            self.put(document)

    def put(self, document: Document) -> None:
        key = key_of(document)
        self._mine.add(key)
        self._know(key, self._value(document))

    def drop(self, document: Document) -> None:
        key = key_of(document)
        self._mine.discard(key)
        self._know(key, None)


def config_maps(fleet: Fleet) -> Named[str]:
    """By their versions."""
    return Named(fleet.know_config_map, lambda document: document["metadata"]["resourceVersion"])


def secrets(fleet: Fleet) -> Named[dict[str, str]]:
    """Those with the label, by their values."""
    return Named(fleet.know_secret, lambda document: document.get("data") or {})


class RuntimePods:
    """The StatefulSet; the pods it has to have, whether they are up or not."""

    def __init__(self, name: str, tell: Callable[[tuple[PodName, ...]], None]) -> None:
        self._name = name
        self._tell = tell

    def replace(self, objects: list[Document]) -> None:
        if not objects:
            _log.warning("no_statefulset", name=self._name)
            self._tell(())
        for document in objects:
            self.put(document)

    def put(self, document: Document) -> None:
        if key_of(document)[1] != self._name:
            return
        self._tell(pods_of_statefulset(document))

    def drop(self, document: Document) -> None:
        del document
        self._tell(())


def pods_of_statefulset(statefulset: Document) -> tuple[PodName, ...]:
    """The pods that a StatefulSet has to have."""
    name, spec = key_of(statefulset)[1], statefulset["spec"]
    ordinals: dict[str, int] = spec.get("ordinals") or {}
    return pods_of(name, spec.get("replicas", 1), start=ordinals.get("start", 0))
