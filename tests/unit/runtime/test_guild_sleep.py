"""A guild that sleeps and wakes: what it keeps, and that nothing gets lost whatever crosses on the pipe."""

from __future__ import annotations

from collections import deque

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flora_core.wire.control import Assignment, Failed, Loaded, Outcome, ScriptError
from flora_core.wire.pipe import Deploy, Done, FailedIn, Kind, OverBudget, Recycled, Turn
from flora_runtime.supervisor.guild import STRIKES, Guild, Presence
from tests.unit.runtime.test_guild import SCRIPT, RecordingPort, assignment, loaded


def make(*, hibernates: bool = True) -> tuple[Guild, RecordingPort]:
    port = RecordingPort()
    wanted = Assignment("123", 1, "ab" * 32, hibernates=hibernates)
    return Guild(wanted, port, worker=0, slot=3, backlog=1000), port


def awake(*, hibernates: bool = True) -> tuple[Guild, RecordingPort]:
    guild, port = make(hibernates=hibernates)
    guild.assign(guild.assignment)
    guild.deploying(SCRIPT)
    guild.on_loaded(loaded())
    return guild, port


def test_an_idle_guild_is_asked_and_sleeps_when_its_worker_says_so() -> None:
    guild, port = awake()
    assert guild.may_sleep
    guild.hibernate(timers_within=600)
    assert msgspec.json.decode(port.sent(Kind.HIBERNATE)[0]) == {"timers_within": 600}
    assert guild.presence is Presence.LIVE, "until the worker agrees"
    guild.on_hibernated()
    assert (guild.presence, port.sleeps) == (Presence.ABSENT, 1)


def test_a_worker_that_does_not_agree_keeps_it_awake() -> None:
    guild, port = awake()
    port.clock = 900.0
    guild.hibernate(timers_within=600)
    assert guild.active_at == 900.0, "asked again after another while"
    guild.add_event("MESSAGE_CREATE", 1, b"{}")
    assert len(port.sent(Kind.EVENT)) == 1


def test_its_next_event_wakes_it_and_is_handled() -> None:
    guild, port = awake()
    guild.hibernate(600)
    guild.on_hibernated()
    guild.add_event("MESSAGE_CREATE", 41, b"{}")
    assert (port.deploys_wanted, port.urgent) == (2, True)
    guild.deploying(SCRIPT)
    assert port.sent(Kind.EVENT) == []
    guild.on_loaded(loaded())
    assert len(port.sent(Kind.EVENT)) == 1
    guild.on_turn(Turn(started=1, done=[Done(1, Outcome.OK, 1.0)]))
    assert port.safe_offsets == [41]
    assert port.wakes == 2
    assert sum(isinstance(report, Loaded) for report in port.reports) == 1, "a wake is no deploy"


def test_an_event_that_crossed_with_its_sleep_is_sent_again() -> None:
    guild, port = awake()
    guild.hibernate(600)
    guild.add_event("MESSAGE_CREATE", 41, b"{}")
    guild.on_hibernated()
    assert port.sleeps == 0
    assert (port.deploys_wanted, port.urgent) == (2, True)
    guild.deploying(SCRIPT)
    guild.on_loaded(loaded())
    assert len(port.sent(Kind.EVENT)) == 2
    assert port.drops == []


def test_a_deploy_that_crossed_with_its_sleep_goes_on() -> None:
    guild, port = awake()
    guild.hibernate(600)
    guild.assign(assignment(revision=2))
    guild.deploying(SCRIPT)
    guild.on_hibernated()
    assert guild.presence is Presence.LOADING, "its answers must not be dropped"
    guild.add_result(7, True, b"null")
    assert len(port.sent(Kind.RESULT)) == 1
    guild.on_loaded(loaded(revision=2))
    assert guild.presence is Presence.LIVE
    assert port.sleeps == 0


def test_events_after_a_deploy_that_crosses_with_its_sleep_wait_for_the_new_isolate() -> None:
    guild, port = awake()
    guild.hibernate(600)
    guild.assign(assignment(revision=2))
    guild.deploying(SCRIPT)
    guild.add_event("MESSAGE_CREATE", 41, b"{}")
    assert port.sent(Kind.EVENT) == []
    guild.on_hibernated()
    guild.on_loaded(loaded(revision=2))
    assert len(port.sent(Kind.EVENT)) == 1


def test_events_go_to_the_old_isolate_meanwhile_when_it_has_begun_another_since_it_was_asked() -> None:
    guild, port = awake()
    guild.hibernate(600)
    guild.add_event("MESSAGE_CREATE", 41, b"{}")
    guild.on_turn(Turn(started=1, done=[Done(1, Outcome.OK, 1.0)]))
    guild.assign(assignment(revision=2))
    guild.deploying(SCRIPT)
    guild.add_event("MESSAGE_CREATE", 42, b"{}")
    assert len(port.sent(Kind.EVENT)) == 2


