"""What is decided for one guild, from all that is seen of it."""

from __future__ import annotations

import pytest

from flora_core.hashing import owner
from flora_core.ids import PodName
from flora_core.wire.control import Limits
from flora_operator.placement import pods_of
from flora_operator.plan import Unbuilt, plan
from flora_operator.status import ASSIGNED, BUNDLED, NOTHING, READY, AssignmentStatus, Status
from tests.unit.operator.guilds import (
    BETTER,
    BUILT,
    GUILD,
    LATER,
    NOW,
    PODS,
    assigned,
    failed,
    live,
    loaded,
    ready,
    seen,
)

FAILURE = Unbuilt("BundleFailed", "src/main.ts:1:7: error: Expected identifier")


def test_a_new_guild_is_bundled_and_assigned_in_one_write() -> None:
    made = plan(seen())
    reasons = {condition.type: condition.reason for condition in made.status.conditions}
    assert reasons == {BUNDLED: "Bundled", ASSIGNED: "Assigned", READY: "Loading"}
    pod, told = assigned(made)
    assert pod == owner(GUILD, PODS)
    assert (told.guild, told.revision, told.bundle, told.limits) == (GUILD, 1, BUILT.sha256, Limits())


def test_it_is_ready_when_its_pod_has_loaded_just_that() -> None:
    first = plan(seen())
    made = plan(seen(first.status, reports=loaded(first), now=LATER))
    assert (ready(made.status).status, ready(made.status).reason) == ("True", "Loaded")
    assert (made.status.revision, made.status.loaded_at) == (1, LATER)
    assert made.status.subscribed_events == ("messageCreate",)
    assert made.has_data


@pytest.mark.parametrize("wrong", ["another pod", "another revision", "another bundle"])
def test_a_report_of_something_else_makes_nothing_ready(wrong: str) -> None:
    first = plan(seen())
    [(pod, report)] = loaded(first).items()
    other = plan(seen(build=BETTER))
    reports = {
        "another pod": {next(name for name in PODS if name != pod): report},
        "another revision": {pod: type(report)(**{**as_fields(report), "revision": 7})},
        "another bundle": loaded(other),
    }[wrong]
    assert ready(plan(seen(first.status, reports=reports)).status).reason == "Loading"


def as_fields(report: object) -> dict[str, object]:
    import msgspec  # noqa: PLC0415

    return msgspec.structs.asdict(report)  # type: ignore[arg-type]


def test_a_new_generation_is_not_ready_by_the_old_ones_script() -> None:
    """kubectl wait reads Ready with its observedGeneration: never True for what is not live."""
    before = live()
    made = plan(seen(before.status, build=BETTER, generation=2, reports=loaded(before)))
    condition = ready(made.status)
    assert (condition.status, condition.reason, condition.observed_generation) == ("False", "Loading", 2)
    assert made.status.revision == 1, "what runs until then"
    assert assigned(made)[1].revision == 2


def test_a_change_that_the_pod_need_not_hear_of_keeps_it_ready() -> None:
    before = live()
    made = plan(seen(before.status, generation=2, now=LATER))
    assert (ready(made.status).status, ready(made.status).observed_generation) == ("True", 2)
    assert ready(made.status).last_transition_time == NOW
    assert assigned(made) == assigned(before)


def test_limits_and_hibernation_are_a_new_revision() -> None:
    before = live()
    made = plan(seen(before.status, limits=Limits(50, 128)))
    assert assigned(made)[1].revision == 2
    again = plan(seen(made.status, limits=Limits(50, 128)))
    assert assigned(again)[1].revision == 2


def test_what_does_not_bundle_leaves_running_what_runs() -> None:
    before = live()
    made = plan(seen(before.status, build=FAILURE, generation=2, reports=loaded(before)))
    assert assigned(made) == assigned(before)
    bundled = made.status.condition(BUNDLED)
    assert bundled is not None
    assert (bundled.status, bundled.reason, bundled.message) == ("False", "BundleFailed", FAILURE.message)
    assert ready(made.status).message == f"{FAILURE.message}; revision 1 runs on"
    assert made.status.bundle == before.status.bundle


