"""The OpenAPI document against the application: whatever it allows is answered, and never with 500."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings

from flora_api.edge.limits import Rate
from tests.integration.api.auth.conftest import OPERATOR, Browser, MakeApi, bearer, browsing

EXAMPLES = 8


class Unlimited:
    async def take(self, rate: Rate, who: str) -> float:
        return 0.0

    async def look(self, rate: Rate, who: str) -> float:
        return 0.0


async def test_every_operation_says_what_it_answers(browser: Browser) -> None:
    document = (await browser.get("/api-docs/openapi.json")).json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (method, path)
            if path != "/api/health":
                assert {"429", "503", "504"} <= set(operation["responses"]), (method, path)
            assert "422" not in operation["responses"]
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    schema = response["content"]["application/json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/ErrorBody"}


@pytest.mark.parametrize("who", ["nobody", "session", "token", "operator"])
async def test_no_request_that_the_document_allows_breaks_anything(
    make_api: MakeApi, people: Any, who: str
) -> None:
    api = await make_api(limits=Unlimited())
    async with browsing(api, people) as browser:
        await browser.log_in("ada")
        headers: dict[str, str] = {}
        if who == "session":
            headers = {"Cookie": f"flora_session={browser.cookie()}", "X-Flora-CSRF": browser.csrf}
        elif who == "token":
            headers = bearer(await browser.new_token())
        elif who == "operator":
            headers = bearer(OPERATOR)
        document = (await browser.get("/api-docs/openapi.json")).json()
    cases = await asyncio.to_thread(_examples, document)
    assert len(cases) > 20
    async with httpx.AsyncClient(transport=api.transport(), base_url=api.origin) as program:
        for method, path, asked in cases:
            if who == "session" and path == "/api/auth/logout":
                continue  # the rest would be asked by nobody
            if who == "token" and path == "/api/auth/logout":
                continue
            answer = await program.request(method, path, **_with(asked, headers))
            assert answer.status_code < 500 or answer.status_code == 503, (method, path, asked, answer.text)
            if answer.status_code >= 400:
                assert set(answer.json()) == {"message", "code", "details"}
                said = document["paths"][asked["template"]][method.lower()]["responses"]
                known = str(answer.status_code) in said
                # A parameter that is empty, or has a slash, makes another path.
                other_path = answer.json()["code"] in {"NO_SUCH_ROUTE", "METHOD_NOT_ALLOWED"}
                assert known or other_path, (method, path, answer.status_code)


def _examples(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """A few requests for each operation, always the same."""
    schema = schemathesis.openapi.from_dict(document)
    cases: list[tuple[str, str, dict[str, Any]]] = []
    for result in schema.get_all_operations():
        operation = result.ok()

        @seed(1)
        @settings(
            max_examples=EXAMPLES,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def collect(case: Any) -> None:
            sent = case.as_transport_kwargs(base_url="http://flora.test")
            path = sent["url"].removeprefix("http://flora.test")
            asked = {
                "template": case.operation.path,
                "params": sent.get("params"),
                "json": sent.get("json"),
                "headers": sent.get("headers"),
            }
            cases.append((sent["method"], path, asked))

        collect()
    return cases


def _with(asked: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
    return {"params": asked["params"], "json": asked["json"], "headers": headers}
