"""What the doctor makes of the API and of its migrations."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from flora_cli.cluster.facts import Facts, Job, Pod, Workload
from flora_cli.cluster.findings import Finding, judge
from tests.unit.cli.test_clitools_findings import VERSION, container, definition, pod, workload

NEEDS = ("API_DATABASE_URL", "API_REDIS_URL", "API_SECRET_KEYS")


def api(*variables: str, ready: int = 2) -> Workload:
    made = msgspec.to_builtins(workload("api", replicas=2, ready=ready))
    made["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": name} for name in variables]
    return msgspec.convert(made, Workload)


def judged(*more: Workload, pods: list[Pod] | None = None, jobs: list[Job] | None = None) -> list[Finding]:
    installed = [*(workload(name) for name in ("operator", "gateway", "runtime")), *more]
    facts = Facts(
        "https://cluster", "v1.33.0", definition(), workloads=installed, pods=pods or [], jobs=jobs or []
    )
    return judge(facts, cli_version=VERSION)


def wrong(*more: Workload, **facts: Any) -> list[Finding]:
    return [finding for finding in judged(*more, **facts) if finding.level != "ok"]


def job(**status: Any) -> Job:
    return msgspec.convert(
        {"metadata": {"name": "flora-migrate", "namespace": "bots"}, "status": status}, Job
    )


def test_an_installation_with_an_api_has_nothing_to_mend() -> None:
    assert wrong(api(*NEEDS)) == []
    told = {finding.text for finding in judged(api(*NEEDS))}
    assert "2 of 2 pods are ready" in told
    assert "flora-api has API_SECRET_KEYS" in told


def test_an_installation_without_an_api_is_well_and_says_what_it_lacks() -> None:
    assert wrong() == []
    (finding,) = [finding for finding in judged() if finding.subject == "api"]
    assert "`flora deploy` has nobody to ask" in finding.text


def test_where_nothing_is_installed_the_api_is_not_talked_of() -> None:
    found = judge(Facts("https://cluster", "v1.33.0", definition()), cli_version=VERSION)
    assert "api" not in {finding.subject for finding in found}


@pytest.mark.parametrize(
    ("missing", "level", "subject", "says"),
    [
        ("API_DATABASE_URL", "problem", "Postgres", "nothing can be deployed through it"),
        ("API_REDIS_URL", "problem", "Redis", "nobody can log in"),
        ("API_SECRET_KEYS", "warning", "secret keys", "no guild can be given a secret"),
    ],
)
def test_what_an_api_is_not_given_is_named(missing: str, level: str, subject: str, says: str) -> None:
    (finding,) = wrong(api(*(name for name in NEEDS if name != missing)))
    assert (finding.level, finding.subject) == (level, subject)
    assert f"flora-api has no {missing}: {says}" in finding.text
    assert "in the chart's values" in finding.advice


def test_an_api_whose_secret_lacks_a_key_says_which_secret() -> None:
    waiting = {
        "reason": "CreateContainerConfigError",
        "message": "couldn't find key secret-keys in Secret bots/mine",
    }
    pods = [pod("api", phase="Pending", containerStatuses=[container(state={"waiting": waiting})])]
    (finding,) = wrong(api(*NEEDS, ready=1), pods=pods)
    assert "couldn't find key secret-keys in Secret bots/mine" in finding.text
    assert "api.existingSecret (keys secret-keys, operator-secret, discord-client-secret)" in finding.advice


def test_migrations_that_failed_are_a_problem() -> None:
    condition = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "no more"}
    (finding,) = wrong(api(*NEEDS), jobs=[job(failed=4, conditions=[condition])])
    assert (finding.level, finding.text) == ("problem", "they failed: BackoffLimitExceeded: no more")
    assert finding.advice == "it says why: kubectl logs -n bots job/flora-migrate"


def test_migrations_that_go_on_are_a_warning_and_those_that_ended_well_are_none() -> None:
    (finding,) = wrong(api(*NEEDS), jobs=[job(failed=1)])
    assert (finding.level, finding.text) == ("warning", "they are under way, after 1 that failed")
    assert wrong(api(*NEEDS), jobs=[job(succeeded=1)]) == []
