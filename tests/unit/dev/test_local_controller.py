"""The local controller: what it assigns, and what a failed or repeated deploy leaves as it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from flora_core.errors import BundleFailed, FloraError, ToolTimeout
from flora_core.ids import GuildId, PodName
from flora_core.toolchain import Built, Bundle, Diagnostic, Project
from flora_core.wire.control import (
    Assign,
    Draining,
    Failed,
    Guilds,
    Joined,
    Left,
    Limits,
    Loaded,
    LogLine,
    Outcome,
    Release,
    Retire,
    ScriptError,
    Secret,
)
from flora_dev.controller import POD, Condition, GuildStatus, LocalController
from flora_dev.secrets import DevSecret

ONE, TWO = GuildId("1"), GuildId("20")


class Tools:
    """Bundles a project into its entrypoint's text; fails when told to."""

    def __init__(self) -> None:
        self.failure: FloraError | None = None
        self.warnings: list[Diagnostic] = []
        self.found: list[Diagnostic] = []
        self.during: Callable[[], None] = lambda: None

    async def bundle(self, project: Project) -> Built:
        if self.failure is not None:
            raise self.failure
        return Built(Bundle(project.entrypoint, project.files[project.entrypoint]), self.warnings)

    async def check(self, project: Project) -> list[Diagnostic]:
        self.during()
        if self.failure is not None:
            raise self.failure
        return self.found


