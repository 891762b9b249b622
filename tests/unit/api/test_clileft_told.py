"""What a guild's log says of deploys."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_api.deployments.revisions import Revision, Source
from flora_api.deployments.told import ended, failed, undeployed
from flora_api.deployments.verdict import Live, Lost
from flora_api.event_stream import encode, one_line
from flora_api.principal import SYSTEM, ActorType, Principal
from flora_core.ids import GuildId
from flora_core.wire.control import Outcome

GUILD = GuildId("7")
ID = UUID("5b1f0c7e-0000-4000-8000-000000000001")
ANN = Principal(ActorType.SESSION, "42", "ann")


def revision(**more: Any) -> Revision:
    fields: dict[str, Any] = {
        "id": ID, "guild": GUILD, "status": "success", "entry": "main.ts", "source": Source.CLI, "message": "",
        "actor": ANN, "digest": "", "has_files": True, "bundle": None, "inline": True, "client_bundle": False,
        "forced": False, "observed": False, "base": None, "changes": None, "error_code": "", "error": "",
        "error_stack": "", "uid": None, "generation": None, "pod": "", "created": datetime.now(UTC),
        "finished": None,
    }  # fmt: skip
    return Revision(**{**fields, **more})


def test_a_deploy_that_is_live_names_who_what_and_where() -> None:
    line = ended(revision(message="greets newcomers"), Live("flora-runtime-0", "ab"))
    assert (line.guild, line.level, line.source, line.outcome, line.event) == (GUILD, "info", "runtime", Outcome.OK, "deploy")  # fmt: skip
    assert line.text == f"revision {ID} by ann is live on flora-runtime-0 after 0.0 s: greets newcomers"


def test_what_a_live_script_lacks_is_a_warning() -> None:
    line = ended(revision(), Live("p", "", "there is no Secret keys"))
    assert line.level == "warn"
    assert line.text.endswith("(there is no Secret keys)")


def test_a_change_in_the_cluster_has_no_time_that_it_took() -> None:
    found = revision(observed=True, actor=Principal(ActorType.SYSTEM, "", "argocd"))
    assert ended(found, Live("", "")).text == f"revision {ID} by argocd is live"


@pytest.mark.parametrize(
    ("code", "outcome"), [("LOAD_FAILED", Outcome.EXCEPTION), ("SUPERSEDED", Outcome.CANCELED)]
)
def test_a_deploy_that_failed_says_why_and_where(code: str, outcome: Outcome) -> None:
    line = ended(revision(), Lost(code, "Error: no", "at main (src/main.ts:2:7)"))
    assert line == failed(GUILD, ID, ANN, Lost(code, "Error: no", "at main (src/main.ts:2:7)"))
    assert (line.level, line.outcome, line.stack) == ("error", outcome, "at main (src/main.ts:2:7)")
    assert line.text == f"revision {ID} by ann is not live ({code}): Error: no"


@pytest.mark.parametrize(
    ("who", "name"), [(ANN, "ann"), (Principal(ActorType.TOKEN, "42"), "42"), (SYSTEM, "system")]
)
def test_people_are_named_as_well_as_they_are_known(who: Principal, name: str) -> None:
    assert undeployed(GUILD, who).text == f"undeployed by {name}"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_of_any_text_is_one_line_to_every_reader(text: str) -> None:
    written = one_line({"text": text})
    assert len(written.decode().splitlines()) == 1
    assert msgspec.json.decode(written) == {"text": text}


def test_separators_of_lines_are_escaped() -> None:
    event = encode("log", {"line": "a\u2028b\u2029c\x85d\re\nf"})
    assert event == rb"event: log" + b"\n" + rb'data: {"line":"a\u2028b\u2029c\u0085d\re\nf"}' + b"\n\n"