def test_what_never_bundled_is_assigned_to_nobody() -> None:
    made = plan(seen(build=FAILURE))
    assert made.run is None
    assert ready(made.status).reason == "BundleFailed"
    assert made.status.reason(ASSIGNED) == "NotBundled"


def test_a_bundler_that_cannot_be_had_is_nobodys_fault() -> None:
    made = plan(seen(build=Unbuilt("BundlerUnavailable", "later", "Unknown")))
    bundled = made.status.condition(BUNDLED)
    assert bundled is not None
    assert bundled.status == "Unknown"
    assert ready(made.status).status == "False"


def test_a_failed_load_says_where_and_what_runs_on() -> None:
    before = live()
    first = plan(seen(before.status, build=BETTER))
    made = plan(seen(first.status, build=BETTER, reports=failed(first), now=LATER))
    condition = ready(made.status)
    assert condition.reason == "LoadFailed"
    assert condition.message == (
        "ReferenceError: ponk is not defined at main (src/main.ts:3:1); revision 1 runs on"
    )
    assert made.status.last_error is not None
    assert made.status.last_error.at == LATER
    assert made.status.revision == 1
    again = plan(seen(made.status, build=BETTER, reports=failed(first), now="2030-01-01T00:00:00Z"))
    assert again == made


def test_a_failed_load_of_the_first_script_asks_for_another() -> None:
    first = plan(seen())
    made = plan(seen(first.status, reports=failed(first)))
    assert ready(made.status).message.endswith("correct the script and deploy it again")


def test_a_good_load_clears_the_error() -> None:
    first = plan(seen())
    bad = plan(seen(first.status, reports=failed(first)))
    better = plan(seen(bad.status, build=BETTER))
    made = plan(seen(better.status, build=BETTER, reports=loaded(better)))
    assert made.status.last_error is None


def test_quarantine_is_told_apart_and_ends_with_the_next_deploy() -> None:
    before = live()
    made = plan(seen(before.status, reports=failed(before, quarantined=True)))
    assert ready(made.status).reason == "Quarantined"
    after_restart = plan(seen(made.status))
    assert after_restart == made
    assert ready(plan(seen(made.status, build=BETTER)).status).reason == "Loading"


@pytest.mark.parametrize("kind", ["loaded", "failed", "quarantined", "loading", "bundle failed", "suspended"])
def test_an_operator_that_starts_finds_nothing_to_write(kind: str) -> None:
    """It has no report of any pod yet."""
    first, before = plan(seen()), live()
    settled = {
        "loaded": seen(first.status, reports=loaded(first)),
        "failed": seen(first.status, reports=failed(first)),
        "quarantined": seen(before.status, reports=failed(before, quarantined=True)),
        "loading": seen(before.status, build=BETTER),
        "bundle failed": seen(before.status, build=FAILURE, reports=loaded(before)),
        "suspended": seen(before.status, suspended=True),
    }[kind]
    made = plan(settled)
    fields = {"build": settled.build, "suspended": settled.deployment.suspended}
    again = plan(seen(made.status, **fields, now="2030-01-01T00:00:00Z"))
    assert again == made


def test_suspended_runs_nothing_and_keeps_its_place() -> None:
    before = live()
    made = plan(seen(before.status, suspended=True, generation=2))
    assert made.run is None
    assert made.status.assignment is not None
    assert made.status.assignment.pod == assigned(before)[0]
    assert (ready(made.status).reason, made.status.revision) == ("Suspended", 0)
    assert made.has_data
    resumed = plan(seen(made.status, generation=3))
    assert ready(resumed.status).reason == "Loading"
    assert assigned(resumed) == assigned(before)


@pytest.mark.parametrize("why", ["suspended", "left"])
def test_a_guild_that_runs_nothing_goes_along_when_pods_are_scaled_away(why: str) -> None:
    """Its data is there, and is wanted once it runs again."""
    more = pods_of("flora-runtime", 12)
    before = live(pods=more)
    home = assigned(before)[0]
    rests = {"suspended": True} if why == "suspended" else {"member": False, "retention_seconds": 9e9}
    stays = plan(seen(before.status, pods=more, **rests))
    assert (stays.run, stays.rest, stays.move_to) == (None, home, None)
    fewer = [pod for pod in more if pod != home]
    made = plan(seen(stays.status, pods=fewer, **rests))
    assert (made.run, made.rest, made.move_to) == (None, home, owner(GUILD, fewer))
    assert made.status == stays.status, "nothing is written for a wish"