class Heard:
    """An audience."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.errors: list[tuple[str, bool]] = []
        self.diagnostics: list[Diagnostic] = []
        self.logs: list[LogLine] = []

    def on_status(self, status: GuildStatus) -> None:
        self.reasons.append(status.reason.value)

    def on_error(self, status: GuildStatus, error: ScriptError) -> None:
        self.errors.append((error.message, status.loaded is not None))

    def on_diagnostics(self, guild: GuildId, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics += diagnostics

    def on_log(self, pod: PodName, line: LogLine) -> None:
        self.logs.append(line)


class ControllerUnderTest(LocalController):
    """With its tools and audience at hand."""

    def __init__(self) -> None:
        self.tools, self.heard = Tools(), Heard()
        super().__init__(self.tools, self.heard)  # pyright: ignore[reportArgumentType]

    async def script(self, text: str, guild: GuildId = ONE, **options: Any) -> None:
        await self.deploy(guild, f"bot {guild}", Project({"main.ts": text}, "main.ts"), **options)

    def loads(self, revision: int, guild: GuildId = ONE) -> None:
        self.on_report(POD, Loaded(guild, revision, "ab" * 32, 0, 1.0))

    def fails(self, revision: int, guild: GuildId = ONE) -> None:
        error = ScriptError("boom")
        self.on_report(POD, Failed(guild, revision, "ab" * 32, Outcome.EXCEPTION, error))

    def status(self, guild: GuildId = ONE) -> GuildStatus:
        return next(status for status in self.statuses if status.guild == guild)


@pytest.fixture
def controller() -> ControllerUnderTest:
    return ControllerUnderTest()


async def test_a_deploy_is_assigned_under_the_hash_its_bytes_are_kept_by(
    controller: ControllerUnderTest,
) -> None:
    await controller.script("one", limits=Limits(50, 128))
    assigned = controller.state.assignment(ONE)
    assert assigned is not None
    assert (assigned.revision, assigned.limits) == (1, Limits(50, 128))
    data = await controller.bundle(Bundle("main.ts", "one").sha256)
    assert data == Bundle("main.ts", "one").to_bytes()
    assert assigned.bundle == Bundle("main.ts", "one").sha256
    controller.loads(1)
    assert controller.status().ready
    assert controller.heard.reasons == ["Bundling", "Loading", "Loaded"]


async def test_saving_without_a_change_loads_nothing_anew(controller: ControllerUnderTest) -> None:
    await controller.script("one")
    controller.loads(1)
    before = controller.state.revision
    await controller.script("one")
    assert controller.state.revision == before
    assert controller.status().ready


async def test_other_limits_are_a_change(controller: ControllerUnderTest) -> None:
    await controller.script("one")
    controller.loads(1)
    await controller.script("one", limits=Limits(50, 64))
    assigned = controller.state.assignment(ONE)
    assert assigned is not None
    assert (assigned.revision, assigned.limits.cpu_milliseconds) == (2, 50)


async def test_wishing_to_stay_awake_is_a_change(controller: ControllerUnderTest) -> None:
    await controller.script("one")
    controller.loads(1)
    await controller.script("one", hibernates=False)
    assigned = controller.state.assignment(ONE)
    assert assigned is not None
    assert (assigned.revision, assigned.hibernates) == (2, False)


@pytest.mark.parametrize("failure", [BundleFailed("src/main.ts:1:1: no"), ToolTimeout("too slow")])
async def test_what_does_not_bundle_changes_nothing_that_runs(
    controller: ControllerUnderTest, failure: FloraError
) -> None:
    await controller.script("one")
    controller.loads(1)
    running = controller.state.assignment(ONE)
    controller.tools.failure = failure
    await controller.script("two")
    assert controller.state.assignment(ONE) == running
    assert controller.status().reason is Condition.BUNDLE_FAILED
    ((message, runs_on),) = controller.heard.errors
    assert str(failure) in message
    assert runs_on


async def test_going_back_to_what_runs_after_a_failure_is_ready_at_once(
    controller: ControllerUnderTest,
) -> None:
    await controller.script("one")
    controller.loads(1)
    controller.tools.failure = BundleFailed("no")
    await controller.script("two")
    controller.tools.failure = None
    await controller.script("one")
    assert (controller.status().ready, controller.status().revision, controller.status().message) == (
        True,
        1,
        "",
    )


async def test_a_bundle_runs_as_it_is(controller: ControllerUnderTest) -> None:
    given = Bundle("main.ts", "made elsewhere")
    controller.tools.failure = ToolTimeout("nobody should bundle it")
    await controller.deploy(ONE, "bot", given, sources=Project({"main.ts": "a\nb"}, "main.ts"))
    assigned = controller.state.assignment(ONE)
    assert assigned is not None
    assert assigned.bundle == given.sha256
    assert controller.source_line(ONE, "main.ts", 2) == "b"
    await controller.deploy(ONE, "bot", Bundle("main.ts", "another"))
    assert controller.source_line(ONE, "main.ts", 2) is None, "what it was made from is not known"


async def test_what_ends_loading_while_another_is_bundled_is_not_taken_for_that(
    controller: ControllerUnderTest,
) -> None:
    await controller.script("one")
    told: list[str] = []

    async def slowly(project: Project) -> Built:
        controller.loads(1)
        told.append(controller.status().reason.value)
        return Built(Bundle(project.entrypoint, "two"), [])

    controller.tools.bundle = slowly  # pyright: ignore[reportAttributeAccessIssue]
    await controller.script("two")
    assert told == ["Bundling"]
    assert controller.status().loaded is not None, "what runs is known all the same"
    assert (controller.status().reason.value, controller.status().revision) == ("Loading", 2)


async def test_why_it_failed_is_kept_until_it_is_live(controller: ControllerUnderTest) -> None:
    heard: list[str] = []
    controller.listen(lambda status: heard.append(f"{status.reason} {status.error}"))
    await controller.script("one")
    controller.fails(1)
    assert controller.status().error == ScriptError("boom")
    await controller.script("two")
    controller.loads(2)
    assert controller.status().error is None
    assert heard[-1] == "Loaded None", "those who listen hear it with the status"


async def test_the_folders_secret_counts_before_the_apis(controller: ControllerUnderTest) -> None:
    await controller.script("one")
    theirs = [Secret("A", "p-a", "theirs", []), Secret("B", "p-b", "theirs", [])]
    controller.know_api_secrets(ONE, theirs)
    controller.know_secrets(ONE, [DevSecret("B", "mine", ["x.example.com"])])

    def known() -> dict[str, str]:
        secrets = controller.state.snapshot(POD).secrets.get(ONE, [])
        return {secret.name: secret.value for secret in secrets}

    assert known() == {"A": "theirs", "B": "mine"}
    controller.know_secrets(ONE, [])
    assert known() == {"A": "theirs", "B": "theirs"}
    controller.know_api_secrets(ONE, [])
    assert known() == {}


async def test_a_script_that_does_not_load_is_told_and_what_ran_before_is_known(
    controller: ControllerUnderTest,
) -> None:
    await controller.script("one")
    controller.loads(1)
    await controller.script("two")
    controller.fails(2)
    assert controller.heard.errors == [("boom", True)]
    assert (controller.status().reason, controller.status().message) == (Condition.LOAD_FAILED, "boom")


async def test_reports_of_earlier_deploys_and_of_strangers_change_nothing(
    controller: ControllerUnderTest,
) -> None:
    await controller.script("one")
    await controller.script("two")
    controller.loads(1)
    controller.fails(1)
    controller.loads(2, GuildId("999"))
    assert controller.status().reason is Condition.LOADING
    assert controller.heard.errors == []


async def test_a_suspended_guild_is_released_and_loads_again_when_it_is_wanted(
    controller: ControllerUnderTest,
) -> None:
    await controller.script("one")
    controller.loads(1)
    before = controller.state.revision
    controller.suspend(ONE, "bot")
    assert controller.status().reason is Condition.SUSPENDED
    await controller.script("one")
    release, assign = controller.state.changes(POD, after=before)
    assert isinstance(release, Release)
    assert isinstance(assign, Assign)
    assert assign.assignment.revision == 2, "a report of the first must not count for the second"


async def test_a_removed_guild_is_forgotten_and_can_be_removed_again(controller: ControllerUnderTest) -> None:
    await controller.script("one")
    controller.remove(ONE)
    controller.remove(ONE)
    assert (controller.statuses, controller.state.assignment(ONE)) == ([], None)
    assert controller.source_line(ONE, "main.ts", 1) is None
    controller.loads(1)
    assert controller.statuses == []


async def test_guilds_are_listed_by_number(controller: ControllerUnderTest) -> None:
    for guild in (TWO, ONE, GuildId("3")):
        await controller.script("x", guild)
    assert [status.guild for status in controller.statuses] == ["1", "3", "20"]


@pytest.mark.parametrize(
    ("file", "line", "text"),
    [("main.ts", 1, "a"), ("main.ts", 2, "b"), ("main.ts", 3, None), ("main.ts", 0, None), ("x.ts", 1, None)],
)
async def test_lines_are_those_of_what_was_deployed_last(
    controller: ControllerUnderTest, file: str, line: int, text: str | None
) -> None:
    await controller.script("a\nb")
    assert controller.source_line(ONE, file, line) == text


async def test_warnings_are_shown_and_stop_nothing(controller: ControllerUnderTest) -> None:
    controller.tools.warnings = [Diagnostic("unused import", severity="warning")]
    await controller.script("one")
    assert controller.heard.diagnostics == controller.tools.warnings
    assert controller.state.assignment(ONE) is not None


# ---------------------------------------------------------------- type checks


async def test_a_check_tells_what_is_wrong_and_changes_no_status(controller: ControllerUnderTest) -> None:
    await controller.script("one")
    controller.tools.found = [Diagnostic("wrong type", code="TS2322")]
    before = list(controller.heard.reasons)
    await controller.check(ONE)
    assert controller.heard.diagnostics == controller.tools.found
    assert controller.heard.reasons == before


async def test_a_verdict_on_what_was_replaced_meanwhile_is_not_shown(controller: ControllerUnderTest) -> None:
    await controller.script("one")
    controller.tools.found = [Diagnostic("wrong type")]
    controller.tools.during = lambda: controller.remove(ONE)
    await controller.check(ONE)
    assert controller.heard.diagnostics == []


async def test_what_did_not_bundle_and_what_nobody_deployed_is_not_checked(
    controller: ControllerUnderTest,
) -> None:
    controller.tools.found = [Diagnostic("wrong type")]
    await controller.check(ONE)
    controller.tools.failure = BundleFailed("no")
    await controller.script("one")
    controller.tools.failure = None
    await controller.check(ONE)
    assert controller.heard.diagnostics == []


async def test_a_checker_that_fails_is_a_warning(controller: ControllerUnderTest) -> None:
    await controller.script("one")
    controller.tools.failure = ToolTimeout("took too long")
    await controller.check(ONE)
    (warning,) = controller.heard.diagnostics
    assert (warning.severity, warning.text) == ("warning", "the type checker failed: took too long")


# ---------------------------------------------------------------- what else pods tell


async def test_a_pod_that_stops_may_leave_at_once(controller: ControllerUnderTest) -> None:
    controller.state.drains(POD, "a")
    controller.on_report(POD, Draining("a"))
    assert controller.state.snapshot(POD).retire == Retire(1, "a")


async def test_a_script_for_a_guild_that_the_bot_is_not_in_gets_a_warning(
    controller: ControllerUnderTest,
) -> None:
    await controller.script("x")
    assert controller.heard.diagnostics == [], "nobody knows yet"
    controller.on_gateway_report(Guilds([TWO]))
    (warning,) = controller.heard.diagnostics
    assert (warning.severity, warning.text.split(";")[0]) == ("warning", "the bot is not in guild 1")
    await controller.script("y", TWO)
    assert len(controller.heard.diagnostics) == 1


async def test_the_warning_follows_the_bot_in_and_out(controller: ControllerUnderTest) -> None:
    controller.on_gateway_report(Guilds([]))
    controller.on_gateway_report(Joined(ONE))
    await controller.script("x")
    assert controller.heard.diagnostics == []
    controller.on_gateway_report(Left(ONE))
    assert len(controller.heard.diagnostics) == 1
    controller.on_gateway_report(Left(TWO))
    assert len(controller.heard.diagnostics) == 1, "a guild without a script is nobody's business"
