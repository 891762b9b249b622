"""What runs in a session: the folder's script or what came through the API, and what outlives the session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from flora_api.deployments.store import Deployment, from_document
from flora_core.errors import InvalidInput, InvalidProject
from flora_core.ids import GuildId
from flora_core.manifest import DEV_MANAGER
from flora_core.toolchain import Bundle, Project
from flora_core.wire.control import Failed, Limits, Loaded, Outcome, ScriptError
from flora_dev.controller import POD, Condition, GuildStatus, LocalController
from flora_dev.deployment_wire import All, Is, Was
from flora_dev.deployments import NEWS_KEPT, Deployments, status_of
from flora_dev.sources import Wanted
from tests.unit.dev.test_local_controller import Heard, Tools
from tests.waiting import until

ONE, TWO = GuildId("1"), GuildId("20")


class Session:
    """A session's controller and deployments, and the pod as it answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tools, self.heard = Tools(), Heard()
        self.controller = LocalController(self.tools, self.heard)  # pyright: ignore[reportArgumentType]
        self.undeployed: list[str] = []
        self.it = Deployments(self.controller, self.tools, folder)  # pyright: ignore[reportArgumentType]
        self.it.on_undeployed = self.undeployed.append

    async def save(self, text: str, guild: GuildId = ONE, **more: Any) -> None:
        await self.it.save(Wanted(guild, "bot", lambda: project(text), **more))

    def apply(self, text: str, guild: GuildId = ONE, revision: str = "r") -> Deployment:
        source = {"entrypoint": "main.ts", "files": {"main.ts": text}}
        return from_document(self.it.apply(guild, source, revision=revision))[0]

    @property
    def runs(self) -> str | None:
        """The text of what is assigned."""
        assigned = self.controller.state.assignment(ONE)
        if assigned is None:
            return None
        bundle = self.controller._bundles[assigned.bundle]  # pyright: ignore[reportArgumentType]
        return Bundle.from_bytes(bundle).code

    def loads(self, guild: GuildId = ONE) -> None:
        revision = self.controller.state.assignment(guild)
        assert revision is not None
        self.controller.on_report(POD, Loaded(guild, revision.revision, revision.bundle, 0, 1.0, ["ready"]))

    def fails(self) -> None:
        now = self.controller.state.assignment(ONE)
        assert now is not None
        error = ScriptError("boom", "at main.ts:1:1")
        self.controller.on_report(POD, Failed(ONE, now.revision, now.bundle, Outcome.EXCEPTION, error))

    def seen(self, guild: GuildId = ONE) -> Deployment:
        """As the API sees it."""
        document = self.it.get(guild)
        assert document is not None
        return from_document(document)[0]


def project(text: str, **more: Any) -> Project:
    return Project({"main.ts": text}, "main.ts", **more)


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Callable[[], Session]]:
    """A session on the same folder as the one before."""
    started: list[Session] = []

    def starter() -> Session:
        started.append(Session(tmp_path / "deployments"))
        return started[-1]

    yield starter
    for session in started:
        await session.it.close()


@pytest.fixture
def session(start: Callable[[], Session]) -> Session:
    return start()


# ---------------------------------------------------------------- the newer counts


async def test_what_is_saved_is_a_document_of_its_own_manager(session: Session) -> None:
    await session.save("one")
    found = session.seen()
    assert (found.manager, found.generation, found.inline, found.revision) == (DEV_MANAGER, 1, True, "")
    assert (session.runs, session.it.guilds) == ("one", [ONE])
    await session.save("two")
    assert (session.seen().generation, session.seen().uid, session.runs) == (2, found.uid, "two")


async def test_a_deploy_takes_the_place_of_the_folder_and_a_save_takes_it_back(session: Session) -> None:
    await session.save("folder")
    applied = session.apply("command", revision="r1")
    assert (applied.manager, applied.generation, applied.revision) == ("flora-api", 2, "r1")
    await until(lambda: session.runs == "command")
    await session.save("folder")
    assert session.runs == "command", "nothing new was saved"
    await session.save("folder, changed")
    assert (session.runs, session.seen().generation, session.seen().revision) == ("folder, changed", 3, "")


async def test_the_same_once_more_is_no_new_generation(session: Session) -> None:
    first = session.apply("x", revision="r1")
    again = session.apply("x", revision="r2")
    assert (again.generation, again.uid, again.revision) == (first.generation, first.uid, "r2")


async def test_a_guild_of_no_folder_can_be_deployed_to(session: Session) -> None:
    await session.save("one")
    session.apply("other", TWO)
    await until(lambda: session.controller.state.assignment(TWO))
    session.loads(TWO)
    assert session.seen(TWO).ready