def test_a_guild_that_never_ran_has_nothing_that_could_move() -> None:
    first = plan(seen())
    made = plan(seen(first.status, suspended=True, pods=pods_of("flora-runtime", 12)))
    assert (made.rest, made.move_to) == (None, None)


def test_a_guild_whose_pod_went_with_its_data_says_so_and_how_to_get_it_back() -> None:
    four = pods_of("flora-runtime", 4)
    before = live(pods=four)
    home = assigned(before)[0]
    fewer = [pod for pod in four if pod != home]
    made = plan(seen(before.status, pods=fewer, gone={home}, now=LATER))
    condition = ready(made.status)
    assert (condition.status, condition.reason, made.status.reason(ASSIGNED)) == (
        "False",
        "PodGone",
        "PodGone",
    )
    assert f"kubectl scale statefulset flora-runtime --replicas={int(home[-1]) + 1}" in condition.message
    assert (made.status.revision, made.has_data, made.move_to) == (0, True, owner(GUILD, fewer))
    assert assigned(made) == assigned(before), "nobody else begins without its data"
    again = plan(seen(made.status, pods=fewer, gone={home}, now="2030-01-01T00:00:00Z"))
    assert again == made
    back = plan(seen(made.status, pods=four))
    assert ready(back.status).reason == "Loading"
    assert ready(plan(seen(back.status, pods=four, reports=loaded(before))).status).reason == "Loaded"


def test_a_guild_that_rests_on_a_pod_that_is_gone_says_both() -> None:
    before = live()
    home = assigned(before)[0]
    made = plan(seen(before.status, suspended=True, gone={home}))
    assert ready(made.status).reason == "Suspended"
    assert f"{home} was scaled away" in ready(made.status).message


def test_the_data_of_a_guild_that_the_bot_has_left_waits_for_a_pod_that_is_gone() -> None:
    before = live()
    left = plan(seen(before.status, member=False, retention_seconds=1, now=NOW))
    made = plan(
        seen(left.status, member=False, retention_seconds=1, gone={assigned(before)[0]}, now=LATER),
    )
    assert (made.forget, made.look_again, made.rest) == (None, None, assigned(before)[0])


def test_a_guild_that_never_ran_begins_elsewhere_when_its_pod_is_gone() -> None:
    four = pods_of("flora-runtime", 4)
    first = plan(seen(pods=four))
    home = assigned(first)[0]
    made = plan(seen(first.status, pods=[pod for pod in four if pod != home], gone={home}))
    assert assigned(made)[0] != home
    assert ready(made.status).reason == "Loading"


def test_suspending_does_not_wait_for_a_bundle() -> None:
    before = live()
    made = plan(seen(before.status, suspended=True, generation=2, build=None))
    assert made.run is None
    bundled = made.status.condition(BUNDLED)
    assert bundled is not None
    assert bundled.observed_generation == 1, "the new sources have not been looked at"


def test_a_duplicate_runs_nothing_and_names_the_one_that_does() -> None:
    made = plan(seen(serving="team-a/guild-1", build=None))
    assert made.run is None
    assert ready(made.status).reason == "DuplicateGuild"
    assert "team-a/guild-1 is older" in ready(made.status).message
    assert made.status.assignment is None
    assert not made.has_data


def test_a_spec_of_the_future_is_left_alone() -> None:
    made = plan(seen(problem="Object contains unknown field `colour`", build=None))
    assert ready(made.status).reason == "SpecNotUnderstood"
    assert made.run is None


def test_a_missing_secret_is_told_beside_a_script_that_runs() -> None:
    first = plan(seen(missing_secrets=["secret KEY: there is no Secret s"]))
    assert ready(first.status).reason == "Loading"
    made = plan(
        seen(first.status, reports=loaded(first), missing_secrets=["secret KEY: there is no Secret s"])
    )
    assert (ready(made.status).status, ready(made.status).reason) == ("False", "SecretMissing")
    assert made.status.revision == 1
    assert ready(plan(seen(made.status)).status).reason == "Loaded"


