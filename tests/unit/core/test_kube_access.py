"""Where the API server is, by environment, ServiceAccount and kubeconfig."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.certificates import Authority
from flora_core.errors import InvalidSettings
from flora_core.kube_access import find_cluster, read_kubeconfig


@pytest.fixture
def account(tmp_path: Path, authority: bytes) -> Path:
    """What Kubernetes mounts."""
    (tmp_path / "token").write_text("first\n")
    (tmp_path / "ca.crt").write_bytes(authority)
    return tmp_path


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("authority") / "pki"
    Authority(folder)
    return (folder / "ca.crt").read_bytes()


def pod(host: str = "10.96.0.1", port: str = "443") -> dict[str, str]:
    return {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}


def write(path: Path, *, cluster: Any = None, user: Any = None, **other: Any) -> Path:
    document = {
        "clusters": [{"name": "c", "cluster": {"server": "https://kube:6443/", **(cluster or {})}}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
        **other,
    }
    path.write_text(yaml.safe_dump(document))
    return path


def test_a_pod_finds_its_cluster(account: Path) -> None:
    assert find_cluster(pod(), account=account).server == "https://10.96.0.1:443"
    assert find_cluster(pod("fd00::1", "6443"), account=account).server == "https://[fd00::1]:6443"


def test_a_kubeconfig_goes_before_the_pods_own_cluster(account: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "config")
    assert find_cluster(pod() | {"KUBECONFIG": str(file)}, account=account).server == "https://kube:6443"


def test_neither_pod_nor_kubeconfig_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="KUBECONFIG: is not set, and this is no pod"):
        find_cluster({}, account=tmp_path)
    with pytest.raises(InvalidSettings, match="KUBECONFIG: is not set, and this is no pod"):
        find_cluster(pod(), account=tmp_path)


def test_a_rotated_token_is_read(account: Path) -> None:
    cluster = find_cluster(pod(), account=account)
    assert cluster.headers() == {"Authorization": "Bearer first"}
    (account / "token").write_text("second")
    assert cluster.headers() == {"Authorization": "Bearer second"}


def test_rotated_authorities_are_read_and_the_same_ones_are_not(account: Path, authority: bytes) -> None:
    cluster = find_cluster(pod(), account=account)
    first = cluster.tls()
    assert cluster.tls() is first
    (account / "new").write_bytes(authority)
    (account / "new").replace(account / "ca.crt")
    assert cluster.tls() is not first


def test_authorities_that_are_gone_are_an_error_of_the_system(account: Path) -> None:
    cluster = find_cluster(pod(), account=account)
    (account / "ca.crt").unlink()
    with pytest.raises(OSError):
        cluster.tls()


def test_credentials_may_stand_in_the_kubeconfig_or_beside_it(tmp_path: Path, authority: bytes) -> None:
    (tmp_path / "ca.crt").write_bytes(authority)
    (tmp_path / "token").write_text("mine")
    beside = write(tmp_path / "a", cluster={"certificate-authority": "ca.crt"}, user={"tokenFile": "token"})
    inside = write(
        tmp_path / "b",
        cluster={"certificate-authority-data": base64.b64encode(authority).decode()},
        user={"token": "mine"},
    )
    for file in (beside, inside):
        cluster = read_kubeconfig(file)
        assert cluster.headers() == {"Authorization": "Bearer mine"}
        assert len(cluster.tls().get_ca_certs()) == 1


def test_a_program_for_credentials_is_not_run(tmp_path: Path) -> None:
    file = write(tmp_path / "config", user={"exec": {"command": "touch", "args": [str(tmp_path / "ran")]}})
    with pytest.raises(InvalidSettings, match="runs a program for credentials"):
        read_kubeconfig(file)
    assert [path.name for path in tmp_path.iterdir()] == ["config"]


@pytest.mark.parametrize(
    "text", ["", "[]", "a: {", "current-context: x", "\x00", "current-context: x\ncontexts: [{name: x}]"]
)
def test_a_file_that_is_no_kubeconfig_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(InvalidSettings, match="KUBECONFIG"):
        read_kubeconfig(file)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="No such file"):
        read_kubeconfig(tmp_path / "config")


def test_no_credentials_are_shown(tmp_path: Path) -> None:
    cluster = read_kubeconfig(write(tmp_path / "config", user={"token": "s3cret"}))
    assert "s3cret" not in repr(cluster)
    broken = write(tmp_path / "broken", user={"client-certificate-data": "s3cret-not-base64!"})
    with pytest.raises(InvalidSettings) as error:
        read_kubeconfig(broken)
    assert "s3cret" not in str(error.value)