async def test_undeploying_stays_until_something_new_is_saved(session: Session) -> None:
    await session.save("one")
    session.loads()
    uid = session.seen().uid
    assert session.it.delete(ONE)
    assert not session.it.delete(ONE)
    await until(lambda: session.controller.state.assignment(ONE) is None)
    assert (session.it.get(ONE), session.undeployed) == (None, ["bot"])
    await session.save("one")
    assert (session.runs, session.undeployed) == (None, ["bot", "bot"]), "it is said again"
    await session.save("two")
    assert (session.runs, session.seen().generation, session.seen().uid != uid) == ("two", 1, True)


async def test_a_deploy_right_behind_an_undeploy_is_not_taken_away(session: Session) -> None:
    await session.save("one")
    session.it.delete(ONE)
    session.apply("two")
    await until(lambda: session.runs == "two")
    assert session.it.get(ONE) is not None


async def test_what_a_slow_bundler_still_makes_is_not_run_after_an_undeploy(session: Session) -> None:
    bundle, began, go_on = session.tools.bundle, asyncio.Event(), asyncio.Event()

    async def slowly(given: Project) -> Any:
        began.set()
        await go_on.wait()
        return await bundle(given)

    session.tools.bundle = slowly  # pyright: ignore[reportAttributeAccessIssue]
    session.apply("slow")
    await began.wait()
    session.it.delete(ONE)
    go_on.set()
    await until(lambda: not session.it._tasks)
    assert session.runs is None


async def test_only_the_newest_of_several_is_carried_out(session: Session) -> None:
    for number in range(20):
        session.apply(str(number))
    await until(lambda: not session.it._tasks)
    assert (session.runs, session.heard.reasons.count("Bundling")) == ("19", 1)


# ---------------------------------------------------------------- what goes wrong


async def test_a_folder_that_cannot_be_read_is_told_and_saved_again_when_it_can(session: Session) -> None:
    def unreadable() -> Project:
        raise InvalidProject("there is no entrypoint")

    await session.save("one")
    session.loads()
    await session.it.save(Wanted(ONE, "bot", unreadable))
    assert session.heard.errors == [("there is no entrypoint", True)]
    assert (session.seen().generation, session.seen().ready) == (1, False)
    assert session.runs == "one"
    await session.save("one")
    assert session.seen().ready, "though nothing is new in it"


async def test_limits_are_a_change_of_the_folders(session: Session) -> None:
    await session.save("one")
    session.apply("command")
    await until(lambda: session.runs == "command")
    await session.save("one", limits=Limits(50, 64))
    assigned = session.controller.state.assignment(ONE)
    assert assigned is not None
    assert (session.runs, assigned.limits.cpu_milliseconds) == ("one", 50)


@pytest.mark.parametrize(
    "source",
    [
        {},
        {"entrypoint": "main.ts"},
        {"entrypoint": "main.ts", "files": {"other.ts": ""}},
        {"entrypoint": "main.ts", "files": {"../main.ts": ""}},
        {"entrypoint": "main.ts", "files": None},
        {"entrypoint": "main.ts", "bundleRef": {"sha256": "ab" * 32}},
    ],
)
async def test_what_cannot_run_is_refused_and_changes_nothing(
    session: Session, source: dict[str, Any]
) -> None:
    await session.save("one")
    with pytest.raises(InvalidInput):
        session.it.apply(ONE, source, revision="r")
    assert (session.runs, session.seen().generation) == ("one", 1)


async def test_a_bundle_must_be_the_one_that_is_named(session: Session) -> None:
    given, other = Bundle("main.ts", "given"), Bundle("main.ts", "other")
    source = {"entrypoint": "main.ts", "bundleRef": {"sha256": given.sha256}}
    for wrong in (other.to_bytes(), b"nonsense"):
        with pytest.raises(InvalidInput):
            session.it.apply(ONE, source, revision="r", bundle=wrong)
    session.it.apply(ONE, source, revision="r", bundle=given.to_bytes())
    await until(lambda: session.runs == "given")
    assert session.it.bundle_of(ONE) == given.to_bytes()
    session.apply("files")
    assert session.it.bundle_of(ONE) is None


async def test_a_folder_with_npm_packages_goes_by_its_bundle(session: Session) -> None:
    whole = project("one", dependencies={"node_modules/a/index.js": "1"})
    await session.it.save(Wanted(ONE, "bot", lambda: whole))
    found = session.seen()
    assert (found.inline, found.bundle) == (False, Bundle("main.ts", "one").sha256)
    assert session.it.bundle_of(ONE) == Bundle("main.ts", "one").to_bytes()
    assert session.controller.source_line(ONE, "main.ts", 1) == "one"


# ---------------------------------------------------------------- over restarts


