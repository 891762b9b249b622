"""charts/flora beside the code: what is made is up to date, what is written by hand is whole."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY
from tools import chart

ROOT = Path(__file__).parents[3]
MONITORING = (ROOT / "docs" / "monitoring.md").read_text()
TEMPLATES = sorted((chart.CHART / "templates").rglob("*.*"))
DOCUMENT: dict[str, Any] = yaml.safe_load(chart.VALUES.read_text())
SCHEMA: dict[str, Any] = json.loads(chart.SCHEMA.read_text())


@pytest.mark.parametrize("path", chart.MADE, ids=lambda path: path.name)
def test_what_is_made_is_up_to_date(path: Path) -> None:
    assert path.read_text() == chart.MADE[path](), "run: python -m tools.chart"


def test_chart_and_wheel_have_the_same_version() -> None:
    """Images are tagged with it."""
    about = yaml.safe_load((chart.CHART / "Chart.yaml").read_text())
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    assert about["version"] == about["appVersion"] == version[1]


# ---------------------------------------------------------------- values


def leaves(node: Any, path: str = "") -> Iterator[str]:
    """Paths of everything that is no section."""
    if isinstance(node, dict) and node:
        for name, child in node.items():
            yield from leaves(child, f"{path}.{name}".removeprefix("."))
    else:
        yield path


def test_every_value_is_described() -> None:
    described = [value.path for value in chart.values()]
    assert len(described) == len(set(described)) > 100
    bare = [
        leaf
        for leaf in leaves(DOCUMENT)
        if not any(leaf == path or leaf.startswith(f"{path}.") for path in described)
    ]
    assert bare == []


@pytest.mark.parametrize("value", chart.values(), ids=lambda value: value.path)
def test_a_description_is_a_sentence(value: chart.Value) -> None:
    assert value.description[0].isupper() or value.description[0] == "`"
    assert value.description.endswith((".", ")"))


def properties(node: dict[str, Any], path: str = "") -> Iterator[str]:
    """Paths of the schema's leaves."""
    if "properties" not in node or "$ref" in node:
        yield path
        return
    for name, child in node["properties"].items():
        yield from properties(child, f"{path}.{name}".removeprefix("."))


def test_the_schema_has_every_value_and_no_other() -> None:
    known = set(properties(SCHEMA)) - {"global"}
    values = set(leaves(DOCUMENT))
    assert {leaf for leaf in values if not any(leaf == p or leaf.startswith(f"{p}.") for p in known)} == set()
    assert {p for p in known if not any(leaf == p or leaf.startswith(f"{p}.") for leaf in values)} == set()


def sections(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "properties" in node and node.get("type") == "object":
            yield node
        for child in node.values():
            yield from sections(child)


def test_no_section_takes_what_it_does_not_know() -> None:
    assert [section for section in sections(SCHEMA) if section.get("additionalProperties") is not False] == []


def test_every_value_is_used() -> None:
    text = "".join(path.read_text() for path in TEMPLATES)
    unused = [
        value.path
        for value in chart.values()
        if not re.search(rf"\.{value.path.rpartition('.')[2]}\b", text) and value.path != "api.enabled"
    ]
    assert unused == []


def test_values_that_templates_use_are_there() -> None:
    for path in TEMPLATES:
        for name in re.findall(r"\.Values((?:\.[a-zA-Z0-9]+)+)", path.read_text()):
            node: Any = DOCUMENT
            for part in name.strip(".").split("."):
                if part.isupper() or not isinstance(node, dict) or not node:
                    break
                assert part in node, f"{path.name}: .Values{name}"
                node = node[part]


def test_no_secret_may_be_given_as_config() -> None:
    for component in chart.SETTINGS:
        names = chart.config_schema(component)["properties"]
        assert [name for name in names if re.search("TOKEN|SECRET|PASSWORD|DATABASE|REDIS", name)] == []


PAGES = [ROOT / "docs" / "cluster.md", ROOT / "docs" / "monitoring.md", chart.README]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_values_that_pages_set_are_values(page: Path) -> None:
    """In commands, and by name in the text."""
    text = page.read_text().partition("<!-- Below")[0]
    named = set(re.findall(r"--set(?:-file)? ([\w.]+)=", text))
    sections = "|".join(DOCUMENT)
    named |= set(re.findall(rf"`((?:{sections})\.[\w.]+)[`=]", text)) | set(
        re.findall(r"`(watchNamespaces)`", text)
    )
    assert named
    for name in named:
        node: Any = DOCUMENT
        *path, last = name.split(".")
        for part in path:
            node = node[part]
        assert last in node or last in chart.config_schema(path[0])["properties"], name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_pages_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        assert link.startswith("http") or (page.parent / link).exists(), link


# ---------------------------------------------------------------- metrics


def known_metrics() -> dict[str, set[str]]:
    """Names as Prometheus has them, with their labels; from the modules that make them."""
    for path in ROOT.glob("*/flora_*/**/*.py"):
        if "from prometheus_client import" in path.read_text():
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts[1:]))
    found: dict[str, set[str]] = {}
    for name, collector in REGISTRY._names_to_collectors.items():
        if name.startswith("flora_"):
            found[name] = set(getattr(collector, "_labelnames", ()))
    for path in ROOT.glob("*/flora_*/**/metrics.py"):  # those that are counted when Prometheus asks
        families = r'MetricFamily\(\s*"(\w+)",\s*"[^"]*",\s*labels=\[([^\]]*)\]'
        for name, labels in re.findall(families, path.read_text()):
            found[name] = set(re.findall(r'"(\w+)"', labels))
    return found


