"""What the operator knows of the cluster: every GuildDeployment, without its sources, and what they name.

Watches tell it what is; it tells the queue which guilds that concerns. Objects come in the order of their
changes, but an answer to a write of ours may be here before the watch tells of an older change: what is
older than what is known is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from flora_core.ids import GuildId, PodName
from flora_operator.deployment import Deployment, Key
from flora_operator.placement import place
from flora_operator.status import Status

Version = str


class Fleet:
    """``dirty`` is called with the key of each object that should be looked at."""

    def __init__(self, dirty: Callable[[Key], None]) -> None:
        self._dirty = dirty
        self._deployments: dict[Key, Deployment] = {}
        self._by_guild: dict[GuildId, set[Key]] = defaultdict(set)
        self._by_config_map: dict[Key, set[Key]] = defaultdict(set)
        self._by_secret: dict[Key, set[Key]] = defaultdict(set)
        self.config_maps: dict[Key, Version] = {}
        """Every ConfigMap's resourceVersion."""
        self.secrets: dict[Key, dict[str, str]] = {}
        """Labelled Secrets, their values in base64."""
        self.pods: tuple[PodName, ...] = ()

    def __iter__(self) -> Iterator[Deployment]:
        return iter(self._deployments.values())

    def __len__(self) -> int:
        return len(self._deployments)

    def get(self, key: Key) -> Deployment | None:
        return self._deployments.get(key)

    def keys(self) -> set[Key]:
        return set(self._deployments)

    def holders(self) -> set[PodName]:
        """The pods that have guilds, by what their statuses say."""
        told = (deployment.status.assignment for deployment in self._deployments.values())
        return {PodName(assignment.pod) for assignment in told if assignment is not None and assignment.pod}

    # ---------------------------------------------------------------- objects

    def put(self, deployment: Deployment) -> bool:
        """An object is, or has become, this; False when that is old."""
        known = self._deployments.get(deployment.key)
        if known is not None and older(deployment.resource_version, known.resource_version):
            return False
        if known is not None and replace(known, resource_version=deployment.resource_version) == deployment:
            self._deployments[deployment.key] = deployment
            return True
        if known is not None:
            self._unindex(known)
        self._deployments[deployment.key] = deployment
        self._by_guild[deployment.guild].add(deployment.key)
        for index, names in self._references(deployment):
            for name in names:
                index[name].add(deployment.key)
        self._dirty(deployment.key)
        self._dirty_rivals(deployment)
        return True

    def drop(self, key: Key, *, uid: str = "") -> None:
        """An object is gone; not another one that has its name now."""
        known = self._deployments.get(key)
        if known is None or (uid and known.uid != uid):
            return
        self._unindex(known)
        del self._deployments[key]
        self._dirty(key)
        self._dirty_rivals(known)

    def wrote(self, key: Key, metadata: Mapping[str, Any], status: Status | None = None) -> None:
        """We have changed an object, and the watch will tell of it later; ``metadata`` is the answer's."""
        known = self._deployments.get(key)
        if known is None or known.uid != metadata["uid"]:
            return
        version = known.resource_version
        if known.generation == metadata.get("generation", 0) and not metadata.get("deletionTimestamp"):
            version = metadata[
                "resourceVersion"
            ]  # else the watch has news, older than this, and still to come
        self._deployments[key] = replace(
            known,
            resource_version=version,
            finalizers=tuple(metadata.get("finalizers", ())),
            status=status if status is not None else known.status,
        )

    def serving(self, guild: GuildId) -> Deployment | None:
        """The oldest object of a guild; until it is gone altogether."""
        rivals = self._by_guild.get(guild, ())
        return min((self._deployments[key] for key in rivals), key=lambda d: d.seniority, default=None)

    # ---------------------------------------------------------------- what they name

    def know_config_map(self, key: Key, version: Version | None) -> None:
        """A ConfigMap is at ``version``; None: it is gone."""
        if self.config_maps.get(key) == version:
            return
        if version is None:
            self.config_maps.pop(key, None)
        else:
            self.config_maps[key] = version
        self._dirty_all(self._by_config_map.get(key, ()))

    def know_secret(self, key: Key, values: dict[str, str] | None) -> None:
        """A labelled Secret holds ``values``; None: it is gone, or labelled no more."""
        if self.secrets.get(key) == values:
            return
        if values is None:
            self.secrets.pop(key, None)
        else:
            self.secrets[key] = values
        self._dirty_all(self._by_secret.get(key, ()))

    def know_pods(self, pods: tuple[PodName, ...]) -> None:
        """The pods that there should be; guilds that this concerns are looked at."""
        if pods == self.pods:
            return
        self.pods = pods
        for deployment in self._deployments.values():
            told = deployment.status.assignment
            current = told.pod if told is not None else ""
            where = place(deployment.guild, current, pods, has_data=True)
            if where.move_to is not None or where.pod != current or deployment.status.handoff is not None:
                self._dirty(deployment.key)

    def dirty_all(self) -> None:
        """Look at every object."""
        self._dirty_all(self._deployments)

    # ---------------------------------------------------------------- inside

    def _dirty_all(self, keys: Iterable[Key]) -> None:
        for key in tuple(keys):
            self._dirty(key)

    def _dirty_rivals(self, deployment: Deployment) -> None:
        rivals = self._by_guild.get(deployment.guild, ())
        if len(rivals) > 1 or (rivals and deployment.key not in rivals):
            self._dirty_all(rivals)

    def _unindex(self, deployment: Deployment) -> None:
        for index, names in self._references(deployment):
            for name in names:
                _discard(index, name, deployment.key)
        _discard(self._by_guild, deployment.guild, deployment.key)

    def _references(self, deployment: Deployment) -> list[tuple[dict[Key, set[Key]], set[Key]]]:
        namespace = deployment.key[0]
        config_map = deployment.source.config_map
        return [
            (self._by_config_map, {(namespace, config_map)} if config_map else set()),
            (self._by_secret, {(namespace, secret.secret_key_ref.name) for secret in deployment.secrets}),
        ]


def older(version: Version, than: Version) -> bool:
    """Whether one resourceVersion is before another (numbers: KEP-5504); unknown ones never are."""
    return version.isdigit() and than.isdigit() and int(version) < int(than)


def _discard(index: dict[Any, set[Key]], name: Any, key: Key) -> None:
    keys = index.get(name)
    if keys is not None:
        keys.discard(key)
        if not keys:
            del index[name]
