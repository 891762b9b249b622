"""Volumes for a node: folders of the cluster's own, which claims without a storage class of their own get.

There is no provisioner: all are there from the start. One whose claim was deleted keeps its data and
is not given to another, so a cluster in which many were made and deleted runs out of them at some time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cluster.api import Api, Document

COUNT: Final = 64
SIZE: Final = "20Gi"
"""Nobody holds a pod to it."""

CLASS: Final = "local"


def make(api: Api, folder: Path, node: str) -> None:
    """In ``folder``, on the node of that name. Blocks."""
    api.apply(_storage_class())
    for number in range(COUNT):
        path = folder / f"volume-{number}"
        path.mkdir(parents=True)
        path.chmod(0o777)  # whatever user a pod is
        api.apply(_volume(path, node))


def _storage_class() -> Document:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def _volume(path: Path, node: str) -> Document:
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": path.name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": SIZE},
            "local": {"path": str(path)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": CLASS,
        },
    }
