"""Starting etcd, kube-apiserver and kube-controller-manager, and stopping them.

All listens on loopback, on ports that were free a moment ago; when another program was quicker, it is tried
again with others. The API server is a real one: RBAC decides, ServiceAccount tokens are signed and reviewed,
admission is as it comes. What a node would do, nobody does: Pods stay Pending.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cluster import kubeconfig
from cluster.api import Api
from cluster.binaries import Binaries
from cluster.certificates import ADMINS, Authority
from cluster.errors import CannotStart, Refused
from cluster.kubeconfig import Access
from cluster.processes import Processes

READY_SECONDS: Final = 90.0
"""Six on an idle machine."""

TRIES: Final = 3
KUBECONFIG: Final = "admin.kubeconfig"
GIVEN: Final = "FLORA_TEST_KUBECONFIG"
ISSUER: Final = "https://kubernetes.default.svc.cluster.local"
SERVICES: Final = "10.96.0.0/16"
CONTROLLERS: Final = "system:kube-controller-manager"


@dataclass(slots=True, frozen=True)
class Cluster:
    """One that runs."""

    kubeconfig: Path
    access: Access
    """As somebody who may do everything."""

    def api(self) -> Api:
        return Api(self.access)

    def as_token(self, token: str) -> Api:
        """As whoever ``token`` is, a ServiceAccount say."""
        return Api(Access(server=self.access.server, authority=self.access.authority, token=token))


def given(environment: Mapping[str, str] = os.environ) -> Cluster | None:
    """Somebody else's cluster that ``FLORA_TEST_KUBECONFIG`` names; raises InvalidInput."""
    path = environment.get(GIVEN)
    return Cluster(Path(path), kubeconfig.read(Path(path))) if path else None


@contextlib.contextmanager
def running(binaries: Binaries) -> Iterator[Cluster]:
    """One in a temporary folder, gone with the block whatever ends it; raises CannotStart."""
    folder = Path(tempfile.mkdtemp(prefix="flora-cluster-"))
    try:
        yield start(folder, binaries, bound=True)
    finally:
        stop(folder)
        shutil.rmtree(folder)


def start(folder: Path, binaries: Binaries, *, bound: bool) -> Cluster:
    """In ``folder``, which should be empty; ``bound`` to the life of this process. Blocks.

    Raises CannotStart; what was started until then is for ``stop``.
    """
    _sign(folder)
    for left in reversed(range(TRIES)):
        processes = Processes(folder, bound=bound)
        etcd, secure = _free_ports(2)
        try:
            return _start(folder, binaries, processes, etcd=etcd, secure=secure)
        except CannotStart as error:
            if not left or "address already in use" not in str(error):
                raise
            processes.stop()
            shutil.rmtree(folder / "etcd", ignore_errors=True)
    raise AssertionError("unreachable")


def stop(folder: Path) -> None:
    """Whatever runs in ``folder``. Blocks."""
    Processes(folder, bound=False).stop()


def _start(folder: Path, binaries: Binaries, processes: Processes, *, etcd: int, secure: int) -> Cluster:
    server = f"https://127.0.0.1:{secure}"
    admin = _access(folder, "admin", server)
    processes.start("etcd", [*binaries.etcd, *_etcd_flags(folder, etcd)])
    processes.start("kube-apiserver", [*binaries.apiserver, *_apiserver_flags(folder, etcd, secure)])
    with contextlib.closing(Api(admin)) as api:
        processes.wait("kube-apiserver", api.ready, seconds=READY_SECONDS)
        if binaries.controller_manager is not None:
            command = [*binaries.controller_manager, *_controller_flags(folder, server)]
            processes.start("kube-controller-manager", command)
            processes.wait("kube-controller-manager", lambda: _has_accounts(api), seconds=READY_SECONDS)
    kubeconfig.write(folder / KUBECONFIG, admin)
    return Cluster(folder / KUBECONFIG, admin)


def _has_accounts(api: Api) -> bool:
    """The controllers work: one of them makes this account."""
    try:
        api.call("GET", "/api/v1/namespaces/default/serviceaccounts/default")
    except Refused:
        return False
    return True


def _sign(folder: Path) -> None:
    authority = Authority(folder / "pki")
    hosts = ["127.0.0.1", "10.96.0.1", "localhost", "kubernetes.default.svc"]
    authority.issue("apiserver", user="kube-apiserver", hosts=hosts)
    authority.issue("admin", user="admin", group=ADMINS)
    authority.issue("controllers", user=CONTROLLERS)
    authority.key_pair("accounts")


def _access(folder: Path, name: str, server: str) -> Access:
    pki = folder / "pki"
    return Access(
        server=server,
        authority=(pki / "ca.crt").read_bytes(),
        certificate=(pki / f"{name}.crt").read_bytes(),
        key=(pki / f"{name}.key").read_bytes(),
    )


def _etcd_flags(folder: Path, port: int) -> list[str]:
    url = f"http://127.0.0.1:{port}"
    return [
        f"--data-dir={folder}/etcd",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        "--listen-peer-urls=http://127.0.0.1:0",  # nobody is its peer
        "--unsafe-no-fsync",  # it never outlives its folder
        "--log-level=warn",
    ]


def _apiserver_flags(folder: Path, etcd: int, port: int) -> list[str]:
    pki = folder / "pki"
    return [
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none",  # loopback may be nobody's endpoint
        f"--secure-port={port}",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--client-ca-file={pki}/ca.crt",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={pki}/accounts.pub",
        f"--service-account-signing-key-file={pki}/accounts.key",
        f"--service-cluster-ip-range={SERVICES}",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged",
    ]


def _controller_flags(folder: Path, server: str) -> list[str]:
    pki, own = folder / "pki", folder / "controllers.kubeconfig"
    kubeconfig.write(own, _access(folder, "controllers", server))
    return [
        f"--kubeconfig={own}",
        f"--service-account-private-key-file={pki}/accounts.key",
        f"--root-ca-file={pki}/ca.crt",
        "--use-service-account-credentials",
        "--leader-elect=false",
        "--secure-port=0",  # nobody asks how it is
    ]


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
