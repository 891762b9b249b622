"""Certificates, images and names of a cluster."""

from __future__ import annotations

import json
import os
import socket
import ssl
import stat
import tarfile
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from cluster import archives, leftovers, machine, place
from cluster.api import tls
from cluster.certificates import ADMINS, Authority
from cluster.kubeconfig import Access


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "pki")


def test_user_and_group_are_in_the_certificate(authority: Authority) -> None:
    authority.issue("admin", user="ann", group=ADMINS)
    certificate = x509.load_pem_x509_certificate((authority.folder / "admin.crt").read_bytes())
    (name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    (group,) = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert (name.value, group.value) == ("ann", "system:masters")


def test_keys_are_for_their_owner_alone(authority: Authority) -> None:
    authority.issue("admin", user="ann")
    authority.key_pair("accounts")
    modes = {key.name: stat.S_IMODE(key.stat().st_mode) for key in authority.folder.glob("*.key")}
    assert modes == {"ca.key": 0o600, "admin.key": 0o600, "accounts.key": 0o600}


@pytest.mark.parametrize(("host", "trusted"), [("127.0.0.1", True), ("127.0.0.2", False)])
def test_each_side_trusts_the_other_by_the_authority(authority: Authority, host: str, trusted: bool) -> None:
    authority.issue("server", user="server", hosts=["127.0.0.1", "localhost"])
    authority.issue("admin", user="ann")
    pki = authority.folder
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.certificate))
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_cert_chain(pki / "server.crt", pki / "server.key")
    client = tls(
        Access(
            server="https://127.0.0.1:1",
            authority=authority.certificate.read_bytes(),
            certificate=(pki / "admin.crt").read_bytes(),
            key=(pki / "admin.key").read_bytes(),
        )
    )
    here, there = socket.socketpair()
    serving = threading.Thread(target=serve, args=(server, there))
    serving.start()
    try:
        if trusted:
            with client.wrap_socket(here, server_hostname=host) as stream:
                assert stream.recv(10) == b"ann"
        else:
            with pytest.raises(ssl.SSLCertVerificationError):
                client.wrap_socket(here, server_hostname=host)
    finally:
        here.close()
        serving.join(timeout=10)


def serve(context: ssl.SSLContext, stream: socket.socket) -> None:
    """Say who the client is, if it is anybody."""
    with stream:
        try:
            with context.wrap_socket(stream, server_side=True) as secure:
                subject = secure.getpeercert() or {}
                secure.sendall(dict(pair[0] for pair in subject["subject"])["commonName"].encode())
        except OSError:
            return


def test_an_image_is_an_archive_as_docker_saves_it(tmp_path: Path) -> None:
    program, archive = tmp_path / "probe", tmp_path / "probe.tar"
    program.write_bytes(b"\x7fELF")
    archives.write_archive(archive, program, image="localhost/probe:1")
    with tarfile.open(archive) as tar:
        read = {entry.name: tar.extractfile(entry).read() for entry in tar}  # type: ignore[union-attr]
    (manifest,) = json.loads(read["manifest.json"])
    config = json.loads(read[manifest["Config"]])
    assert manifest["RepoTags"] == ["localhost/probe:1"]
    assert config["config"]["Entrypoint"] == ["/probe"]
    assert config["config"]["User"] == "65534:65534"
    (tmp_path / "layer.tar").write_bytes(read[manifest["Layers"][0]])
    with tarfile.open(tmp_path / "layer.tar") as layer:
        (entry,) = layer.getmembers()
    assert (entry.name, entry.mode, entry.size) == ("probe", 0o755, 4)


def test_the_same_program_is_the_same_image(tmp_path: Path) -> None:
    program = tmp_path / "probe"
    program.write_bytes(b"\x7fELF")
    for name in ("a.tar", "b.tar"):
        archives.write_archive(tmp_path / name, program, image="localhost/probe:1")
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_names_are_made_from_the_folder(tmp_path: Path) -> None:
    other = tmp_path / "other"
    assert place.name_of(tmp_path) == place.name_of(other / "..")
    assert place.name_of(tmp_path) != place.name_of(other)
    assert len(place.name_of(tmp_path)) <= 15  # as an interface's may be


def test_a_folder_without_mounts_has_none(tmp_path: Path) -> None:
    assert leftovers.mounts(tmp_path) == []
    assert leftovers.entries(tmp_path / "nothing") == []


def test_what_is_missing_is_named_by_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(machine, "PLUGINS", (str(tmp_path),))
    assert machine.missing() == [
        "conntrack", "containerd", "containernetworking-plugins", "iproute2", "iptables", "mount", "runc", "util-linux",
    ]  # fmt: skip


def test_without_root_there_is_no_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert machine.why_no_node() == "a kubelet needs root, for namespaces, mounts and control groups"


def test_without_linux_there_is_no_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.sys, "platform", "darwin")
    assert "needs Linux, and this is darwin" in machine.why_no_node()


def test_a_node_of_another_cluster_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine.sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(machine, "OTHERS", tmp_path)
    assert "is of another kubelet" in machine.why_no_node()
