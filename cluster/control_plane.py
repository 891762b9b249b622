"""Starting etcd, kube-apiserver and kube-controller-manager.

All listens on loopback or in a network of its own, on ports that were free a moment ago; when another program
was quicker, it is tried again with others. The API server is a real one: RBAC decides, ServiceAccount tokens
are signed and reviewed, admission is as it comes. Without a node Pods stay Pending.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cluster import kubeconfig
from cluster.api import Api
from cluster.binaries import Binaries
from cluster.certificates import ADMINS, Authority
from cluster.errors import CannotStart, Refused
from cluster.kubeconfig import Access
from cluster.place import LOOPBACK, Place
from cluster.processes import Processes

READY_SECONDS: Final = 90.0
"""Six on an idle machine."""

ANSWER_SECONDS: Final = 1.0
"""It takes connections long before it answers them; meanwhile we look whether etcd still lives."""

TRIES: Final = 3
API_SERVER: Final = "kube-apiserver"
KUBECONFIG: Final = "admin.kubeconfig"
ISSUER: Final = "https://kubernetes.default.svc.cluster.local"
SERVICES: Final = "10.96.0.0/16"
NODE: Final = "node1"
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


def start(folder: Path, binaries: Binaries, *, bound: bool, place: Place = LOOPBACK) -> Cluster:
    """In ``folder``, which should be empty; ``bound`` to the life of this process. Blocks.

    Raises CannotStart; what was started until then is for ``lifecycle.remove``.
    """
    _sign(folder, place)
    for left in reversed(range(TRIES)):
        processes = Processes(folder, bound=bound, prefix=place.prefix)
        etcd, secure = _free_ports(2)
        try:
            return _start(folder, binaries, processes, place, etcd=etcd, secure=secure)
        except CannotStart as error:
            if not left or "address already in use" not in str(error):
                raise
            processes.stop()
            shutil.rmtree(folder / "etcd", ignore_errors=True)
    raise AssertionError("unreachable")


def _start(
    folder: Path, binaries: Binaries, processes: Processes, place: Place, *, etcd: int, secure: int
) -> Cluster:
    server = f"https://{place.address}:{secure}"
    admin = access(folder, "admin", server)
    processes.start("etcd", [*binaries.etcd, *_etcd_flags(folder, etcd)])
    processes.start(API_SERVER, [*binaries.apiserver, *_apiserver_flags(folder, place, etcd, secure)])
    wait_for_api(processes, admin)
    with Api(admin) as api:
        if binaries.controller_manager is not None:
            command = [*binaries.controller_manager, *_controller_flags(folder, server)]
            processes.start("kube-controller-manager", command)
            processes.wait("kube-controller-manager", lambda: _has_accounts(api), seconds=READY_SECONDS)
    kubeconfig.write(folder / KUBECONFIG, admin)
    return Cluster(folder / KUBECONFIG, admin)


def wait_for_api(processes: Processes, admin: Access) -> None:
    """Until it answers. Raises CannotStart. Blocks."""
    with Api(admin, seconds=ANSWER_SECONDS) as api:
        processes.wait(API_SERVER, api.ready, seconds=READY_SECONDS)


def _has_accounts(api: Api) -> bool:
    """The controllers work: one of them makes this account."""
    try:
        api.call("GET", "/api/v1/namespaces/default/serviceaccounts/default")
    except Refused:
        return False
    return True


def _sign(folder: Path, place: Place) -> None:
    authority = Authority(folder / "pki")
    hosts = [place.address, "10.96.0.1", "localhost", "kubernetes.default.svc"]
    authority.issue("apiserver", user="kube-apiserver", hosts=hosts)
    authority.issue("admin", user="admin", group=ADMINS)
    authority.issue("controllers", user=CONTROLLERS)
    if place is not LOOPBACK:
        authority.issue("scheduler", user="system:kube-scheduler")
        authority.issue("proxy", user="system:kube-proxy")
        authority.issue("node", user=f"system:node:{NODE}", group="system:nodes", hosts=[NODE, place.address])
    authority.key_pair("accounts")


def access(folder: Path, name: str, server: str) -> Access:
    """As whoever the certificate ``name`` says."""
    pki = folder / "pki"
    return Access(
        server=server,
        authority=(pki / "ca.crt").read_bytes(),
        certificate=(pki / f"{name}.crt").read_bytes(),
        key=(pki / f"{name}.key").read_bytes(),
    )


def kubeconfig_for(folder: Path, name: str, server: str) -> Path:
    """A kubeconfig of whoever the certificate ``name`` says."""
    return kubeconfig.write(folder / f"{name}.kubeconfig", access(folder, name, server))


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


def _apiserver_flags(folder: Path, place: Place, etcd: int, port: int) -> list[str]:
    pki = folder / "pki"
    return [
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        f"--bind-address={place.address}",
        f"--advertise-address={place.address}",
        *([] if place is LOOPBACK else _kubelet_flags(pki)),
        # Loopback may be nobody's endpoint.
        f"--endpoint-reconciler-type={'none' if place is LOOPBACK else 'lease'}",
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


def _kubelet_flags(pki: Path) -> list[str]:
    """For logs and exec, the API server calls the kubelet."""
    return [
        f"--kubelet-client-certificate={pki}/admin.crt",
        f"--kubelet-client-key={pki}/admin.key",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        "--kubelet-preferred-address-types=InternalIP",
    ]


def _controller_flags(folder: Path, server: str) -> list[str]:
    pki = folder / "pki"
    return [
        f"--kubeconfig={kubeconfig_for(folder, 'controllers', server)}",
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
