"""A node beside the control plane: containerd, kubelet, kube-proxy, and CoreDNS in the cluster.

Everything of it lives in the cluster's folder, its network namespace and its control group, all three named
after the folder. So ``stop`` clears away a node of which nothing else is known, in this order: what starts
things, what was started, what is mounted, what they were in.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

import msgspec
import psutil
import yaml

from cluster import archives, cgroups, leftovers, machine, place, volumes
from cluster.api import Api, Document
from cluster.binaries import NodeBinaries
from cluster.control_plane import NODE, READY_SECONDS, Cluster, kubeconfig_for
from cluster.errors import CannotStart, CannotStop, Refused
from cluster.place import Place, name_of, run
from cluster.processes import Processes, processes_in, wait_for_end

SHIM: Final = "containerd-shim"

PODS: Final = "10.244.0.0/16"
DNS_ADDRESS: Final = "10.96.0.10"
LONGEST_FOLDER: Final = 70
"""Sockets are made below it, and their paths may have 107 characters."""

LOAD_SECONDS: Final = 300.0
"""300 MB take 18 s on an idle machine."""

PROBE_IMAGE: Final = "localhost/flora-probe:1"
DNS_IMAGE: Final = "localhost/flora-dns:1"


def start(cluster: Cluster, where: Place, binaries: NodeBinaries, *, bound: bool) -> None:
    """Add a node to ``cluster``; it is Ready and names resolve. Raises CannotStart. Blocks."""
    folder = cluster.kubeconfig.parent
    if len(str(folder)) > LONGEST_FOLDER:
        raise CannotStart(f"{folder} is too long a path for a node; {LONGEST_FOLDER} characters are possible")
    processes = Processes(folder, bound=bound, prefix=where.prefix)
    cgroups.make(name_of(folder))
    processes.start("containerd", ["containerd", "--config", str(_containerd_config(folder))])
    processes.wait("containerd", lambda: _answers(folder), seconds=READY_SECONDS)
    for program, image in ((binaries.probe, PROBE_IMAGE), (binaries.dns, DNS_IMAGE)):
        archive = folder / f"{program.name}.tar"
        archives.write_archive(archive, program, image=image)
        load(folder, archive)
        archive.unlink()
    server = cluster.access.server
    processes.start("kube-scheduler", [*binaries.scheduler, *_scheduler_flags(folder, server)])
    processes.start("kubelet", [*binaries.kubelet, *_kubelet_flags(folder, server, where)])
    processes.start("kube-proxy", [*binaries.proxy, *_proxy_flags(folder, server)])
    with cluster.api() as api:
        processes.wait("kubelet", lambda: _node_is_ready(api), seconds=READY_SECONDS)
        for document in yaml.safe_load_all((Path(__file__).parent / "dns" / "dns.yaml").read_text()):
            api.apply(document)
        volumes.make(api, folder / "volumes", NODE)
    processes.wait("kubelet", lambda: _resolves(where, binaries.probe), seconds=READY_SECONDS)


def load(folder: Path, archive: Path) -> None:
    """The images in ``archive``, as docker or buildah saved it, into the node. Raises CannotStart. Blocks."""
    command = ["ctr", "--address", _socket(folder), "--namespace", "k8s.io", "images", "import", str(archive)]
    run(*command, seconds=LOAD_SECONDS)


def exists(folder: Path) -> bool:
    """Whether there is anything of a node in ``folder``, in whatever state."""
    return place.exists(folder) or cgroups.exists(name_of(folder))


def stop(folder: Path) -> None:
    """Whatever is of a node in ``folder``, and the control plane with it. Raises CannotStop. Blocks."""
    Processes(folder, bound=False).stop()
    cgroups.kill(name_of(folder))
    shims = [one for one in processes_in(folder) if one.name().startswith(SHIM)]  # and not your shell there
    for shim in shims:
        with contextlib.suppress(psutil.NoSuchProcess):
            shim.kill()
    if stubborn := wait_for_end(shims):
        raise CannotStop(f"processes of {folder} do not end: {[process.pid for process in stubborn]}")
    leftovers.clear(folder)
    cgroups.remove(name_of(folder))
    place.remove(folder)


def _answers(folder: Path) -> bool:
    try:
        run("ctr", "--address", _socket(folder), "version")
    except CannotStart:
        return False
    return True


def _node_is_ready(api: Api) -> bool:
    try:
        node = api.call("GET", f"/api/v1/nodes/{NODE}")
    except Refused:
        return False
    return condition(node, "Ready") == "True" and not node["spec"].get("taints")


def _resolves(where: Place, probe: Path) -> bool:
    """CoreDNS runs, and kube-proxy leads to it."""
    try:
        run(str(probe), "lookup", DNS_ADDRESS, "kubernetes.default.svc.cluster.local", prefix=where.prefix)
    except CannotStart:
        return False
    return True


def condition(document: Document, kind: str) -> str | None:
    """The status of its condition ``kind``; None without one."""
    conditions = document.get("status", {}).get("conditions") or []
    return next((one["status"] for one in conditions if one["type"] == kind), None)


def _socket(folder: Path) -> str:
    return str(folder / "containerd.sock")


def _containerd_config(folder: Path) -> Path:
    plugins = machine.plugins()
    assert plugins is not None, "machine.prepare() comes first"
    networks = folder / "cni"
    networks.mkdir()
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(folder / "addresses"),
            "ranges": [[{"subnet": "10.244.0.0/24"}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    network = {"cniVersion": "0.4.0", "name": "flora", "plugins": [bridge]}
    (networks / "10-flora.conflist").write_bytes(msgspec.json.encode(network))
    config = folder / "containerd.toml"
    config.write_text(f"""
