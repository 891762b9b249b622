"""A real pod with workers, neighbours that never stop asking, and one attacker after the other.

The pod stays up from attack to attack: every attacker is a guild of its own on the first worker, deployed
beside the neighbours and released afterwards. Two neighbours share the attacker's worker, a third has the
other. Each is asked something every few milliseconds for as long as the attack lasts, and must give the one
right answer to every question. How long it took is recorded; that it comes at all, within ``PATIENCE``, is
demanded.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
from prometheus_client import REGISTRY

from flora_core.hashing import worker_of
from flora_core.ids import GuildId
from flora_core.wire.control import Failed, Loaded, LogLine, Outcome
from flora_core.wire.gateway import Op
from flora_core.wire.pipe import Done
from flora_runtime.supervisor.guild import Guild
from flora_runtime.supervisor.pod import RuntimePod
from flora_runtime.supervisor.process import Ended
from tests.hostile.catalogue import OUTCOMES, Snippet
from tests.integration.path.path_under_test import DiscordProxy, PathUnderTest, guild_on_worker

PATIENCE: Final = 20.0
"""Seconds within which a neighbour must answer, and an attack must come to an end: a busy CI machine's."""

ASK_SECONDS: Final = 0.02
NEWS_SECONDS: Final = 0.1
FIRST_ATTACKER: Final = 10_000

LIMITS: Final = {
    "load_timeout_secs": 3.0,
    "dispatch_timeout_secs": 1.0,
    "dispatch_wall_timeout_secs": 2.0,
    "cron_timeout_secs": 1.0,
}
"""Shorter than the defaults, so that what waits for ever is over soon. CPU and memory limits are the
defaults: 200 ms a turn, 64 MiB."""

NEIGHBOUR: Final = """
let asked = 0;
on("messageCreate", async (ctx) => {
  asked++;
  const [question] = ctx.msg.content.split("?");
  const answer = [...question].reverse().map((digit) => Number(digit) + 1).join(",");
  await ctx.reply(`${question}=${answer}`);
});
"""


TOLD: Final = {"quarantined until": "quarantined", "its worker process is replaced": "killed"}
"""What a guild's log says of fates that are no outcomes of an event."""


def right_answer(question: str) -> str:
    """What a neighbour says to ``question``, some digits."""
    return f"{question}={','.join(str(int(digit) + 1) for digit in reversed(question))}"


@dataclass(slots=True)
class Verdict:
    """What became of one attack."""

    snippet: Snippet
    outcome: str
    """The worst that was said of the attacker; "nothing" when it had not come to an end."""
    questions: int
    """How many the neighbours were asked meanwhile."""
    worst_ms: float
    """The longest that a neighbour's answer took."""
    replaced: list[str]
    """Why workers were replaced meanwhile."""
    peak_mib: float
    """The most memory that the attacker's worker took."""
    seconds: float
    harm: list[str] = field(default_factory=list[str])
    """What neighbours or the pod suffered; nothing, it should be."""

    @property
    def as_expected(self) -> bool:
        return self.outcome in self.snippet.allowed and not self.harm


class WatchedPod(RuntimePod):
    """Writes down what is said of each guild, and passes it on."""

    def __init__(self, settings: Any) -> None:
        self.fates: defaultdict[str, list[str]] = defaultdict(list)
        self.settled_events: defaultdict[str, int] = defaultdict(int)
        super().__init__(settings)

    def settled(self, guild: Guild, type_: str, done: Done) -> None:
        self.fates[guild.id].append(Outcome(done.outcome))
        self.settled_events[guild.id] += type_ == "MESSAGE_CREATE"
        super().settled(guild, type_, done)

    def report(self, report: Loaded | Failed) -> None:
        if isinstance(report, Failed):
            self.fates[report.guild].append(Outcome(report.outcome))
        super().report(report)

    def log(self, line: LogLine) -> None:
        if line.source == "runtime" and line.outcome is not None:
            fate = next((fate for text, fate in TOLD.items() if text in line.text), Outcome(line.outcome))
            self.fates[line.guild].append(fate)
        super().log(line)


