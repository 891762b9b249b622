"""Kubeconfigs: our own, and those of others."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cluster import kubeconfig
from cluster.kubeconfig import Access
from flora_core.errors import InvalidInput


def config(cluster: dict[str, Any], user: dict[str, Any]) -> dict[str, Any]:
    return {
        "clusters": [
            {"name": "other", "cluster": {"server": "https://x"}},
            {"name": "c", "cluster": cluster},
        ],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "d", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "d",
    }


def kept(folder: Path, document: Any) -> Path:
    path = folder / "config"
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    return path


@given(authority=st.binary(min_size=1), key=st.binary(min_size=1), token=st.none() | st.text(min_size=1))
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, authority: bytes, key: bytes, token: str | None
) -> None:
    path = tmp_path_factory.mktemp("kube") / "config"
    access = Access(server="https://127.0.0.1:1", authority=authority, certificate=b"c", key=key, token=token)
    kubeconfig.write(path, access)
    assert kubeconfig.read(path) == access


def test_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "config"
    kubeconfig.write(path, Access(server="https://127.0.0.1:1", token="t"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_access_shows_no_secret() -> None:
    assert "hush" not in repr(Access(server="https://127.0.0.1:1", key=b"hush", token="hush"))


def test_files_are_seen_from_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("CA")
    (tmp_path / "token").write_text("secret\n")
    document = config(
        {"server": "https://c:6443/", "certificate-authority": "ca.crt"}, {"tokenFile": "token"}
    )
    access = kubeconfig.read(kept(tmp_path, document))
    assert (access.server, access.authority, access.token) == ("https://c:6443", b"CA", "secret")


def test_a_cluster_may_go_unverified(tmp_path: Path) -> None:
    document = config({"server": "https://c", "insecure-skip-tls-verify": True}, {"token": "t"})
    assert not kubeconfig.read(kept(tmp_path, document)).verify


WRONG = {
    "no YAML": ("{", "cannot be read as a kubeconfig"),
    "no mapping": ([], "no kubeconfig with a current context"),
    "nothing": ("", "no kubeconfig with a current context"),
    "no context": ({"clusters": []}, "current-context"),
    "no such context": ({**config({"server": "s"}, {}), "current-context": "x"}, "context x"),
    "no server": (config({}, {}), "server"),
    "a program": (config({"server": "https://c"}, {"exec": {"command": "aws"}}), "kubectl create token"),
    "a file that is gone": (config({"server": "s", "certificate-authority": "gone"}, {}), "gone"),
    "no base64": (config({"server": "s", "certificate-authority-data": "?"}, {}), "cannot be read"),
}


@pytest.mark.parametrize(("document", "told"), WRONG.values(), ids=WRONG)
def test_a_file_of_another_kind_is_named(tmp_path: Path, document: Any, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        kubeconfig.read(kept(tmp_path, document))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="config cannot be read"):
        kubeconfig.read(tmp_path / "config")
