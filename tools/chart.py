"""What of charts/flora is made from the code: ``python -m tools.chart``.

The settings classes say which variables a component's ``config`` may have, of which type and in which range.
They become definitions of ``values.schema.json`` and, with the comments of ``values.yaml``, the README.
The CRD is copied, because a chart cannot reach outside of itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml
from pydantic import SecretStr

from flora_api.settings import ApiSettings
from flora_core.settings import Settings
from flora_core.token_review import IdentitySettings
from flora_gateway.rest.settings import RestSettings
from flora_gateway.settings import DiscordSettings, GatewaySettings
from flora_operator.settings import OperatorSettings
from flora_runtime.supervisor.settings import RuntimeSettings
from flora_simulator.settings import SimulatorSettings

ROOT: Final = Path(__file__).parents[1]
CHART: Final = ROOT / "charts" / "flora"
SCHEMA: Final = CHART / "values.schema.json"
VALUES: Final = CHART / "values.yaml"
README: Final = CHART / "README.md"
CRD: Final = "guilddeployments.flora.uwu.network.yaml"

SETTINGS: Final[dict[str, list[type[Settings]]]] = {
    "gateway": [GatewaySettings, DiscordSettings, RestSettings, IdentitySettings],
    "operator": [OperatorSettings, IdentitySettings],
    "runtime": [RuntimeSettings],
    "api": [ApiSettings, IdentitySettings],
    "simulator": [SimulatorSettings],
}
OWN: Final = frozenset(
    f"{prefix}_{name}"
    for prefix, names in {
        "GATEWAY": "HOST PORT CONTROL_URL TOKEN TOKEN_FILE ACCEPT_TOKENS REDIS_URL STATE_DIR",
        "DISCORD": "TOKEN",
        "OPERATOR": "HOST PORT NAMESPACE STATEFULSET WATCH_NAMESPACES DATABASE_URL STARTER_CONFIG_MAP"
        " ACCEPT_TOKENS",
        "RUNTIME": "HOST PORT POD_NAME GATEWAY_URL CONTROL_URL TOKEN TOKEN_FILE ACCEPT_TOKENS DATA_DIR"
        " RETIRE_SECS API_URL",
        "API": "HOST PORT INTERNAL_PORT PUBLIC_URL DATABASE_URL REDIS_URL CONTROL_URL GATEWAY_URL RUNTIME_URL"
        " TOKEN TOKEN_FILE ACCEPT_TOKENS NAMESPACE SECRET_KEYS OPERATOR_SECRET DISCORD_URL DISCORD_CLIENT_ID"
        " DISCORD_CLIENT_SECRET",
        "FLORA": "SERVICE_ACCOUNTS TOKEN_AUDIENCE",
        "SIMULATOR": "HOST PORT CONTROL TOKEN WORLD CLIENT_SECRET",
    }.items()
    for name in names.split()
)
"""What the chart sets by itself, or keeps in Secrets."""


class Variable(NamedTuple):
    """One setting by its environment name."""

    name: str
    schema: dict[str, Any]
    default: Any
    description: str


def variables(component: str) -> Iterator[Variable]:
    """Every variable that a component knows."""
    for settings in SETTINGS[component]:
        prefix = settings.model_config.get("env_prefix", "")
        properties = settings.model_json_schema()["properties"]
        for name, field in settings.model_fields.items():
            if field.annotation is SecretStr:
                schema: dict[str, Any] = {"type": "string"}
            else:
                schema = _plain(properties[name])
            text = " ".join((field.description or "").split())
            yield Variable(f"{prefix}{name}".upper(), schema, field.get_default(), text)


def config_schema(component: str) -> dict[str, Any]:
    """What ``<component>.config`` may be."""
    properties = {one.name: one.schema for one in variables(component) if one.name not in OWN}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def schema_text() -> str:
    """values.schema.json, with the definitions of today's settings."""
    document = json.loads(SCHEMA.read_text())
    for component in SETTINGS:
        document["$defs"][f"{component}Config"] = config_schema(component)
    return json.dumps(document, indent=2) + "\n"


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Of a value as the environment has it: what is not a number or a switch is text."""
    if "anyOf" in schema:
        (schema,) = [one for one in schema["anyOf"] if one.get("type") != "null"]
    kept = {key: schema[key] for key in ("minimum", "maximum", "exclusiveMinimum") if key in schema}
    if schema.get("type") == "number":  # helm --set makes text of 0.5
        return {"type": ["number", "string"], "pattern": r"^[0-9]+(\.[0-9]+)?$", **kept}
    if schema.get("type") in ("integer", "boolean"):
        return {"type": schema["type"], **kept}
    if "enum" in schema:
        return {"enum": schema["enum"]}
    return {"type": "string"}


class Value(NamedTuple):
    """One entry of values.yaml."""

    path: str
    default: Any
    description: str


def values() -> list[Value]:
    """Every value with a comment, in the order of the file."""
    document = yaml.safe_load(VALUES.read_text())
    found: list[Value] = []
    path: list[tuple[int, str]] = []
    comment: list[str] = []
    for line in VALUES.read_text().splitlines():
        if match := re.match(r" *# (?P<begins>-- )?(?P<text>.*)", line):
            comment = [match["text"]] if match["begins"] else [*comment, match["text"]]
        elif match := re.match(r"(?P<indent> *)(?P<key>[A-Za-z0-9]+):", line):
            depth = len(match["indent"])
            path = [(at, key) for at, key in path if at < depth] + [(depth, match["key"])]
            if comment:
                names = [key for _, key in path]
                found.append(Value(".".join(names), _at(document, names), " ".join(comment)))
            comment = []
        else:
            comment = []
    return found


def _at(document: Any, names: list[str]) -> Any:
    for name in names:
        document = document[name]
    return document


def readme_text() -> str:
    """The chart's README: everything above the marker is written by hand."""
    head, marker, _ = README.read_text().partition("<!-- Below: made by `python -m tools.chart`. -->\n")
    parts = [head, marker, "\n## Values\n\n| value | default | |\n|---|---|---|\n"]
    parts += [f"| `{one.path}` | {_shown(one.default)} | {_cell(one.description)} |\n" for one in values()]
    for component in SETTINGS:
        parts.append(f"\n## {component}.config\n\n| variable | default | |\n|---|---|---|\n")
        parts += [
            f"| `{one.name}` | {_shown(one.default)} | {_cell(one.description)} |\n"
            for one in variables(component)
            if one.name not in OWN
        ]
    return "".join(parts)


def _shown(default: Any) -> str:
    if default is None or default in ("", [], {}) or "Undefined" in type(default).__name__:
        return ""
    if isinstance(default, dict | list):
        text = json.dumps(default)
        return f"`{text}`" if len(text) <= 60 else "see values.yaml"
    if isinstance(default, frozenset):
        return f"`{json.dumps(sorted(default))}`"
    return f"`{json.dumps(default) if isinstance(default, bool) else default}`"


def _cell(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")


def crd_text() -> str:
    """The CRD as it is in crds/."""
    return (ROOT / "crds" / CRD).read_text()


MADE: Final = {SCHEMA: schema_text, README: readme_text, CHART / "files" / "crds" / CRD: crd_text}


def main() -> None:
    """Write all of it."""
    for path, text in MADE.items():
        path.write_text(text())


if __name__ == "__main__":
    main()
