"""docs/api.md and the OpenAPI document name the same routes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.integration.api.whole.whole_api import WholeApi

PAGE: Final = Path(__file__).parents[4] / "docs" / "api.md"
_ROUTE: Final = re.compile(r"`(GET|POST|PUT|DELETE) (/api/[^`? ]*)")
_MORE: Final = re.compile(r"`…(/[^`? ]*)`")


@pytest.fixture(scope="module")
def document(whole: WholeApi) -> dict[str, Any]:
    return httpx.get(f"{whole.url}/api-docs/openapi.json", trust_env=False).json()


def plain(path: str) -> str:
    """Parameters have shorter names on the page."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def documented() -> set[tuple[str, str]]:
    """Method and path of all routes of the tables."""
    found: set[tuple[str, str]] = set()
    for line in PAGE.read_text().splitlines():
        if not line.startswith("| `"):
            continue
        first = line.split(" | ")[0]
        routes = _ROUTE.findall(first)
        found |= {(method, plain(path)) for method, path in routes}
        for more in _MORE.findall(first):  # `POST /a/b/{id}`, `…/b`
            method, path = routes[0]
            begin = path.index(more.rsplit("/", 1)[0] + "/" if more.count("/") > 1 else more)
            found.add((method, plain(path[:begin] + more)))
    return found


def test_the_page_and_the_document_have_the_same_routes(document: dict[str, Any]) -> None:
    served = {(method.upper(), plain(path)) for path, item in document["paths"].items() for method in item}
    assert documented() - served == set(), "on the page, but not served"
    assert served - documented() == set(), "served, but not on the page"


def test_every_operation_says_what_it_may_answer(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            said = set(operation["responses"])
            where = (method, path)
            assert operation.get("summary"), where
            assert {"429", "503", "504"} <= said, where
            assert "422" not in said, where
            if "{guild_id}" in path:
                assert {"400", "401", "403", "404"} <= said, where
            if "requestBody" in operation:
                assert {"400", "413"} <= said, where
            for status, response in operation["responses"].items():
                if status >= "400":
                    (content,) = response["content"].items()
                    assert content == (
                        "application/json",
                        {"schema": {"$ref": "#/components/schemas/ErrorBody"}},
                    ), where


def test_what_is_documented_of_a_request_is_what_it_takes(document: dict[str, Any]) -> None:
    """Query parameters and their defaults."""
    text = PAGE.read_text()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "query":
                    assert parameter["name"] in text, (method, path, parameter["name"])
