"""When jobs run: planned once, made up for once, never forgotten and never run twice."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_core.ids import GuildId
from flora_core.wire.pipe import CronIn
from flora_runtime.supervisor.crons import CronClock, CronFolder, Crons, NoSuchTime, Plan, Run, next_time

pytestmark = pytest.mark.parity(57, 58, 59)

ONE, TWO = GuildId("1"), GuildId("2")
NOON = datetime(2024, 2, 1, 12, 0, 30, tzinfo=UTC).timestamp()
MINUTE = 60.0


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def declared(*jobs: CronIn, now: float = NOON, guild: GuildId = ONE) -> Crons:
    crons = Crons()
    assert crons.declare(guild, jobs, now) == []
    return crons


def names(crons: Crons, now: float) -> list[str]:
    return [run.name for run in crons.due(now)]


EVERY_MINUTE = CronIn("tick", "* * * * *")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("* * * * *", "2024-02-01T12:01"),
        ("*/15 * * * *", "2024-02-01T12:15"),
        ("0 9 * * mon-fri", "2024-02-02T09:00"),
        ("0 0 * * 0", "2024-02-04T00:00"),
        ("0 0 * * 7", "2024-02-04T00:00"),
        ("0 0 L * *", "2024-02-29T00:00"),
        ("0 0 29 2 *", "2024-02-29T00:00"),
        ("0 12 * * fri#2", "2024-02-09T12:00"),
        ("30 5,17 1-3 jan,FEB ?", "2024-02-01T17:30"),
        ("45 * * * * *", "2024-02-01T12:00:45"),
        ("@hourly", "2024-02-01T13:00"),
        ("@daily", "2024-02-02T00:00"),
        ("@weekly", "2024-02-04T00:00"),
        ("@monthly", "2024-03-01T00:00"),
        ("@yearly", "2025-01-01T00:00"),
    ],
)
def test_expressions_mean_what_they_mean_everywhere(expression: str, expected: str) -> None:
    assert next_time(expression, NOON) == at(expected)


@pytest.mark.parametrize(
    "expression", ["", "x", "* * * *", "61 * * * *", "0 0 30 2 *", "* * * * * * * *", "@never"]
)
def test_what_means_no_time_is_told(expression: str) -> None:
    with pytest.raises(NoSuchTime):
        next_time(expression, NOON)


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_none(expression: str) -> None:
    with contextlib.suppress(NoSuchTime):
        assert next_time(expression, NOON) > NOON


def test_a_job_runs_when_its_time_has_come_and_then_waits_for_the_next() -> None:
    crons = declared(EVERY_MINUTE)
    assert crons.due(NOON + 29) == []
    assert crons.due(NOON + 30) == [Run(ONE, "tick", NOON + 30, skip=False)]
    assert crons.due(NOON + 31) == []
    assert names(crons, NOON + 90) == ["tick"]


def test_missed_runs_are_made_up_for_by_one_that_says_when_it_was_planned() -> None:
    crons = declared(EVERY_MINUTE)
    (run,) = crons.due(NOON + 600)
    assert run.planned == NOON + 30
    assert names(crons, NOON + 601) == []
    assert crons.plans(ONE)["tick"].next == NOON + 630


def test_jobs_of_all_guilds_come_in_the_order_of_their_times() -> None:
    crons = declared(CronIn("later", "2 12 * * *"))
    crons.declare(TWO, [CronIn("sooner", "1 12 * * *")], NOON)
    assert names(crons, NOON + 600) == ["sooner", "later"]


def test_a_redeploy_keeps_the_plan_of_a_job_that_stays() -> None:
    crons = declared(CronIn("a", "*/5 * * * *"), CronIn("b", "*/5 * * * *"))
    planned = crons.plans(ONE)["a"].next
    crons.declare(ONE, [CronIn("a", "*/5 * * * *", skip=True), CronIn("c", "* * * * *")], NOON + 200)
    assert crons.plans(ONE)["a"] == Plan("*/5 * * * *", planned, 0.0, skip=True)
    assert sorted(names(crons, NOON + 300)) == ["a", "c"]


def test_a_job_whose_expression_changed_is_planned_anew_and_runs_once() -> None:
    crons = declared(CronIn("a", "1 12 * * *"))
    crons.declare(ONE, [CronIn("a", "3 12 * * *")], NOON)
    assert names(crons, NOON + 60) == []
    assert names(crons, NOON + 180) == ["a"]


def test_declaring_the_same_twice_does_not_run_it_twice() -> None:
    crons = declared(EVERY_MINUTE)
    crons.declare(ONE, [EVERY_MINUTE], NOON + 1)
    assert names(crons, NOON + 30) == ["tick"]


def test_jobs_that_are_gone_do_not_run() -> None:
    crons = declared(EVERY_MINUTE)
    crons.declare(ONE, [], NOON)
    assert names(crons, NOON + 600) == []
    crons.declare(TWO, [EVERY_MINUTE], NOON)
    crons.forget(TWO)
    assert names(crons, NOON + 600) == []
    assert len(crons) == 0


def test_a_job_without_a_future_is_told_of_and_the_others_run() -> None:
    crons = Crons()
    (problem,) = crons.declare(ONE, [CronIn("never", "0 0 30 2 *"), EVERY_MINUTE], NOON)
    assert "cron 'never' (0 0 30 2 *) has no future occurrences" in problem
    assert names(crons, NOON + 60) == ["tick"]


def test_what_a_script_declares_is_bounded() -> None:
    crons = Crons()
    jobs = [CronIn(f"job{n}", "* * * * *") for n in range(40)]
    assert len(crons.declare(ONE, jobs, NOON)) == 8
    assert len(crons) == 32
    assert len(crons.declare(TWO, [CronIn("n" * 65, "* * * * *"), CronIn("e", "*" * 201)], NOON)) == 2


def test_a_run_is_an_event_of_its_own_type() -> None:
    run = Run(ONE, "tick", at("2024-02-01T12:01"), skip=False)
    assert run.type == "__cron:tick"
    assert json.loads(run.body()) == {
        "t": "__cron:tick",
        "d": {"name": "tick", "scheduledAt": "2024-02-01T12:01:00Z"},
    }
    assert run.body().startswith(b'{"t":"__cron:'), "the worker looks for this"


# -------------------------------------------------------------------- over restarts


def test_a_restart_goes_on_with_the_plan_and_makes_up_for_what_was_missed(tmp_path: Path) -> None:
    folder = CronFolder(tmp_path / "crons")
    before = declared(EVERY_MINUTE)
    before.due(NOON + 30)
    folder.save(ONE, before.plans(ONE))
    after = Crons()
    after.declare(ONE, [EVERY_MINUTE], NOON + 3600, kept=folder.load(ONE))
    (run,) = after.due(NOON + 3600)
    assert run.planned == NOON + 90
    assert after.plans(ONE)["tick"].last == NOON + 90
    assert names(after, NOON + 3601) == []


def test_a_guild_without_jobs_leaves_no_file(tmp_path: Path) -> None:
    folder = CronFolder(tmp_path)
    folder.save(ONE, {"a": Plan("* * * * *", 1.0)})
    folder.save(ONE, {})
    assert list(tmp_path.iterdir()) == []
    folder.save(ONE, {})


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a":{"expression":5}}', b"\xff"])
def test_a_plan_that_cannot_be_read_is_made_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "1.json").write_bytes(content)
    assert CronFolder(tmp_path).load(ONE) == {}


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    CronFolder(tmp_path / "file").save(ONE, {"a": Plan("* * * * *", 1.0)})


def test_a_clock_that_was_set_back_far_has_its_jobs_planned_anew() -> None:
    crons = declared(EVERY_MINUTE, CronIn("yearly", "@yearly"))
    assert names(crons, NOON + MINUTE) == ["tick"]
    day_before = NOON - 86_400
    assert crons.plan_anew(day_before) == {ONE}
    assert names(crons, day_before + MINUTE) == ["tick"]
    assert names(crons, day_before + 2 * MINUTE) == ["tick"]


def test_a_clock_that_goes_back_a_moment_repeats_no_run(tmp_path: Path) -> None:
    now, runs = [NOON], list[Run]()
    clock = CronClock(tmp_path, start=lambda run: runs.append(run) is None, clock=lambda: now[0])
    clock.declare(ONE, [EVERY_MINUTE])
    for moment in (31.0, 29.0, 30.0, 32.0, 40.0):
        now[0] = NOON + moment
        clock._tick()
    assert [run.planned for run in runs] == [NOON + 30]


def test_a_clock_that_jumps_ahead_makes_up_for_all_missed_runs_with_one(tmp_path: Path) -> None:
    now, runs = [NOON], list[Run]()
    clock = CronClock(tmp_path, start=lambda run: runs.append(run) is None, clock=lambda: now[0])
    clock.declare(ONE, [EVERY_MINUTE])
    now[0] += 86_400
    clock._tick()
    clock._tick()
    assert [run.planned for run in runs] == [NOON + 30]


def test_after_a_jump_back_a_job_runs_at_its_next_time(tmp_path: Path) -> None:
    now, runs = [NOON], list[Run]()
    clock = CronClock(tmp_path, start=lambda run: runs.append(run) is None, clock=lambda: now[0])
    clock.declare(ONE, [EVERY_MINUTE])
    for moment in (0.0, -86_400.0, -86_400.0 + 40.0):
        now[0] = NOON + moment
        clock._tick()
    assert [run.planned for run in runs] == [NOON - 86_400 + 30]


def test_a_plan_kept_by_a_clock_that_was_far_ahead_is_not_believed() -> None:
    crons = Crons()
    kept = {"tick": Plan(EVERY_MINUTE.expression, NOON + 86_460, NOON + 86_400)}
    crons.declare(ONE, [EVERY_MINUTE], NOON, kept=kept)
    assert crons.plans(ONE)["tick"].next == NOON + 30