async def test_a_deploy_outlives_the_session_while_the_folder_stays_as_it_was(
    start: Callable[[], Session],
) -> None:
    first = start()
    await first.save("folder")
    first.apply("command", revision="r1")
    await until(lambda: first.runs == "command")
    second = start()
    await second.save("folder")
    assert (second.runs, second.seen().uid) == ("command", first.seen().uid)
    assert (second.seen().generation, second.seen().revision) == (2, "r1")
    third = start()
    await third.save("changed between")
    assert third.runs == "changed between"


async def test_an_undeploy_outlives_it_too(start: Callable[[], Session]) -> None:
    first = start()
    await first.save("folder")
    first.it.delete(ONE)
    second = start()
    await second.save("folder")
    assert (second.runs, second.it.guilds, second.undeployed) == (None, [], ["bot"])


async def test_a_guild_of_no_folder_goes_on_and_so_does_a_bundle(start: Callable[[], Session]) -> None:
    first, bundle = start(), Bundle("main.ts", "given")
    source = {"entrypoint": "main.ts", "bundleRef": {"sha256": bundle.sha256}}
    first.it.apply(ONE, source, revision="r", bundle=bundle.to_bytes())
    second = start()
    await second.it.go_on()
    assert second.runs == "given"
    await second.it.go_on()
    assert second.heard.reasons.count("Bundling") == 1, "once"


async def test_a_file_that_is_damaged_is_as_good_as_none(
    start: Callable[[], Session], tmp_path: Path
) -> None:
    await start().save("folder")
    (tmp_path / "deployments" / "1.json").write_text("{")
    again = start()
    await again.save("folder")
    assert again.runs == "folder"


async def test_a_guild_that_the_folder_drops_is_forgotten(start: Callable[[], Session]) -> None:
    first = start()
    await first.save("folder")
    first.it.drop(ONE)
    first.it.drop(TWO)
    assert (first.runs, start().it.guilds) == (None, [])


async def test_a_suspended_guild_has_no_document(session: Session) -> None:
    await session.save("one")
    session.it.suspend(ONE, "bot")
    assert (session.runs, session.it.get(ONE)) == (None, None)


# ---------------------------------------------------------------- what the API is told


async def test_a_follower_hears_what_is_and_what_changes(session: Session) -> None:
    await session.save("one")
    with session.it.followed() as news:
        first, complete = news.get_nowait(), news.get_nowait()
        assert isinstance(first, Is)
        assert complete == All([ONE])
        session.loads()
        told = news.get_nowait()
        assert isinstance(told, Is)
        assert from_document(told.document)[0].ready
        uid = session.seen().uid
        session.it.delete(ONE)
        assert news.get_nowait() == Was(ONE, uid)
    session.apply("two")
    assert news.empty(), "who does not listen is told nothing"


async def test_a_follower_that_is_too_far_behind_begins_anew(session: Session) -> None:
    with session.it.followed() as news:
        for number in range(NEWS_KEPT + 10):
            session.apply(str(number))
        frames = [news.get_nowait() for _ in range(news.qsize())]
    assert None in frames


async def test_a_status_speaks_of_the_generation_that_is_carried_out(session: Session) -> None:
    await session.save("one")
    session.loads()
    applied = session.apply("two")
    assert not applied.ready, "what is said is of the one before"
    await until(lambda: session.runs == "two")
    loading = session.seen()
    condition = loading.status.condition("Ready", loading.generation)
    assert condition is not None
    assert (condition.status, condition.reason) == ("False", "Loading")
    session.fails()
    failed = session.seen()
    assert failed.status.last_error is not None
    assert (failed.status.last_error.message, failed.status.last_error.stack) == ("boom", "at main.ts:1:1")
    session.apply("three")
    await until(lambda: session.runs == "three")
    session.loads()
    assert session.seen().ready
    assert session.seen().status.last_error is None


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (Condition.BUNDLING, {"Bundled": "False"}),
        (Condition.BUNDLE_FAILED, {"Bundled": "False", "Ready": "False"}),
        (Condition.LOADING, {"Bundled": "True", "Assigned": "True", "Ready": "False"}),
        (Condition.LOAD_FAILED, {"Bundled": "True", "Assigned": "True", "Ready": "False"}),
        (Condition.QUARANTINED, {"Bundled": "True", "Assigned": "True", "Ready": "False"}),
        (Condition.LOADED, {"Bundled": "True", "Assigned": "True", "Ready": "True"}),
    ],
)
def test_conditions_are_those_of_a_cluster(reason: Condition, expected: dict[str, str]) -> None:
    told = status_of(GuildStatus(ONE, "bot", reason, "why"), 7, "ab" * 32, now="2026-01-31T09:00:00Z")
    assert {each["type"]: each["status"] for each in told["conditions"]} == expected
    assert {each["observedGeneration"] for each in told["conditions"]} == {7}
    assert ("assignment" in told, "loadedAt" in told) == ("Assigned" in expected, reason is Condition.LOADED)
