"""skaffold.yaml names what there is: Dockerfiles, a chart, and values that the chart has."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from cluster.images import COMPONENTS, ROOT

CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "skaffold.yaml").read_text())
RELEASE: dict[str, Any] = CONFIG["deploy"]["helm"]["releases"][0]
VALUES: dict[str, Any] = yaml.safe_load((ROOT / "charts" / "flora" / "values.yaml").read_text())


def test_every_image_is_built_from_its_dockerfile() -> None:
    built = {one["image"]: one["docker"]["dockerfile"] for one in CONFIG["build"]["artifacts"]}
    assert built == {f"flora-{name}": f"{folder}/Dockerfile" for name, folder in COMPONENTS.items()}


def test_the_wheel_is_built_before_each_of_them() -> None:
    hooks = [one["hooks"]["before"] for one in CONFIG["build"]["artifacts"]]
    assert hooks == [[{"command": ["make", "wheel"]}]] * len(COMPONENTS)


@pytest.mark.parametrize("path", [*RELEASE["setValues"], *RELEASE["setValueTemplates"]])
def test_the_chart_has_every_value_that_is_set(path: str) -> None:
    value: Any = VALUES
    for key in path.split("."):
        assert key in value
        value = value[key]


def test_every_image_of_the_chart_is_the_one_that_was_built() -> None:
    for name in COMPONENTS:
        known = f"flora_{name}"
        templates = RELEASE["setValueTemplates"]
        assert templates[f"{name}.image.repository"] == f"{{{{.IMAGE_REPO_{known}}}}}"
        assert templates[f"{name}.image.tag"] == f"{{{{.IMAGE_TAG_{known}}}}}"
