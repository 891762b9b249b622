"""docs/crd.md, made from the descriptions of the CRD: ``python tools/crd_page.py``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
CRD = ROOT / "crds" / "guilddeployments.flora.uwu.network.yaml"
PAGE = ROOT / "docs" / "crd.md"

HEAD = """# GuildDeployment

<!-- Made by tools/crd_page.py from crds/{crd}; do not edit. -->

{description}

```yaml
apiVersion: flora.uwu.network/v1alpha1
kind: GuildDeployment
metadata:
  name: guild-123456789012345678
spec:
  guildId: "123456789012345678"
  source:
    files:
      src/main.ts: |
        on("messageCreate", async (ctx) => {{
          if (ctx.msg.content === "!ping") await ctx.reply("pong");
        }});
  secrets:
    - name: API_KEY
      secretKeyRef: {{name: my-secret, key: token}}
      allowedHosts: [api.example.com]
  limits: {{cpuMilliseconds: 200, memoryMebibytes: 64}}
```

`kubectl apply --server-side -f guild.yaml`, then `kubectl wait --for=condition=Ready gd/guild-…`.
`kubectl get gd` shows {columns}; `kubectl explain gd.spec.source` says what is below.
[examples/basic/guild.yaml](../examples/basic/guild.yaml) is a whole one.
"""

TAIL = """
`kubectl` refuses unknown fields, and so does server-side apply with `fieldValidation=Strict`. Two things are
found later, when the sources are bundled (`Bundled=False`): paths that differ only in case, and sources whose
1 MiB of characters are more than 1 MiB of UTF-8.
"""


def page() -> str:
    """The whole page."""
    crd = yaml.safe_load(CRD.read_text())
    (version,) = crd["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    columns = ", ".join(column["name"] for column in version["additionalPrinterColumns"])
    parts = [HEAD.format(crd=CRD.name, description=schema["description"], columns=columns)]
    for name in ("spec", "status"):
        part = schema["properties"][name]
        parts.append(f"## {name}\n\n{part['description']}\n\n{_table(part)}")
    parts.append(f"## What is refused, and what it is told\n\n{_rules(schema)}{TAIL}")
    return "\n".join(parts)


def _table(schema: dict[str, Any]) -> str:
    lines = ["| field | type | default | bounds | what it is |", "|---|---|---|---|---|"]
    for path, node, required in _fields(schema):
        default = "required" if required else _default(node)
        lines.append(
            f"| `{path}` | {_type(node)} | {default} | {_bounds(node)} | {_cell(node['description'])} |"
        )
    return "\n".join(lines) + "\n"


def _fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any], bool]]:
    for name, node in schema.get("properties", {}).items():
        yield f"{path}{name}", node, name in schema.get("required", [])
        yield from _fields(node, f"{path}{name}.")
        yield from _fields(node.get("items", {}), f"{path}{name}[].")


def _type(node: dict[str, Any]) -> str:
    if node["type"] == "array":
        return f"list of {node['items']['type']}"
    if "additionalProperties" in node:
        return f"map to {node['additionalProperties']['type']}"
    return node.get("format", node["type"]) if node["type"] == "string" else node["type"]


def _default(node: dict[str, Any]) -> str:
    value = node.get("default")
    return f"`{json.dumps(value).strip(chr(34))}`" if value not in (None, {}, []) else ""


def _bounds(node: dict[str, Any]) -> str:
    if "enum" in node:
        return ", ".join(f"`{choice}`" for choice in node["enum"])
    if "maximum" in node:
        return f"{node['minimum']:,} to {node['maximum']:,}"
    most = [f"{node[name]:,} {unit}" for name, unit in UNITS.items() if name in node]
    return f"at most {most[0]}" if most else ""


UNITS = {"maxLength": "characters", "maxItems": "entries", "maxProperties": "entries"}


def _rules(schema: dict[str, Any]) -> str:
    lines = ["| field | message |", "|---|---|"]
    for path, rule in _each_rule(schema):
        field = f"`{path}`" if path else "the document"
        lines.append(f"| {field} | {_cell(rule['message'])} |")
    return "\n".join(lines) + "\n"


def _each_rule(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for rule in schema.get("x-kubernetes-validations", []):
        yield path, rule
    for name, node in schema.get("properties", {}).items():
        yield from _each_rule(node, f"{path}.{name}".lstrip("."))
    if "items" in schema:
        yield from _each_rule(schema["items"], f"{path}[]")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


if __name__ == "__main__":
    PAGE.write_text(page())