class Answers(DiscordProxy):
    """A Discord that answers at once and remembers what neighbours said, not what attackers did."""

    def __init__(self, neighbours: set[str]) -> None:
        super().__init__()
        self._neighbours = neighbours
        self.calls_of_others = 0
        self.said: dict[tuple[str, str], float] = {}
        """When a neighbour said what."""
        self.repeated: list[str] = []

    def execute(self, op: Op, done: Callable[[bool, bytes], None]) -> None:
        if op.guild in self._neighbours and op.name == "sendMessage":
            said = (op.guild, msgspec.json.decode(op.args)["body"]["content"])
            if said in self.said:
                self.repeated.append(said[1])
            self.said[said] = time.monotonic()
        else:
            self.calls_of_others += 1
        self.answer(done)


class PodUnderAttack(PathUnderTest):
    """``attack`` as often as you like."""

    pod_class = WatchedPod

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, **LIMITS)
        same = [guild_on_worker(0, start=start) for start in (1, 100)]
        self.neighbours = [*same, guild_on_worker(1)]
        self.answers = self.discord = Answers(set(self.neighbours))
        self._questions = itertools.count(1)
        self._news_at = 0.0
        self._asked: dict[tuple[str, str], float] = {}
        self._attackers: Iterator[str] = (
            str(number)
            for number in itertools.count(FIRST_ATTACKER)
            if worker_of(GuildId(str(number)), 2) == 0
        )

    async def start(self) -> None:
        await super().start()
        for guild in self.neighbours:
            await self.deploy(guild, NEIGHBOUR)

    async def attack(self, snippet: Snippet) -> Verdict:
        """Run ``snippet`` in a new guild until it has come to an end."""
        guild = next(self._attackers)
        self._asked.clear()
        self.answers.said.clear()
        self.answers.repeated.clear()
        before, began = restarts(), time.monotonic()
        with memory_of(self._attacked_pid()) as memory:
            asking = asyncio.create_task(self._keep_asking(memory))
            try:
                outcome = await self._provoke(guild, snippet)
            finally:
                asking.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await asking
        harm = await self._harm()
        self._forget(guild)
        return Verdict(
            snippet,
            outcome,
            questions=len(self._asked),
            worst_ms=self._worst() * 1000,
            replaced=[
                reason for reason, count in restarts().items() for _ in range(int(count - before[reason]))
            ],
            peak_mib=memory.peak / (1 << 20),
            seconds=time.monotonic() - began,
            harm=harm,
        )

    # ---------------------------------------------------------------- the attacker

    async def _provoke(self, guild: str, snippet: Snippet) -> str:
        """Deploy, send what sets it off, and wait for what becomes of it."""
        pod, pid = self._watched(), self._attacked_pid()
        revision = self.operator.deploy(guild, snippet.script)
        with contextlib.suppress(TimeoutError):
            await self.wait(lambda: self._told_of(guild, revision), seconds=PATIENCE)
        if not self._over(guild):
            for _ in range(snippet.events):
                self.message("go", guild=guild)
            with contextlib.suppress(TimeoutError):
                await self.wait(lambda: self._come_to_an_end(guild, snippet), seconds=PATIENCE)
        if "killed" in pod.fates[guild]:
            await self._replaced(pid)
        elif "ok" in snippet.expected or snippet.events > 1:
            deadline = time.monotonic() + snippet.linger
            while time.monotonic() < deadline and not self._over(guild):
                await asyncio.sleep(ASK_SECONDS)
        return max(pod.fates[guild], key=OUTCOMES.index, default=self._silence(guild, snippet))

    async def _replaced(self, pid: int | None) -> None:
        """Wait for the successor of a worker, so that its end is not taken for the next attacker's doing."""
        await self.wait(
            lambda: self._attacked_pid() != pid and self._watched().ready() is None, seconds=PATIENCE
        )

    def _told_of(self, guild: str, revision: int) -> bool:
        return any(report.guild == guild and report.revision == revision for report in self.operator.reports)

    def _over(self, guild: str) -> bool:
        """Something worse than an exception, or a load that failed: there is no more to come."""
        fates = self._watched().fates[guild]
        failed = any(isinstance(report, Failed) and report.guild == guild for report in self.operator.reports)
        return failed or any(OUTCOMES.index(fate) > OUTCOMES.index("exception") for fate in fates)

    def _ask_for_news(self, guild: str) -> None:
        """A handler that has ended well is told of with the next turn, within a second: give it one."""
        found, now = self._watched()._guilds.get(guild), time.monotonic()
        if found is not None and now > self._news_at:
            self._news_at = now + NEWS_SECONDS
            found.add_broadcast(b'{"t":"NEWS","d":{}}')

    def _come_to_an_end(self, guild: str, snippet: Snippet) -> bool:
        pod = self._watched()
        if snippet.expected == {"quarantined"}:
            return "quarantined" in pod.fates[guild]
        if self._over(guild):
            return True
        if snippet.expected & {"ok", "exception"}:
            self._ask_for_news(guild)
            return pod.settled_events[guild] >= snippet.events
        return False

    def _silence(self, guild: str, snippet: Snippet) -> str:
        """A script that loaded and takes no messages has done no harm; anything else is still going on."""
        loaded = any(isinstance(report, Loaded) and report.guild == guild for report in self.operator.reports)
        return "ok" if loaded and snippet.whole_script else "nothing"

    def _forget(self, guild: str) -> None:
        pod = self._watched()
        pod.fates.pop(guild, None)
        pod.settled_events.pop(guild, None)
        self.operator.state.release(GuildId(guild))
        self.operator.reports.clear()
        self.operator.logs.clear()
        self.operator.bundles = {
            sha256: data for sha256, data in self.operator.bundles.items() if b"asked" in data
        }

    def _watched(self) -> WatchedPod:
        assert isinstance(self.pod, WatchedPod)
        return self.pod

    def _attacked_pid(self) -> int | None:
        return self._watched()._workers[0].pid

    # ---------------------------------------------------------------- the neighbours

    async def _keep_asking(self, memory: PeakMemory) -> None:
        while True:
            for guild in self.neighbours:
                question = str(next(self._questions))
                self._asked[guild, question] = time.monotonic()
                self.message(f"{question}?", guild=guild)
            memory.look(self._attacked_pid())
            await asyncio.sleep(ASK_SECONDS)

    def _unanswered(self) -> list[str]:
        return [
            f"guild {guild} did not answer {question}"
            for guild, question in self._asked
            if (guild, right_answer(question)) not in self.answers.said
        ]

    async def _harm(self) -> list[str]:
        with contextlib.suppress(TimeoutError):
            await self.wait(
                lambda: not self._unanswered() and self._watched().ready() is None, seconds=PATIENCE
            )
        asked = {(guild, right_answer(question)) for guild, question in self._asked}
        wrong = [
            f"guild {guild} said {said}" for guild, said in self.answers.said if (guild, said) not in asked
        ]
        repeated = [f"said twice: {said}" for said in self.answers.repeated]
        cut = [
            f"guild {line.guild}: {line.text}" for line in self.operator.logs if line.guild in self.neighbours
        ]
        running = self._running
        lost = ["the pod is gone"] if running is None or running.done() else []
        unready = [f"the pod is not ready: {why}"] if (why := self._watched().ready()) else []
        return [*self._unanswered(), *wrong, *repeated, *cut, *lost, *unready]

    def _worst(self) -> float:
        said = self.answers.said
        waits = [
            said[guild, right_answer(question)] - at
            for (guild, question), at in self._asked.items()
            if (guild, right_answer(question)) in said
        ]
        return max(waits, default=0.0)


def restarts() -> dict[str, float]:
    """How many workers were replaced so far, by reason."""
    name = "flora_runtime_restarts_total"
    return {reason: REGISTRY.get_sample_value(name, {"reason": reason}) or 0.0 for reason in Ended}


@dataclass(slots=True)
class PeakMemory:
    """The most that a process had resident, in bytes; where the kernel keeps account of it."""

    peak: int = 0

    def look(self, pid: int | None) -> None:
        """Read the account of ``pid``, if it is still there."""
        with contextlib.suppress(OSError):
            found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
            self.peak = max(self.peak, int(found[1]) << 10) if found else self.peak


@contextlib.contextmanager
def memory_of(pid: int | None) -> Iterator[PeakMemory]:
    """Begin a new account for ``pid`` and close it at the end (proc(5), clear_refs)."""
    memory = PeakMemory()
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    yield memory
    memory.look(pid)