METRICS = known_metrics()
TARGET = {"namespace", "pod", "job", "instance", "le"}
"""Labels that Prometheus adds by itself."""

ALERTS: list[dict[str, Any]] = yaml.safe_load((chart.CHART / "files" / "alerts.yaml").read_text())
DASHBOARD: dict[str, Any] = json.loads((chart.CHART / "files" / "dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = {
    **{alert["alert"]: [alert["expr"]] for alert in ALERTS},
    **{panel["title"]: [target["expr"] for target in panel["targets"]] for panel in PANELS},
}


def labels_of(expression: str) -> set[str]:
    """Labels that an expression selects or groups by."""
    selected = re.findall(r"[{,](\w+)(?:=~|!~|!=|=)", expression.replace(" ", ""))
    grouped = re.findall(r"(?:by|without|on|ignoring) \(([^)]*)\)", expression)
    return set(selected) | {label.strip() for labels in grouped for label in labels.split(",")}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_every_metric_and_label_exists(name: str) -> None:
    for expression in EXPRESSIONS[name]:
        used = re.findall(r"\bflora_\w+", expression)
        assert used, expression
        assert [metric for metric in used if metric not in METRICS] == []
        known = TARGET.union(*(METRICS[metric] for metric in used))
        assert labels_of(expression) - known == set()


def test_metrics_are_looked_for_where_they_are() -> None:
    assert METRICS["flora_gateway_events_dropped_total"] == {"type", "reason"}
    assert METRICS["flora_gateway_rest_seconds_bucket"] == {"route"}
    assert len(METRICS) > 100


def test_the_autoscaler_s_query_is_of_a_metric() -> None:
    text = (chart.CHART / "templates" / "runtime" / "autoscaling.yaml").read_text()
    assert set(re.findall(r"\bflora_\w+", text)) <= METRICS.keys()


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_says_how_bad_what_and_what_to_do(alert: dict[str, Any]) -> None:
    assert re.fullmatch(r"Flora[A-Za-z]+", alert["alert"])
    assert alert["labels"]["severity"] in ("critical", "warning", "info")
    assert {"summary", "description"} == alert["annotations"].keys()
    assert f"### {alert['alert']}\n" in MONITORING
    texts = " ".join(alert["annotations"].values())
    known = TARGET.union(*(METRICS[m] for m in re.findall(r"\bflora_\w+", alert["expr"])))
    assert set(re.findall(r"\$labels\.(\w+)", texts)) <= labels_of(alert["expr"]) & known


def test_alerts_that_are_told_of_are_there() -> None:
    assert re.findall(r"^### (Flora\w+)$", MONITORING, re.MULTILINE) == [alert["alert"] for alert in ALERTS]


def test_panels_are_apart_and_explained() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in PANELS]
    assert len(set(places)) == len(places)
    for panel in PANELS:
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        for target in panel["targets"]:
            assert target["legendFormat"], panel["title"]
            assert 'namespace=~"$namespace"' in target["expr"], panel["title"]