def test_a_guild_that_the_bot_is_not_in_runs_nothing_until_the_bot_is_back() -> None:
    before = live()
    made = plan(seen(before.status, member=False, retention_seconds=3600))
    assert (ready(made.status).reason, made.run, made.forget) == ("GuildUnknown", None, None)
    assert assigned(plan(seen(made.status, member=True))) == assigned(before)
    assert ready(plan(seen(before.status, member=None)).status).reason == "Loaded"


def test_the_data_of_a_guild_that_the_bot_has_left_goes_after_its_retention() -> None:
    before = live()
    left = plan(seen(before.status, member=False, retention_seconds=600, now=NOW))
    assert left.look_again == 601
    waits = plan(seen(left.status, member=False, retention_seconds=600, now=LATER))
    assert (waits.forget, waits.look_again, waits.status) == (None, 301, left.status)
    over = plan(seen(left.status, member=False, retention_seconds=300, now=LATER))
    assert over.forget == assigned(before)[0]
    assert (over.status.assignment, over.status.loaded_at, over.look_again) == (None, "", None)
    settled = plan(seen(over.status, member=False, retention_seconds=300, now=LATER))
    assert (settled.forget, settled.status) == (None, over.status)


def test_a_guild_that_never_ran_has_nothing_to_forget() -> None:
    made = plan(seen(member=False, retention_seconds=0))
    assert (ready(made.status).reason, made.forget, made.look_again) == ("GuildUnknown", None, None)


def test_without_pods_nobody_has_it() -> None:
    made = plan(seen(pods=()))
    assert made.run is None
    assert ready(made.status).reason == made.status.reason(ASSIGNED) == "NoPods"


def test_a_guild_stays_where_its_data_is_until_it_is_moved() -> None:
    more = pods_of("flora-runtime", 12)
    before = live()
    made = plan(seen(before.status, pods=more))
    assert made.status == before.status, "nothing is written for a wish"
    assert made.move_to == owner(GUILD, more)
    assert made.move_to != assigned(before)[0]
    assert plan(seen(before.status, pods=())).run == before.run, "pods that are gone may come back"


def test_a_guild_that_never_ran_is_simply_placed_anew() -> None:
    first = plan(seen())
    more = pods_of("flora-runtime", 12)
    made = plan(seen(first.status, pods=more))
    assert (assigned(made)[0], made.move_to) == (owner(GUILD, more), None)


def test_a_guild_with_our_finalizer_may_have_data_whatever_its_status_says() -> None:
    told = Status(assignment=AssignmentStatus(pod="flora-runtime-9", revision=1, bundle=BUILT.sha256))
    made = plan(seen(told, finalizers=("flora.uwu.network/data",)))
    assert assigned(made)[0] == PodName("flora-runtime-9")
    assert made.move_to == owner(GUILD, PODS)


def test_it_says_how_many_jobs_the_script_has() -> None:
    first = plan(seen())
    assert first.status.cron_jobs is None
    none = plan(seen(first.status, reports=loaded(first)))
    assert none.status.cron_jobs == 0
    some = plan(seen(none.status, reports=loaded(first, crons=2)))
    assert some.status.cron_jobs == 2
    broken = plan(seen(some.status, build=BETTER))
    broken = plan(seen(broken.status, build=BETTER, reports=failed(broken)))
    assert broken.status.cron_jobs == 2, "those of what runs on"
    assert plan(seen(some.status, suspended=True)).status.cron_jobs is None


def test_a_condition_keeps_its_time_while_its_status_does() -> None:
    before = live()
    made = plan(seen(before.status, build=BETTER, now=LATER))
    times = {condition.type: condition.last_transition_time for condition in made.status.conditions}
    assert times == {BUNDLED: NOW, ASSIGNED: NOW, READY: LATER}


def test_a_handoff_in_the_status_is_left_to_whoever_moves_guilds() -> None:
    import msgspec  # noqa: PLC0415

    from flora_operator.status import HandoffStatus  # noqa: PLC0415

    before = live()
    moving = msgspec.structs.replace(before.status, handoff=HandoffStatus("h1", "a", "b", "Held"))
    assert plan(seen(moving)).status.handoff == moving.handoff
    assert plan(seen(NOTHING)).status.handoff is None