version = 2
root = "{folder}/containerd"
state = "{folder}/containerd-state"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs"]
[grpc]
  address = "{_socket(folder)}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PROBE_IMAGE}"
  restrict_oom_score_adj = true  # where CAP_SYS_RESOURCE is missing no sandbox starts otherwise
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{networks}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      Root = "{folder}/runc"
""")
    return config


def _scheduler_flags(folder: Path, server: str) -> list[str]:
    config = kubeconfig_for(folder, "scheduler", server)
    return [f"--kubeconfig={config}", "--leader-elect=false", "--secure-port=0"]


def _kubelet_flags(folder: Path, server: str, where: Place) -> list[str]:
    pki, config = folder / "pki", folder / "kubelet.json"
    (folder / "resolv.conf").touch()  # what pods inherit of the machine's: nothing
    document = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": f"{pki}/ca.crt"}},
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{name_of(folder)}",
        "clusterDNS": [DNS_ADDRESS],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": f"unix://{_socket(folder)}",
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "failCgroupV1": False,
        "failSwapOn": False,
        "imageGCHighThresholdPercent": 100,
        "podLogsDir": f"{folder}/pod-logs",
        "resolvConf": f"{folder}/resolv.conf",
        "tlsCertFile": f"{pki}/node.crt",
        "tlsPrivateKeyFile": f"{pki}/node.key",
    }
    config.write_bytes(msgspec.json.encode(document))
    return [
        f"--config={config}",
        f"--kubeconfig={kubeconfig_for(folder, 'node', server)}",
        f"--hostname-override={NODE}",
        f"--node-ip={where.address}",
        f"--root-dir={folder}/kubelet",
    ]


def _proxy_flags(folder: Path, server: str) -> list[str]:
    return [
        f"--kubeconfig={kubeconfig_for(folder, 'proxy', server)}",
        f"--hostname-override={NODE}",
        "--proxy-mode=iptables",
        f"--cluster-cidr={PODS}",
        "--conntrack-max-per-core=0",  # the machine's, not a namespace's to set
    ]