def test_events_that_waited_for_a_deploy_that_fails_go_to_the_isolate_that_did_not_sleep() -> None:
    guild, port = awake()
    guild.hibernate(600)
    guild.assign(assignment(revision=2))
    guild.deploying(SCRIPT)
    guild.add_event("MESSAGE_CREATE", 41, b"{}")
    guild.on_failed(FailedIn(2, Outcome.EXCEPTION, ScriptError("bad")))
    assert len(port.sent(Kind.EVENT)) == 1


@pytest.mark.parametrize(
    "busy", ["an event waits", "a handler is open", "a deploy waits", "a deploy is under way"]
)
def test_a_guild_that_wants_something_may_not_sleep(busy: str) -> None:
    guild, _ = awake()
    if busy.startswith("a deploy"):
        guild.assign(assignment(revision=2))
        if busy.endswith("way"):
            guild.deploying(SCRIPT)
    else:
        guild.add_event("MESSAGE_CREATE", 1, b"{}")
        if busy == "a handler is open":
            guild.on_turn(Turn(started=1))
    assert not guild.may_sleep


def test_a_guild_whose_owner_objects_may_not_sleep() -> None:
    assert not awake(hibernates=False)[0].may_sleep


def test_a_guild_that_slept_when_its_pod_ended_sleeps_on() -> None:
    guild, port = make()
    guild.remember(loaded(commands=b"[]"))
    assert (port.deploys_wanted, guild.presence) == (0, Presence.ABSENT)
    assert (port.subscriptions, port.commands_seen) == ([["messageCreate"]], [b"[]"])
    assert isinstance(port.reports[0], Loaded)
    guild.add_event("MESSAGE_CREATE", 1, b"{}")
    assert (port.deploys_wanted, port.urgent) == (1, True)


# ---------------------------------------------------------------- its limits


def test_using_up_the_cpu_time_of_a_minute_is_told() -> None:
    guild, port = awake()
    guild.on_over_budget(OverBudget(0), seconds=12)
    line = port.lines[-1]
    assert line.text == "the script used up its 12 s of CPU time a minute; its events wait for more"
    assert (line.level, line.outcome) == ("warn", Outcome.EXCEEDED_CPU)


def test_wanting_more_for_minutes_on_end_quarantines() -> None:
    guild, port = awake()
    guild.add_event("MESSAGE_CREATE", 5, b"{}")
    for minutes in range(STRIKES + 1):
        port.clock += 60
        guild.on_over_budget(OverBudget(minutes), seconds=12)
    assert any(line.text.startswith("quarantined") for line in port.lines)
    assert port.sent(Kind.UNLOAD)
    assert ("quarantined", 5) in port.drops
    guild.add_event("MESSAGE_CREATE", 6, b"{}")
    assert port.drops[-1] == ("quarantined", 6)


EXCEEDING = {
    "CPU": lambda guild: guild.on_recycled(Recycled(Outcome.EXCEEDED_CPU, lost=[])),
    "memory": lambda guild: guild.on_recycled(Recycled(Outcome.EXCEEDED_MEMORY, lost=[])),
    "output over the limit": lambda guild: guild.on_recycled(Recycled(Outcome.EXCEPTION, lost=[])),
    "a turn that cannot be stopped": lambda guild: guild.on_stuck(),
    "CPU by the minute": lambda guild: guild.on_over_budget(OverBudget(1), seconds=12),
}


@pytest.mark.parametrize("exceed", EXCEEDING.values(), ids=EXCEEDING)
def test_each_limit_counts_towards_quarantine(exceed: object) -> None:
    guild, port = awake()
    for strike in range(STRIKES):
        assert not any(isinstance(report, Failed) for report in port.reports), strike
        exceed(guild)  # type: ignore[operator]
        if guild.presence is not Presence.LIVE:
            guild.deploying(SCRIPT)
            guild.on_loaded(loaded())
    assert isinstance(port.reports[-1], Failed)


def test_what_was_cancelled_or_killed_for_others_does_not_count() -> None:
    guild, port = awake()
    for _ in range(STRIKES * 2):
        guild.on_recycled(Recycled(Outcome.CANCELED, lost=[]))
        guild.on_worker_gone(0)
    assert not any(isinstance(report, Failed) for report in port.reports)


def test_a_script_that_goes_over_its_limits_whenever_it_is_loaded_is_quarantined() -> None:
    guild, port = awake()
    guild.on_hibernated()
    for offset in range(STRIKES):
        port.clock += 10
        guild.add_event("MESSAGE_CREATE", offset, b"{}")
        guild.deploying(SCRIPT)
        guild.on_failed(FailedIn(1, Outcome.EXCEEDED_CPU, ScriptError("too much")))
    assert any(line.text.startswith("quarantined") for line in port.lines)


