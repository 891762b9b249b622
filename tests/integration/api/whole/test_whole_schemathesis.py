"""Requests that the OpenAPI document allows, and some that it does not, at the whole API.

The same ones each time. No answer is a 500; each has a status, a content type and a body that the document names.
Run with ``-s`` for the summary.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import booleans
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration.api.auth.conftest import GARDEN, MEADOW
from tests.integration.api.whole.whole_api import WholeApi
from tests.waiting import eventually

EXAMPLES: Final = int(os.environ.get("FLORA_SCHEMATHESIS_EXAMPLES", "4"))
"""Of each operation, for each of those who ask."""

SEED: Final = 6
ALONE: Final = {("POST", "/api/auth/logout"), ("GET", "/api/logs/{guild_id}/stream")}
"""One would leave nobody to ask the others; one has no end. Other tests ask them."""

OTHER_PATH: Final = frozenset({"NO_SUCH_ROUTE", "METHOD_NOT_ALLOWED"})
"""What a parameter that is empty, or has a slash, ends in: it makes another path."""

CHECKS: Final = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def document(whole: WholeApi) -> Any:
    return schemathesis.openapi.from_url(f"{whole.url}/api-docs/openapi.json")


schemathesis.serializer.alias("application/x-ndjson", "text/plain")


class Asker:
    """Somebody who asks, and what he was answered."""

    def __init__(self, name: str, token: str, known: dict[str, str]) -> None:
        self.name = name
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.known = known
        """Parameters of paths that name something which is there."""
        self.session = requests.Session()
        self.statuses: Counter[int] = Counter()

    def ask(self, case: Any) -> None:
        """Raises when the answer is none that the document names."""
        response = case.call(headers=self.headers, session=self.session, timeout=60, allow_redirects=False)
        self.statuses[response.status_code] += 1
        assert response.status_code != 500, (case, response.text)
        if response.status_code >= 400:
            body = response.json()
            assert body.keys() == {"message", "code", "details"}, response.text
            if body["code"] in OTHER_PATH:
                return
        case.validate_response(response, checks=CHECKS)


@pytest.fixture(scope="module")
def revision(whole: WholeApi) -> str:
    """One that is live; and something in KV and secrets."""
    files = [{"path": "src/main.ts", "contents": "on('messageCreate', () => {});"}]
    whole.ok("PUT", f"/kv/{GARDEN}/s/k", {"value": "v"})
    whole.ok("PUT", f"/secrets/{GARDEN}/KEY", {"value": "v", "allowed_hosts": []})
    path = f"/deployments/{GARDEN}"
    deployed = whole.ok("POST", path, {"entry": "src/main.ts", "files": files})["revision_id"]
    eventually(lambda: whole.ok("GET", f"{path}/revisions/{deployed}")["status"] == "success")
    return deployed


@pytest.mark.parametrize(
    ("who", "mode"),
    [
        ("ada", GenerationMode.POSITIVE),
        ("ada", GenerationMode.NEGATIVE),
        ("reader", GenerationMode.POSITIVE),
        ("operator", GenerationMode.POSITIVE),
        ("", GenerationMode.POSITIVE),
    ],
    ids=["ada", "ada-wrongly", "reader", "operator", "nobody"],
)
def test_every_answer_is_one_that_the_document_names(
    whole: WholeApi, document: Any, revision: str, who: str, mode: GenerationMode
) -> None:
    known = {"store": "s", "key": "k", "name": "KEY", "revision_id": revision}
    asker = Asker(who or "nobody", whole.tokens.get(who, ""), known)
    wrong: list[str] = []
    operations = [result.ok() for result in document.get_all_operations()]
    for operation in operations:
        if (operation.method.upper(), operation.path) not in ALONE:
            try:
                _try_out(operation, mode, asker)
            except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001  all of them are worth knowing
                wrong.append(f"{operation.method.upper()} {operation.path}: {error}")
    asked = f"{asker.name}, {mode.value}: {asker.statuses.total()} requests to {len(operations)} operations"
    print(f"\nschemathesis: {asked}: {dict(sorted(asker.statuses.items()))}")  # noqa: T201  the summary
    assert len(operations) > 40
    assert not wrong, "\n\n".join(wrong)


def _try_out(operation: Any, mode: GenerationMode, asker: Asker) -> None:
    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), known=booleans())
    def requests_of_it(case: Any, known: bool) -> None:
        if mode is GenerationMode.POSITIVE:
            _at_home(case, asker.known if known else {})
        asker.ask(case)

    requests_of_it()


def _at_home(case: Any, known: dict[str, str]) -> None:
    """Most guilds that are made up nobody may see; and nothing is waited for.

    With ``known`` the path names something that is there, and whatever only another answer has is left out.
    """
    guild = MEADOW if case.method == "DELETE" else GARDEN
    parameters = case.path_parameters
    if isinstance(parameters, dict):
        if "guild_id" in parameters:
            parameters["guild_id"] = guild
        parameters.update({name: value for name, value in known.items() if name in parameters})
    if isinstance(case.query, dict):
        case.query.pop("wait", None)
        for name in ("cursor", "from", "to", "after") if known else ():
            case.query.pop(name, None)
        if known and "guild_id" in case.query:
            case.query["guild_id"] = guild
    if known and isinstance(case.body, dict) and "guild_id" in case.body:
        case.body["guild_id"] = guild
    if known and case.headers:
        case.headers.pop("X-Flora-Deploy-Source", None)
