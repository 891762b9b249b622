"""What became of a revision, and what an object says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_api.deployments.observed import REMEMBERED, Observed
from flora_api.deployments.revisions import (
    Changes,
    Revision,
    Source,
    changes_between,
    pack,
    source_digest,
    unpack,
)
from flora_api.deployments.store import (
    Complete,
    Condition,
    Deployment,
    Gone,
    ObjectStatus,
    Put,
    ScriptError,
    from_document,
    manifest,
)
from flora_api.deployments.verdict import GIVEN_UP, Live, Lost, Waiting, judge, overdue
from flora_api.principal import SYSTEM
from flora_core.ids import GuildId
from flora_core.manifest import parse_manifest

GUILD = GuildId("123456789012345678")
DIGEST = "ab" * 32


def revision(**more: Any) -> Revision:
    given = {
        "id": uuid4(), "guild": GUILD, "status": "pending", "entry": "a.ts", "source": Source.CLI, "message": "",
        "actor": SYSTEM, "digest": DIGEST, "has_files": True, "bundle": None, "inline": True, "client_bundle": False,
        "forced": False, "observed": False, "base": None, "changes": None, "error_code": "", "error": "",
        "error_stack": "", "uid": "u1", "generation": 2, "pod": "", "created": datetime(2026, 1, 2, tzinfo=UTC),
        "finished": None,
    }  # fmt: skip
    return Revision(**{**given, **more})


def found(*conditions: tuple[str, str, str], observed: int = 2, **more: Any) -> Deployment:
    given = {
        "guild": GUILD, "uid": "u1", "generation": 2, "entry": "a.ts", "digest": DIGEST, "bundle": None, "inline": True,
        "revision": "", "starter": False, "manager": "", "created": "", "leaving": False,
    }  # fmt: skip
    status = ObjectStatus(
        conditions=tuple(
            Condition(kind, truth, reason, f"it is {reason}", "", observed)
            for kind, truth, reason in conditions
        ),
        last_error=ScriptError("Error: no", "at main (a.ts:1:1)", ""),
    )
    return Deployment(**{"status": status, **given, **more})


BUNDLED = ("Bundled", "True", "Bundled")
ASSIGNED = ("Assigned", "True", "Assigned")


def test_it_goes_from_step_to_step() -> None:
    steps = [
        judge(revision(generation=None, uid=None), None, gone=False),
        judge(revision(), None, gone=False),
        judge(revision(), found(), gone=False),
        judge(revision(), found(("Bundled", "Unknown", "BundlerUnavailable")), gone=False),
        judge(revision(), found(BUNDLED, ("Assigned", "False", "NoPods")), gone=False),
        judge(revision(), found(BUNDLED, ASSIGNED, ("Ready", "False", "Loading")), gone=False),
    ]
    assert [step.step for step in steps if isinstance(step, Waiting)] == [
        "queued", "queued", "queued", "bundling", "bundling", "loading",
    ]  # fmt: skip
    assert isinstance(judge(revision(), found(("Ready", "True", "Loaded")), gone=False), Live)


def test_what_is_said_of_an_older_generation_does_not_count() -> None:
    old = found(BUNDLED, ASSIGNED, ("Ready", "True", "Loaded"), observed=1)
    assert judge(revision(), old, gone=False) == Waiting("queued", "the operator has not seen it yet")
    assert not old.ready


@pytest.mark.parametrize("reason", GIVEN_UP)
def test_reasons_that_waiting_does_not_change_end_it(reason: str) -> None:
    verdict = judge(revision(), found(("Ready", "False", reason)), gone=False)
    assert isinstance(verdict, Lost)
    assert verdict.code == GIVEN_UP[reason]
    assert bool(verdict.stack) == (reason in {"LoadFailed", "Quarantined"})


@given(reason=st.sampled_from(["Loading", "NoPods", "BundlerUnavailable", "SomethingNew"]))
def test_other_reasons_are_waited_for(reason: str) -> None:
    assert isinstance(
        judge(revision(), found(BUNDLED, ASSIGNED, ("Ready", "False", reason)), gone=False), Waiting
    )


def test_a_missing_secret_is_told_with_the_live_script() -> None:
    verdict = judge(revision(), found(BUNDLED, ASSIGNED, ("Ready", "False", "SecretMissing")), gone=False)
    assert isinstance(verdict, Live)
    assert verdict.message == "it is SecretMissing"


def test_an_object_that_others_changed_or_deleted_ends_it() -> None:
    other = judge(revision(), found(("Ready", "True", "Loaded"), digest="cd" * 32), gone=False)
    assert isinstance(other, Lost)
    assert other.code == "SUPERSEDED"
    for verdict in (judge(revision(), None, gone=True), judge(revision(), found(leaving=True), gone=False)):
        assert isinstance(verdict, Lost)
        assert verdict.code == "UNDEPLOYED"


def test_an_object_that_is_not_the_one_that_was_applied_is_not_judged() -> None:
    assert isinstance(judge(revision(), found(("Ready", "True", "Loaded"), uid="u2"), gone=False), Waiting)
    assert isinstance(judge(revision(generation=3), found(("Ready", "True", "Loaded")), gone=False), Waiting)


def test_an_overdue_revision_says_where_it_stood() -> None:
    verdict = overdue(revision(), Waiting("loading", "flora-runtime-0 loads it"), seconds=120)
    assert verdict.code == "DEPLOY_TIMEOUT"
    assert "after 120 s (loading: flora-runtime-0 loads it)" in verdict.message


def test_a_revision_counts_milliseconds() -> None:
    begun = revision()
    assert begun.milliseconds == 0
    assert revision(finished=begun.created + timedelta(seconds=1.5)).milliseconds == 1500


# ---------------------------------------------------------------- sources


@given(files=st.dictionaries(st.text(max_size=20), st.text(max_size=200), max_size=5))
def test_files_are_stored_whole(files: dict[str, str]) -> None:
    assert unpack(pack(files)) == files
    assert unpack(pack(None)) is None


def test_the_digest_knows_no_order() -> None:
    one = {"entrypoint": "a.ts", "files": {"a.ts": "1", "b.ts": "2"}}
    other = {"files": {"b.ts": "2", "a.ts": "1"}, "entrypoint": "a.ts"}
    assert source_digest(one) == source_digest(other) != source_digest({**one, "entrypoint": "b.ts"})


def test_changes_are_named() -> None:
    changes = changes_between({"a": "1", "b": "1", "c": "1"}, {"b": "2", "c": "1", "d": "1"})
    assert changes == Changes(["d"], ["a"], ["b"])
    assert changes_between(None, None) is None
    assert changes_between(None, {"a": "1"}) == Changes(["a"])


def test_what_is_applied_is_a_valid_document() -> None:
    source = {"entrypoint": "a.ts", "files": {"a.ts": "1"}}
    document = manifest(GUILD, source, revision="r1", namespace="flora")
    assert parse_manifest(document).guild == GUILD


@pytest.mark.parametrize(
    "status", [None, {"conditions": "none"}, {"conditions": [{"type": "Ready"}]}, {"revision": "x"}]
)
def test_a_status_that_cannot_be_read_counts_as_none(status: object) -> None:
    document = {
        "metadata": {"name": f"guild-{GUILD}", "uid": "u"},
        "spec": {"guildId": GUILD},
        "status": status,
    }
    deployment, files = from_document(document)
    assert (deployment.guild, deployment.ready, files) == (GUILD, False, None)


# ---------------------------------------------------------------- what was observed


def test_a_list_ends_what_is_not_in_it() -> None:
    observed = Observed()
    assert observed.take(Put(found())) == [GUILD]
    assert not observed.synced.is_set()
    with observed.news(GUILD) as news:
        assert observed.take(Complete(frozenset())) == [GUILD]
        assert news.is_set()
    assert observed.get(GUILD) is None
    assert observed.is_gone("u1")
    assert observed.synced.is_set()


def test_the_end_of_an_older_object_does_not_end_the_newer_one() -> None:
    observed = Observed()
    observed.take(Put(found(uid="u2")))
    assert observed.take(Gone(GUILD, "u1")) == []
    assert observed.get(GUILD) is not None
    assert observed.is_gone("u1")
    assert not observed.is_gone("u2")


def test_what_is_gone_is_remembered_for_so_long_only() -> None:
    observed = Observed()
    for n in range(REMEMBERED + 1):
        observed.take(Gone(GUILD, str(n)))
    assert not observed.is_gone("0")
    assert observed.is_gone("1")
    assert len(observed) == 0


def test_a_guild_is_deployed_while_its_object_stays_and_maybe_until_all_are_known() -> None:
    observed = Observed()
    assert observed.is_deployed(GUILD)
    observed.take(Put(found(leaving=True, created="2026-01-02T00:00:00Z")))
    assert not observed.is_deployed(GUILD)
    assert observed.created(GUILD) == "2026-01-02T00:00:00Z"
    observed.take(Put(found(uid="u2")))
    assert observed.is_deployed(GUILD)
    observed.take(Complete(frozenset()))
    assert not observed.is_deployed(GUILD)
    assert observed.created(GUILD) == ""