def test_a_verdict_that_crossed_with_a_load_stands() -> None:
    guild, port = awake()
    for _ in range(STRIKES):
        guild.on_recycled(Recycled(Outcome.EXCEEDED_CPU, lost=[]))
    guild.deploying(SCRIPT)
    guild.on_loaded(loaded())
    assert guild.presence is not Presence.LIVE
    assert len(port.sent(Kind.UNLOAD)) == 2


def test_a_new_deploy_lifts_the_quarantine() -> None:
    guild, port = awake()
    for _ in range(STRIKES):
        guild.on_recycled(Recycled(Outcome.EXCEEDED_CPU, lost=[]))
    guild.assign(assignment(revision=2))
    guild.deploying(SCRIPT)
    guild.on_loaded(loaded(revision=2))
    guild.add_event("MESSAGE_CREATE", 9, b"{}")
    assert len(port.sent(Kind.EVENT)) == 1


# ---------------------------------------------------------------- whatever crosses


class PipeAndWorker:
    """A worker that does what the real one does with the frames of one guild, one frame at a time."""

    def __init__(self, guild: Guild, port: RecordingPort) -> None:
        self.guild, self.port = guild, port
        self.inbox: deque[tuple[Kind, bytes]] = deque()
        self.outbox: deque[tuple[str, object]] = deque()
        self.live = False
        self.held: list[int] = []
        self.taken = 0
        self.offsets: dict[int, int] = {}
        self.handled: list[int] = []

    def post(self) -> None:
        self.inbox.extend(self.port.frames[self.taken :])
        self.taken = len(self.port.frames)

    def work(self) -> None:
        """Take one frame."""
        self.post()
        if not self.inbox:
            return
        kind, body = self.inbox.popleft()
        if kind is Kind.DEPLOY:
            self.live = True
            self.outbox.append(("loaded", msgspec.json.decode(body, type=Deploy).revision))
        elif kind is Kind.UNLOAD:
            self.live, self.held = False, []
        elif kind is Kind.EVENT and self.live:
            self.held.append(int.from_bytes(body[:8], "little"))
            self.handled_if_started(body)
        elif kind is Kind.HIBERNATE and self.live and not self.held:
            self.live = False
            self.outbox.append(("hibernated", None))

    def handled_if_started(self, body: bytes) -> None:
        self.offsets[self.held[-1]] = int(body[8:])

    def turn(self) -> None:
        """Start and finish all that it holds."""
        if self.live and self.held:
            numbers, self.held = self.held, []
            self.handled += [self.offsets[number] for number in numbers]
            done = [Done(number, Outcome.OK, 1.0) for number in numbers]
            self.outbox.append(("turn", Turn(started=numbers[-1], done=done)))

    def hear(self) -> None:
        """The supervisor takes one frame."""
        if not self.outbox:
            return
        what, value = self.outbox.popleft()
        if what == "loaded":
            assert isinstance(value, int)
            self.guild.on_loaded(loaded(revision=value))
        elif what == "hibernated":
            self.guild.on_hibernated()
        elif isinstance(value, Turn):
            self.guild.on_turn(value)


STEPS = st.sampled_from(["event", "sleep", "deploy ready", "assign", "work", "turn", "hear"])


@given(st.lists(STEPS, max_size=120))
@example(["deploy ready", "work", "hear", "sleep", "assign", "deploy ready", "event"])
def test_every_event_is_handled_once_however_sleep_deploys_and_events_cross(steps: list[str]) -> None:
    guild, port = make()
    worker = PipeAndWorker(guild, port)
    guild.assign(guild.assignment)
    events, revision, deploys = 0, 1, 0

    def deploy_ready() -> None:
        nonlocal deploys
        if port.deploys_wanted > deploys:
            deploys = port.deploys_wanted
            guild.deploying(SCRIPT)

    for step in steps:
        if step == "event":
            events += 1
            guild.add_event("MESSAGE_CREATE", events, str(events).encode())
        elif step == "sleep" and guild.may_sleep:
            guild.hibernate(0)
        elif step == "deploy ready":
            deploy_ready()
        elif step == "assign":
            revision += 1
            guild.assign(assignment(revision=revision))
        elif step in ("work", "turn", "hear"):
            getattr(worker, step)()
    for _ in range(200):  # everything comes to rest
        deploy_ready()
        worker.work()
        worker.turn()
        worker.hear()
    assert sorted(worker.handled) == list(range(1, events + 1))
    assert worker.handled == sorted(worker.handled), "in order"
    assert sorted(port.safe_offsets) == list(range(1, events + 1))
    assert guild.pending == 0
    assert port.drops == []
