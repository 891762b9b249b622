"""One guild of a pod: what it asks of its worker, and what becomes of its events."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import pytest
from msgspec import Raw

from flora_core.wire.control import Assignment, Failed, Loaded, LogLine, Outcome, ScriptError
from flora_core.wire.export import ExportedConduct
from flora_core.wire.pipe import (
    CRON_PREFIX,
    Call,
    CronIn,
    Deploy,
    Done,
    FailedIn,
    Kind,
    LoadedIn,
    LogIn,
    Recycled,
    SecretsIn,
    Turn,
)
from flora_runtime import log_rate
from flora_runtime.supervisor.backlog import Waiting
from flora_runtime.supervisor.guild import (
    CALLS_MANY,
    FAILED_EVENTS_KEPT,
    PACE_SECONDS,
    REST_SECONDS,
    RETRY_SECONDS,
    STRIKES,
    Guild,
    Presence,
    Script,
)

BUNDLE = "ab" * 32
SCRIPT = Script("code", "map")


@dataclass
class RecordingPort:
    """Stands where the pod does, and remembers what it was asked."""

    clock: float = 100.0
    frames: list[tuple[Kind, bytes]] = field(default_factory=list)
    deploys_wanted: int = 0
    urgent: bool = False
    wakes: int = 0
    sleeps: int = 0
    safe_offsets: list[int] = field(default_factory=list)
    drops: list[tuple[str, int]] = field(default_factory=list)
    calls: list[tuple[int, str]] = field(default_factory=list)
    waiting: int = 0
    apologies: list[tuple[str, Raw]] = field(default_factory=list)
    subscriptions: list[list[str]] = field(default_factory=list)
    commands_seen: list[bytes] = field(default_factory=list)
    reports: list[Loaded | Failed] = field(default_factory=list)
    lines: list[LogLine] = field(default_factory=list)
    settled_events: list[tuple[str, Outcome]] = field(default_factory=list)

    def now(self) -> float:
        return self.clock

    def to_worker(self, guild: Guild, kind: Kind, body: bytes) -> None:
        self.frames.append((kind, body))

    def want_deploy(self, guild: Guild, *, urgent: bool) -> None:
        self.deploys_wanted += 1
        self.urgent = urgent

    def woke(self, guild: Guild) -> None:
        self.wakes += 1

    def slept(self, guild: Guild) -> None:
        self.sleeps += 1

    def safe(self, offset: int) -> None:
        self.safe_offsets.append(offset)

    def dropped(self, guild: Guild, reason: str, events: list[Waiting]) -> None:
        self.drops += [(reason, event.offset) for event in events]

    def call(self, guild: Guild, id_: int, name: str, args: Raw) -> None:
        self.calls.append((id_, name))

    def calls_waiting(self, guild: Guild) -> int:
        return self.waiting

    def apologise(self, guild: Guild, name: str, args: Raw) -> None:
        self.apologies.append((name, args))

    def subscribe(self, guild: Guild, events: list[str], *, own: bool) -> None:
        self.subscriptions.append(events)

    def commands(self, guild: Guild, commands: Raw) -> None:
        self.commands_seen.append(bytes(commands))

    def crons(self, guild: Guild, jobs: list[CronIn]) -> None:
        del guild, jobs

    def report(self, report: Loaded | Failed) -> None:
        self.reports.append(report)

    def log(self, line: LogLine) -> None:
        self.lines.append(line)

    def settled(self, guild: Guild, type_: str, done: Done) -> None:
        self.settled_events.append((type_, done.outcome))

    def sent(self, kind: Kind) -> list[bytes]:
        return [body for sent, body in self.frames if sent is kind]


def assignment(revision: int = 1, bundle: str = BUNDLE) -> Assignment:
    return Assignment("123", revision, bundle)


def loaded(revision: int = 1, commands: bytes = b"null") -> LoadedIn:
    crons = [CronIn("daily", "@daily")]
    return LoadedIn(revision, 4.0, ["messageCreate"], own_messages=False, commands=Raw(commands), crons=crons)


def failed(revision: int = 1) -> FailedIn:
    return FailedIn(revision, Outcome.EXCEPTION, ScriptError("boom", "at src/main.ts:1:1"))


@pytest.fixture
def port() -> RecordingPort:
    return RecordingPort()


@pytest.fixture
def guild(port: RecordingPort) -> Guild:
    return Guild(assignment(), port, worker=0, slot=3, backlog=10)


@pytest.fixture
def live(guild: Guild) -> Guild:
    guild.assign(assignment())
    guild.deploying(SCRIPT)
    guild.on_loaded(loaded())
    return guild


def event_numbers(port: RecordingPort) -> list[int]:
    return [int.from_bytes(body[:8], "little") for body in port.sent(Kind.EVENT)]


def test_an_assignment_is_deployed_when_it_is_its_turn(guild: Guild, port: RecordingPort) -> None:
    guild.assign(assignment())
    assert port.deploys_wanted == 1
    assert port.frames == []
    guild.deploying(SCRIPT)
    deploy = msgspec.json.decode(port.sent(Kind.DEPLOY)[0], type=Deploy)
    assert (deploy.revision, deploy.code, deploy.slot) == (1, "code", 3)
    assert guild.presence is Presence.LOADING


def test_events_wait_for_the_first_load_and_then_go_in_order(guild: Guild, port: RecordingPort) -> None:
    guild.assign(assignment())
    guild.deploying(SCRIPT)
    for offset in (11, 12):
        guild.add_event("MESSAGE_CREATE", offset, b"{}")
    assert port.sent(Kind.EVENT) == []
    guild.on_loaded(loaded())
    assert event_numbers(port) == [1, 2]
    assert guild.presence is Presence.LIVE


def test_a_load_is_reported_with_what_the_script_handles(guild: Guild, port: RecordingPort) -> None:
    guild.assign(assignment())
    guild.deploying(SCRIPT)
    guild.on_loaded(loaded(commands=b'[{"name":"a"},{"name":"b"}]'))
    report = port.reports[0]
    assert isinstance(report, Loaded)
    assert (report.events, report.crons) == (["messageCreate"], 1)
    assert (report.revision, report.events, report.commands) == (1, ["messageCreate"], 2)
    assert port.subscriptions == [["messageCreate"]]
    assert port.commands_seen == [b'[{"name":"a"},{"name":"b"}]']


def test_an_event_is_safe_once_a_turn_has_started_it(live: Guild, port: RecordingPort) -> None:
    live.add_event("MESSAGE_CREATE", 21, b"{}")
    assert port.safe_offsets == []
    live.on_turn(Turn(started=1, ops=[Call(5, "sendMessage", Raw(b"{}"))]))
    assert port.safe_offsets == [21]
    assert port.calls == [(5, "sendMessage")]
    assert live.open == 1
    live.on_turn(Turn(done=[Done(1, Outcome.OK, 2.0)]))
    assert live.open == 0
    assert port.settled_events == [("MESSAGE_CREATE", Outcome.OK)]


@pytest.mark.parity(60)
def test_a_failed_deploy_leaves_the_old_script_running(live: Guild, port: RecordingPort) -> None:
    live.assign(assignment(revision=2, bundle="cd" * 32))
    live.deploying(SCRIPT)
    live.add_event("MESSAGE_CREATE", 31, b"{}")
    live.on_failed(failed(revision=2))
    assert live.presence is Presence.LIVE
    assert event_numbers(port) == [1]
    report = port.reports[-1]
    assert isinstance(report, Failed)
    assert (report.revision, report.error.message) == (2, "boom")
    assert live.target.revision == 1, "what comes back after a death is what last loaded"


def test_a_script_that_never_loaded_gets_no_events(guild: Guild, port: RecordingPort) -> None:
    guild.assign(assignment())
    guild.deploying(SCRIPT)
    guild.add_event("MESSAGE_CREATE", 41, b"{}")
    guild.on_failed(failed())
    assert guild.presence is Presence.BROKEN
    guild.add_event("MESSAGE_CREATE", 42, b"{}")
    assert port.drops == [("not_loaded", 41), ("not_loaded", 42)]
    assert port.deploys_wanted == 1


def test_a_new_assignment_mends_what_did_not_load(guild: Guild, port: RecordingPort) -> None:
    guild.assign(assignment())
    guild.deploying(SCRIPT)
    guild.on_failed(failed())
    guild.assign(assignment(revision=2))
    guild.deploying(SCRIPT)
    guild.on_loaded(loaded(revision=2))
    assert guild.presence is Presence.LIVE


def test_a_report_about_an_older_deploy_changes_nothing(guild: Guild, port: RecordingPort) -> None:
    guild.assign(assignment())
    guild.deploying(SCRIPT)
    guild.assign(assignment(revision=2))
    guild.deploying(SCRIPT)
    guild.on_failed(failed(revision=1))
    assert port.reports == []
    guild.on_loaded(loaded(revision=2))
    assert guild.presence is Presence.LIVE


def test_an_assignment_that_came_during_a_deploy_is_deployed_next(guild: Guild, port: RecordingPort) -> None:
    guild.assign(assignment())
    guild.deploying(SCRIPT)
    guild.assign(assignment(revision=2))
    guild.on_loaded(loaded(revision=1))
    assert guild.target.revision == 2
    assert port.deploys_wanted >= 2


def test_after_its_workers_death_a_guild_comes_back_with_its_next_event(
    live: Guild, port: RecordingPort
) -> None:
    wanted = port.deploys_wanted
    live.on_worker_gone(started=0)
    assert live.presence is Presence.ABSENT
    assert port.deploys_wanted == wanted, "nothing waits, so there is no hurry"
    live.add_event("MESSAGE_CREATE", 51, b"{}")
    assert port.deploys_wanted == wanted + 1
    live.deploying(SCRIPT)
    reports = len(port.reports)
    live.on_loaded(loaded())
    assert event_numbers(port)[-1] == 1
    assert len(port.reports) == reports, "the same script again is no news"


def test_a_death_loses_what_had_started_and_nothing_else(live: Guild, port: RecordingPort) -> None:
    for offset in (61, 62, 63):
        live.add_event("MESSAGE_CREATE", offset, b"{}")
    live.on_turn(Turn(started=1))
    live.on_worker_gone(started=2)
    assert port.settled_events == [("MESSAGE_CREATE", Outcome.KILLED)] * 2
    assert "2 events cut off" in port.lines[-1].text
    assert port.lines[-1].outcome is Outcome.KILLED
    live.deploying(SCRIPT)
    live.on_loaded(loaded())
    assert event_numbers(port) == [1, 2, 3, 4], "what is sent again has a new number"
    assert port.safe_offsets == [61, 62]


def test_a_recycled_isolate_is_made_anew_when_events_wait(live: Guild, port: RecordingPort) -> None:
    live.add_event("MESSAGE_CREATE", 71, b"{}")
    live.add_event("MESSAGE_CREATE", 72, b"{}")
    wanted = port.deploys_wanted
    live.on_recycled(Recycled(Outcome.KILLED, lost=[1]))
    assert port.deploys_wanted == wanted + 1
    assert port.settled_events == [("MESSAGE_CREATE", Outcome.KILLED)]
    live.deploying(SCRIPT)
    live.on_loaded(loaded())
    assert event_numbers(port) == [1, 2, 3]


def exceed(guild: Guild) -> None:
    guild.on_recycled(Recycled(Outcome.EXCEEDED_CPU, lost=[]))


def revive(guild: Guild) -> None:
    guild.deploying(SCRIPT)
    guild.on_loaded(loaded())


def test_a_script_that_went_over_a_limit_rests_and_then_takes_what_waited(
    live: Guild, port: RecordingPort
) -> None:
    live.add_event("MESSAGE_CREATE", 71, b"{}")
    wanted = port.deploys_wanted
    exceed(live)
    live.add_event("MESSAGE_CREATE", 72, b"{}")
    port.clock += 0.99
    live.look(port.clock)
    assert port.deploys_wanted == wanted
    port.clock += 0.01
    live.look(port.clock)
    assert port.deploys_wanted == wanted + 1
    revive(live)
    assert event_numbers(port) == [1, 2, 3], "71 again, as it had not started, and 72"
    assert port.drops == []
    assert "1 of 3 times): its events wait for 1 s" in port.lines[0].text


def test_it_rests_for_longer_after_the_second_time_and_is_quarantined_after_the_third(
    live: Guild, port: RecordingPort
) -> None:
    exceed(live)
    port.clock += REST_SECONDS[0]
    live.look(port.clock)
    live.add_event("MESSAGE_CREATE", 1, b"{}")
    revive(live)
    exceed(live)
    wanted = port.deploys_wanted
    port.clock += REST_SECONDS[1] - 0.01
    live.look(port.clock)
    assert port.deploys_wanted == wanted
    port.clock += 0.01
    live.look(port.clock)
    assert port.deploys_wanted == wanted + 1
    revive(live)
    exceed(live)
    assert live.quarantine_reason
    port.clock += 60
    live.look(port.clock)
    assert port.deploys_wanted == wanted + 1


def test_a_script_that_is_quarantined_already_is_not_told_to_rest(live: Guild, port: RecordingPort) -> None:
    for _ in range(STRIKES):
        live.on_stuck()
    exceed(live)
    assert live.quarantine_reason
    assert not [line for line in port.lines if "its events wait" in line.text]


def test_interactions_are_handled_during_a_rest_and_nothing_else_is(live: Guild, port: RecordingPort) -> None:
    exceed(live)
    wanted = port.deploys_wanted
    live.add_event("MESSAGE_CREATE", 1, b"{}")
    live.add_event("INTERACTION_CREATE", 2, b"{}")
    assert port.deploys_wanted == wanted + 1
    revive(live)
    assert [body[8:] for body in port.sent(Kind.EVENT)] == [b"{}"]
    live.add_event("MESSAGE_CREATE", 3, b"{}")
    live.on_turn(Turn(started=1))
    assert event_numbers(port) == [1]
    assert port.safe_offsets == [2]
    port.clock += REST_SECONDS[0]
    live.look(port.clock)
    assert event_numbers(port) == [1, 2, 3]


def test_when_nothing_waits_a_rest_ends_without_an_isolate(live: Guild, port: RecordingPort) -> None:
    wanted = port.deploys_wanted
    exceed(live)
    port.clock += 60
    live.look(port.clock)
    assert port.deploys_wanted == wanted
    live.add_event("MESSAGE_CREATE", 1, b"{}")
    assert port.deploys_wanted == wanted + 1


def test_an_event_after_the_rest_need_not_wait_for_the_next_look(live: Guild, port: RecordingPort) -> None:
    exceed(live)
    port.clock += REST_SECONDS[0]
    wanted = port.deploys_wanted
    live.add_event("MESSAGE_CREATE", 1, b"{}")
    assert port.deploys_wanted == wanted + 1


def test_a_new_deploy_ends_a_rest(live: Guild, port: RecordingPort) -> None:
    exceed(live)
    wanted = port.deploys_wanted
    live.assign(assignment(2))
    assert port.deploys_wanted == wanted + 1


def test_a_guild_whose_calls_pile_up_is_given_an_event_a_second_and_interactions(
    live: Guild, port: RecordingPort
) -> None:
    port.waiting = CALLS_MANY
    for offset in range(1, 4):
        live.add_event("MESSAGE_CREATE", offset, b"{}")
    live.add_event("INTERACTION_CREATE", 4, b"{}")
    assert event_numbers(port) == [1, 2], "the first message, and the interaction"
    port.clock += PACE_SECONDS
    live.look(port.clock)
    live.look(port.clock)
    assert event_numbers(port) == [1, 2, 3]
    port.waiting = CALLS_MANY - 1
    live.look(port.clock)
    assert event_numbers(port) == [1, 2, 3, 4]


def test_a_script_that_no_longer_loads_is_tried_again_after_a_while(live: Guild, port: RecordingPort) -> None:
    live.on_worker_gone(started=0)
    live.add_event("MESSAGE_CREATE", 81, b"{}")
    live.deploying(SCRIPT)
    live.on_failed(failed())
    assert live.presence is Presence.BROKEN
    wanted = port.deploys_wanted
    live.add_event("MESSAGE_CREATE", 82, b"{}")
    assert port.deploys_wanted == wanted
    port.clock += RETRY_SECONDS
    live.add_event("MESSAGE_CREATE", 83, b"{}")
    assert port.deploys_wanted == wanted + 1
    assert port.drops == [("not_loaded", 81), ("not_loaded", 82)]


def test_a_deploy_that_died_with_its_worker_is_repeated(guild: Guild, port: RecordingPort) -> None:
    guild.assign(assignment())
    guild.deploying(SCRIPT)
    guild.on_worker_gone(started=0)
    assert port.deploys_wanted == 2


def test_a_bundle_that_cannot_be_had_is_a_failed_deploy(guild: Guild, port: RecordingPort) -> None:
    guild.assign(assignment())
    guild.cannot_deploy(Outcome.EXCEPTION, ScriptError("no such bundle"))
    assert isinstance(port.reports[0], Failed)
    assert guild.presence is Presence.BROKEN


def test_results_go_to_the_worker_as_the_prelude_reads_them(live: Guild, port: RecordingPort) -> None:
    live.add_result(7, ok=True, value=b'{"id":"1"}')
    live.add_result(8, ok=False, value=b'{"code":"X"}')
    assert port.sent(Kind.RESULT) == [b'[7,true,{"id":"1"}]', b'[8,false,{"code":"X"}]']


def test_results_for_an_isolate_that_is_gone_are_dropped(guild: Guild, port: RecordingPort) -> None:
    guild.add_result(7, ok=True, value=b"null")
    assert port.frames == []


def test_broadcasts_reach_what_runs_and_nobody_waits_for_them(live: Guild, port: RecordingPort) -> None:
    live.add_broadcast(b'{"t":"READY","d":{}}')
    assert event_numbers(port) == [0]
    assert live.pending == 0


def test_a_released_guild_gives_up_its_events_and_is_unloaded(guild: Guild, port: RecordingPort) -> None:
    guild.assign(assignment())
    guild.add_event("MESSAGE_CREATE", 91, b"{}")
    guild.unload()
    assert port.drops == [("released", 91)]
    assert port.sent(Kind.UNLOAD) == [b""]


def test_a_log_line_carries_the_revision_that_printed_it(live: Guild, port: RecordingPort) -> None:
    live.on_log(LogIn("info", "hello"))
    assert (port.lines[0].guild, port.lines[0].revision, port.lines[0].text) == ("123", 1, "hello")


def test_the_run_of_a_job_leaves_a_line(live: Guild, port: RecordingPort) -> None:
    live.job_ended("daily", Done(1, Outcome.EXCEPTION, 12.4))
    (line,) = port.lines
    assert (line.level, line.source, line.event) == ("debug", "runtime", "cron daily")
    assert (line.outcome, line.text) == (Outcome.EXCEPTION, "the job daily ran: exception after 12 ms")


def test_jobs_that_run_all_the_time_do_not_fill_the_log(live: Guild, port: RecordingPort) -> None:
    for number in range(10_000):
        live.job_ended("often", Done(number, Outcome.OK, 1.0))
    assert 0 < len(port.lines) < 1000


@pytest.mark.parametrize(
    ("type_", "shown"), [("MESSAGE_CREATE", "MESSAGE_CREATE"), (f"{CRON_PREFIX}daily", "cron daily")]
)
def test_a_line_about_a_failed_event_names_what_it_was_before_and_after_it_settled(
    live: Guild, port: RecordingPort, type_: str, shown: str
) -> None:
    live.add_event(type_, 91, b"{}")
    live.on_log(LogIn("error", "no", "runtime", event="1"))
    live.on_turn(Turn(started=1))
    live.on_log(LogIn("error", "no", "runtime", event="1"))
    live.on_turn(Turn(started=1, done=[Done(1, Outcome.EXCEPTION, 1.0)]))
    live.on_log(LogIn("error", "no", "runtime", event="1"))
    live.on_log(LogIn("error", "no", "runtime", event="77"))
    live.on_log(LogIn("error", "no", "runtime", event="x"))
    assert [line.event for line in port.lines] == [shown, shown, shown, "", ""]


def test_of_failed_events_only_the_last_are_remembered(live: Guild) -> None:
    for number in range(1, 200):
        live.add_event("MESSAGE_CREATE", number, b"{}")
        live.on_turn(Turn(started=number, done=[Done(number, Outcome.EXCEPTION, 1.0)]))
    assert len(live._failed_events) == FAILED_EVENTS_KEPT


# ------------------------------------------------------------------------------------------------- secrets


def test_a_deploy_brings_the_placeholders_and_a_change_is_told(live: Guild, port: RecordingPort) -> None:
    live.know_secrets({"KEY": "mark"})
    live.know_secrets({"KEY": "mark"})
    (told,) = port.sent(Kind.SECRETS)
    assert msgspec.json.decode(told, type=SecretsIn).placeholders == {"KEY": "mark"}
    assert port.deploys_wanted == 1, "the script stays as it is"
    live.deploying(SCRIPT)
    assert msgspec.json.decode(port.sent(Kind.DEPLOY)[-1], type=Deploy).secrets == {"KEY": "mark"}


def test_a_guild_without_an_isolate_hears_of_secrets_when_it_has_one(
    guild: Guild, port: RecordingPort
) -> None:
    guild.know_secrets({"KEY": "mark"})
    assert port.sent(Kind.SECRETS) == []
    assert guild.placeholders == {"KEY": "mark"}


def test_lines_that_the_worker_left_out_are_told_once(live: Guild, port: RecordingPort) -> None:
    live.on_log(LogIn("info", "kept"))
    live.on_log(LogIn("warn", "", suppressed=41))
    live.on_log(LogIn("warn", "", suppressed=1))
    port.clock += log_rate.SECONDS
    live.tell_suppressed(port.clock)
    live.tell_suppressed(port.clock)
    assert [line.text for line in port.lines] == [
        "kept",
        "42 lines suppressed: a script may write 100 in 10 s",
    ]


def test_a_script_whose_turns_cannot_be_stopped_is_quarantined_at_the_third(
    live: Guild, port: RecordingPort
) -> None:
    for number in range(1, 4):
        live.add_event("MESSAGE_CREATE", number, b"{}")
        live.on_stuck()
        live.on_worker_gone(number)
        if number < 3:
            live.add_event("MESSAGE_CREATE", 10 + number, b"{}")
            live.deploying(SCRIPT)
            live.on_loaded(loaded())
    wanted = port.deploys_wanted
    live.add_event("MESSAGE_CREATE", 99, b"{}")
    assert port.drops[-1] == ("quarantined", 99)
    assert port.deploys_wanted == wanted
    assert "could not be stopped" in port.lines[0].text
    assert any("quarantined until the next deploy" in line.text for line in port.lines)
    report = port.reports[-1]
    assert isinstance(report, Failed)
    assert report.quarantined


def elsewhere(conduct: ExportedConduct | None, port: RecordingPort, revision: int = 1) -> Guild:
    """The same guild on another pod, whose clock is another, half a minute later."""
    assert conduct is not None
    port.clock = 7.0
    guild = Guild(assignment(revision), port, worker=0, slot=3, backlog=10)
    guild.answer_for(conduct, wall=1030.0)
    guild.start()
    return guild


def test_a_script_that_behaves_has_nothing_to_answer_for(live: Guild) -> None:
    assert live.conduct(wall=1000.0) is None


def test_limits_exceeded_count_on_the_next_pod_too(live: Guild, port: RecordingPort) -> None:
    live.on_stuck()
    port.clock += 100
    live.on_stuck()
    conduct = live.conduct(wall=1000.0)
    assert conduct == ExportedConduct(1, BUNDLE, [900.0, 1000.0])
    there = RecordingPort()
    guild = elsewhere(conduct, there)
    assert there.deploys_wanted == 1
    guild.on_stuck()
    report = there.reports[-1]
    assert isinstance(report, Failed)
    assert report.quarantined


def test_limits_exceeded_long_ago_count_no_more(live: Guild, port: RecordingPort) -> None:
    live.on_stuck()
    port.clock += 500
    live.on_stuck()
    there = RecordingPort()
    guild = elsewhere(live.conduct(wall=1000.0), there)
    there.clock += 80  # 610 s after the first
    guild.on_stuck()
    assert there.reports == []


def test_a_quarantine_goes_along_and_is_reported(live: Guild, port: RecordingPort) -> None:
    for _ in range(3):
        live.on_stuck()
    there = RecordingPort()
    guild = elsewhere(live.conduct(wall=1000.0), there)
    assert there.deploys_wanted == 0
    assert there.reports == [report for report in port.reports if isinstance(report, Failed)]
    guild.add_event("MESSAGE_CREATE", 5, b"{}")
    assert there.drops == [("quarantined", 5)]
    guild.assign(assignment(2))
    assert there.deploys_wanted == 1, "until the next deploy"


def test_a_deploy_in_the_meantime_makes_conduct_void(live: Guild, port: RecordingPort) -> None:
    for _ in range(3):
        live.on_stuck()
    there = RecordingPort()
    guild = elsewhere(live.conduct(wall=1000.0), there, revision=2)
    assert (there.deploys_wanted, there.reports) == (1, [])
    guild.on_stuck()
    assert there.reports == []


def test_a_recycling_that_crosses_lifts_no_quarantine(live: Guild, port: RecordingPort) -> None:
    for _ in range(3):
        live.on_stuck()
    live.on_recycled(Recycled(Outcome.KILLED, lost=[]))
    live.add_event("MESSAGE_CREATE", 5, b"{}")
    assert port.drops == [("quarantined", 5)]
    assert len([line for line in port.lines if line.text.startswith("quarantined")]) == 1
