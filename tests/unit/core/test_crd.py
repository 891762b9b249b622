"""The CRD and ``flora_core.manifest`` read the same document: same fields, defaults, ranges and choices."""

from __future__ import annotations

import types
import typing
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from tools import crd_page

from flora_core import manifest
from flora_core.toolchain import Project, paths

CRD = Path(__file__).parents[3] / "crds" / "guilddeployments.flora.uwu.network.yaml"


@pytest.fixture(scope="module")
def crd() -> dict[str, Any]:
    return yaml.safe_load(CRD.read_text())


@pytest.fixture(scope="module")
def schema(crd: dict[str, Any]) -> dict[str, Any]:
    """Of the one version."""
    (version,) = crd["spec"]["versions"]
    return version["schema"]["openAPIV3Schema"]


def test_its_names_are_those_of_the_manifest(crd: dict[str, Any]) -> None:
    names = crd["spec"]["names"]
    assert crd["metadata"]["name"] == CRD.stem == f"{names['plural']}.{manifest.GROUP}"
    assert (crd["spec"]["group"], names["kind"]) == (manifest.GROUP, manifest.KIND)
    assert crd["spec"]["versions"][0]["name"] == manifest.VERSION
    assert (names["shortNames"], names["categories"]) == (["gd"], ["flora"])


def test_every_field_is_described(schema: dict[str, Any]) -> None:
    bare = [path for path, node in nodes(schema) if not node.get("description", "").endswith(".")]
    assert bare == [".metadata"]  # Kubernetes has its own description of that


def test_every_text_and_list_of_the_spec_has_a_bound(schema: dict[str, Any]) -> None:
    bounds = {"string": ("maxLength", "enum"), "array": ("maxItems",)}
    unbounded = [
        path
        for path, node in nodes(schema["properties"]["spec"], "spec")
        if not any(bound in node for bound in bounds.get(node["type"], node))
    ]
    assert unbounded == []


def test_every_rule_says_what_to_do(schema: dict[str, Any]) -> None:
    rules = [rule for _, node in nodes(schema) for rule in node.get("x-kubernetes-validations", [])]
    assert len(rules) >= 10
    assert all(len(rule["message"]) > 25 for rule in rules)


def test_the_spec_has_the_fields_and_defaults_of_the_manifest(schema: dict[str, Any]) -> None:
    agree(schema["properties"]["spec"], manifest.Spec, "spec")


def test_limits_have_the_ranges_of_the_manifest(schema: dict[str, Any]) -> None:
    limits = schema["properties"]["spec"]["properties"]["limits"]["properties"]
    ranges = {name: (field["minimum"], field["maximum"]) for name, field in limits.items()}
    assert ranges == {
        "cpuMilliseconds": manifest.CPU_MILLISECONDS,
        "memoryMebibytes": manifest.MEMORY_MEBIBYTES,
    }


def test_sources_have_the_bounds_of_a_project(schema: dict[str, Any]) -> None:
    files = schema["properties"]["spec"]["properties"]["source"]["properties"]["files"]
    assert files["maxProperties"] == paths.MAX_FILES
    assert files["additionalProperties"]["maxLength"] == paths.MAX_BYTES
    rules = " ".join(rule["rule"] for rule in files["x-kubernetes-validations"])
    assert f"<= {paths.MAX_PATH_BYTES}" in rules
    assert f"<= {paths.MAX_BYTES}" in rules


def test_the_status_has_what_a_report_brings(schema: dict[str, Any]) -> None:
    status = schema["properties"]["status"]["properties"]
    conditions = status["conditions"]
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
    assert {"observedGeneration", "assignment", "bundle", "loadedAt", "lastError"} <= status.keys()
    assert "phase" not in status


def test_the_page_is_of_this_crd() -> None:
    assert crd_page.PAGE.read_text() == crd_page.page(), "run: .venv/bin/python tools/crd_page.py"


def test_the_document_on_the_page_is_a_manifest() -> None:
    block = crd_page.PAGE.read_text().partition("```yaml\n")[2].partition("```")[0]
    assert manifest.parse_manifest(yaml.safe_load(block)).guild == "123456789012345678"


def test_the_example_is_the_script_beside_it() -> None:
    folder = crd_page.ROOT / "examples" / "basic"
    example = manifest.parse_manifest(yaml.safe_load((folder / "guild.yaml").read_text()))
    project = Project.from_folder(folder)
    assert example.spec.source.files == {p: t for p, t in project.files.items() if p.startswith("src/")}
    assert example.spec.source.entrypoint == project.entrypoint


def nodes(node: dict[str, Any], path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every schema in ``node`` with its path."""
    found = [(path, node)]
    for name, child in node.get("properties", {}).items():
        found += nodes(child, f"{path}.{name}")
    for below in ("items", "additionalProperties"):
        if below in node:
            found += nodes(node[below], f"{path}[]")
    return found


def agree(schema: dict[str, Any], struct: type[msgspec.Struct], path: str) -> None:
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    assert schema["properties"].keys() == fields.keys(), path
    required = {name for name, field in fields.items() if field.required}
    assert set(schema.get("required", [])) == required, path
    for name, field in fields.items():
        child, where = schema["properties"][name], f"{path}.{name}"
        kind = without_none(field.type)
        assert child["type"] == type_of(kind), where
        if "default" in child:
            assert msgspec.convert(child["default"], kind) == default_of(field), where
        else:
            assert field.required or default_of(field) is None, where
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            assert child["enum"] == list(kind), where
        (inner,) = [t for t in [kind, *typing.get_args(kind)] if is_struct(t)] or [None]
        if inner is not None:
            agree(child.get("items", child), inner, where)


def without_none(kind: Any) -> Any:
    if isinstance(kind, types.UnionType):
        (kind,) = [part for part in kind.__args__ if part is not types.NoneType]
    return kind


def is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def type_of(kind: Any) -> str:
    if is_struct(kind) or typing.get_origin(kind) is dict:
        return "object"
    if typing.get_origin(kind) is list:
        return "array"
    if kind is bool:
        return "boolean"
    return "integer" if kind is int else "string"


def default_of(field: msgspec.structs.FieldInfo) -> Any:
    made = field.default_factory
    return made() if made is not msgspec.NODEFAULT else field.default
