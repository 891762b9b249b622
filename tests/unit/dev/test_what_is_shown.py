"""What the author sees of each thing that happens, for a person and as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from flora_core.ids import GuildId, PodName
from flora_core.toolchain import Diagnostic
from flora_core.wire.control import Loaded, LogLine, Outcome, ScriptError
from flora_core.wire.guilds import CronRan
from flora_dev.asks import JobRun, KvPage
from flora_dev.controller import Condition, GuildStatus
from flora_dev.logbook import KeptLine
from flora_dev.talk import Exchange
from flora_dev.view import View
from flora_simulator.wire import Action

GUILD, POD = GuildId("17"), PodName("flora-runtime-0")


class Screen:
    """A view, and what it wrote."""

    def __init__(self, view: View, output: pytest.CaptureFixture[str]) -> None:
        self.view = view
        self._output = output
        self._text = ""

    @property
    def text(self) -> str:
        self._text += self._output.readouterr().out
        return self._text

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(line) for line in self.text.splitlines()]


Open = Callable[..., Screen]


@pytest.fixture
def open_(capsys: pytest.CaptureFixture[str]) -> Open:
    def open_screen(*, as_json: bool = False, many_guilds: bool = False) -> Screen:
        return Screen(View(as_json=as_json, many_guilds=many_guilds), capsys)

    return open_screen


@pytest.fixture
def person(open_: Open) -> Screen:
    return open_()


@pytest.fixture
def json(open_: Open) -> Screen:
    return open_(as_json=True)


def status(
    reason: Condition, *, loaded: bool = False, events: list[str] | None = None, commands: int = 0
) -> Any:
    runs = Loaded(GUILD, 2, "ab" * 32, 0, 12.4, events or [], commands) if loaded else None
    return GuildStatus(GUILD, "my-bot", reason, revision=2, loaded=runs)


def message(kind: Any = "message", **fields: Any) -> Action:
    return Action(1, 0.0, kind, message={"id": "5", **fields})


# ---------------------------------------------------------------- guilds


def test_a_live_guild_says_what_it_handles(person: Screen) -> None:
    person.view.on_status(
        status(Condition.LOADED, loaded=True, events=["ready", "messageCreate"], commands=2)
    )
    assert person.text == ("● my-bot is live (revision 2, 12 ms) — ready, messageCreate, 2 slash commands\n")


@pytest.mark.parametrize(("commands", "text"), [(0, "no events\n"), (1, "no events, 1 slash command\n")])
def test_counts_are_in_plain_english(person: Screen, commands: int, text: str) -> None:
    person.view.on_status(status(Condition.LOADED, loaded=True, commands=commands))
    assert person.text.endswith(text)


def test_a_script_that_is_quarantined_is_told_with_the_reason(person: Screen) -> None:
    quarantined = status(Condition.QUARANTINED, loaded=True)
    quarantined.message = "quarantined until the next deploy: too often"
    person.view.on_status(quarantined)
    assert person.text == "✗ my-bot is quarantined until the next deploy: too often\n"


TOLD_LATER = [reason for reason in Condition if reason not in (Condition.LOADED, Condition.QUARANTINED)]


@pytest.mark.parametrize("reason", TOLD_LATER)
def test_what_is_on_its_way_is_no_news_for_a_person_but_for_a_script(open_: Open, reason: Condition) -> None:
    person = open_()
    person.view.on_status(status(reason))
    assert person.text == ""
    json = open_(as_json=True)
    json.view.on_status(status(reason))
    assert json.objects == [{"event": "status", "guild": "17", "reason": reason.value, "revision": 2}]


@pytest.mark.parametrize(
    ("loaded", "text"), [(True, "what ran before still runs"), (False, "nothing runs yet")]
)
def test_a_failed_deploy_says_what_runs_now(person: Screen, loaded: bool, text: str) -> None:
    person.view.on_error(status(Condition.LOAD_FAILED, loaded=loaded), ScriptError("boom"))
    assert person.text == f"✗ my-bot is not deployed; {text}\nboom\n"


def test_an_error_shows_the_authors_line_with_a_mark_under_the_column(person: Screen) -> None:
    person.view.source_line = lambda guild, file, line: (
        "  boom();" if (guild, file, line) == (GUILD, "src/main.ts", 3) else None
    )
    stack = "at Array.map (<anonymous>)\nat run (src/main.ts:3:3)\nat src/main.ts:3:1"
    person.view.on_error(status(Condition.LOAD_FAILED), ScriptError("boom", stack))
    assert person.text.splitlines()[2:] == [
        "    at Array.map (<anonymous>)",
        "    at run (src/main.ts:3:3)",
        "      3 |   boom();",
        "        |   ^",
        "    at src/main.ts:3:1",
    ]


def test_a_frame_in_a_file_nobody_has_is_shown_without_a_line(person: Screen) -> None:
    person.view.on_error(status(Condition.LOAD_FAILED), ScriptError("boom", "at x (gone.ts:9:1)"))
    assert person.text.splitlines()[2:] == ["    at x (gone.ts:9:1)"]


def test_texts_of_scripts_are_no_markup(person: Screen) -> None:
    person.view.on_error(status(Condition.LOAD_FAILED), ScriptError("[red]no[/red] [/] :smile:"))
    assert "[red]no[/red] [/] :smile:" in person.text


def test_the_table_has_a_row_for_every_guild(person: Screen) -> None:
    person.view.table([status(Condition.LOADED, loaded=True), status(Condition.SUSPENDED)])
    head, *rows = person.text.splitlines()
    assert head.split() == ["NAME", "GUILD", "READY", "REASON", "POD", "REVISION", "AGE"]
    assert rows[0].split()[:-1] == ["my-bot", "17", "True", "Loaded", "flora-runtime-0", "2"]
    assert rows[1].split()[:-1] == ["my-bot", "17", "False", "Suspended", "2"]


def test_the_table_as_json_says_why_a_guild_is_not_ready(json: Screen) -> None:
    broken = status(Condition.LOAD_FAILED)
    broken.message = "boom"
    json.view.table([broken])
    (row,) = json.objects
    assert row == {
        "event": "guild", "name": "my-bot", "guild": "17", "ready": False,
        "reason": "LoadFailed", "message": "boom", "revision": 2,
    }  # fmt: skip


# ---------------------------------------------------------------- logs and diagnostics


def log(**fields: Any) -> LogLine:
    return LogLine(**{"guild": "17", "at": 0, "level": "info", "text": "hello", **fields})


def test_a_log_line_has_its_level_and_its_outcome(person: Screen) -> None:
    person.view.on_log(POD, log(level="error", outcome=Outcome.EXCEEDED_CPU))
    assert person.text.endswith(" error hello [exceededCpu]\n")


def test_with_many_guilds_a_log_line_names_its_guild(open_: Open) -> None:
    screen = open_(many_guilds=True)
    screen.view.on_log(POD, log())
    assert screen.text.endswith("info  17 hello\n")


def test_a_log_line_as_json_has_no_empty_fields_and_keeps_its_kind(json: Screen) -> None:
    json.view.on_log(POD, log(at=5, event="messageCreate", outcome=Outcome.EXCEPTION))
    assert json.objects == [
        {
            "event": "log", "guild": "17", "at": 5, "level": "info", "text": "hello",
            "source": "script", "outcome": "exception", "handling": "messageCreate",
        }
    ]  # fmt: skip


@pytest.mark.parametrize(("count", "text"), [(1, "! 1 type error;"), (2, "! 2 type errors;")])
def test_type_errors_are_counted_and_the_script_runs_all_the_same(
    person: Screen, count: int, text: str
) -> None:
    warning = Diagnostic("unused", severity="warning")
    person.view.on_diagnostics(GUILD, [Diagnostic("wrong", "a.ts", 1, 2)] * count + [warning])
    assert text in person.text
    assert "a.ts:1:2: error: wrong" in person.text
    assert "warning: unused" in person.text


def test_warnings_alone_are_no_type_errors(person: Screen) -> None:
    person.view.on_diagnostics(GUILD, [Diagnostic("unused", severity="warning")])
    assert person.text == "warning: unused\n"


# ---------------------------------------------------------------- answers

BUTTON = {"type": 2, "label": "Again", "custom_id": "again"}
LINK = {"type": 2, "url": "https://example.org"}
MENU = {"type": 3, "custom_id": "pick", "options": [{"value": "a"}, {"value": "b"}]}

ANSWERS: dict[str, tuple[Action, list[str]]] = {
    "text": (message(content="pong"), ["🤖 pong"]),
    "two lines": (message(content="a\nb"), ["🤖 a", "b"]),
    "nothing": (message(), ["🤖 "]),
    "markup": (message(content="[bold]x[/bold]"), ["🤖 [bold]x[/bold]"]),
    "edit": (message("edit", content="new"), ["🤖 (edited) new"]),
    "ephemeral": (
        Action(1, 0.0, "message", message={"content": "psst"}, ephemeral=True),
        ["🤖 (only you) psst"],
    ),
    "modal": (
        Action(1, 0.0, "modal", data={"title": "Order", "custom_id": "order"}),
        ["🤖 opened the modal 'Order' (custom_id order)"],
    ),
    "reaction": (Action(1, 0.0, "reaction", data={"emoji": "👍"}), ["🤖 reaction: 👍"]),
    "suggestions": (
        Action(
            1,
            0.0,
            "choices",
            data={"choices": [{"name": "cat", "value": "cat"}, {"name": "Dog", "value": 7}]},
        ),
        ["🤖 suggests cat, Dog (7)"],
    ),
    "no suggestions": (Action(1, 0.0, "choices", data={"choices": []}), ["🤖 suggests nothing"]),
    "delete": (Action(1, 0.0, "delete"), ["🤖 delete: "]),
    "embed": (
        message(embeds=[{"title": "T", "description": "D", "fields": [{"name": "n", "value": "v"}]}]),
        ["🤖 ", "   ▌ T D", "   ▌ n: v"],
    ),
    "buttons": (
        message(content="x", components=[{"type": 1, "components": [BUTTON, LINK]}]),
        ["🤖 x", "   [Again]  (again)", "   [·]  (https://example.org)"],
    ),
    "menu": (message(components=[{"type": 1, "components": [MENU]}]), ["🤖 ", "   ▾ choose  (pick: a, b)"]),
    "a section with an accessory": (
        message(components=[{"type": 9, "components": [{"type": 10, "content": "hi"}], "accessory": BUTTON}]),
        ["🤖 ", "   hi", "   [Again]  (again)"],
    ),
}


@pytest.mark.parametrize(("answer", "lines"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_for_a_person(person: Screen, answer: Action, lines: list[str]) -> None:
    person.view.exchange(Exchange("!x", [answer]), timeout=10)
    assert person.text.splitlines() == lines


@pytest.mark.parametrize("answer", [answer for answer, _ in ANSWERS.values()], ids=ANSWERS)
def test_an_answer_for_a_script_is_one_line(json: Screen, answer: Action) -> None:
    json.view.exchange(Exchange("!x", [answer]), timeout=10)
    (line,) = json.objects
    assert (line["event"], line["said"], line["refused"]) == ("answer", "!x", None)
    (plain,) = line["answers"]
    assert (plain["kind"], plain["ephemeral"]) == (answer.kind, answer.ephemeral)
    assert plain["content"] == (answer.message or {}).get("content")


def test_no_answer_and_a_refusal_are_told_apart(person: Screen) -> None:
    person.view.exchange(Exchange("!x"), timeout=2.5)
    person.view.exchange(Exchange("[b]", refused="there is no button b"), timeout=2.5)
    assert person.text == "✗ !x: no answer within 2.5 s\n✗ there is no button b\n"


def test_as_json_nothing_is_said_that_is_no_object(json: Screen) -> None:
    json.view.say("a remark")
    json.view.ready(1.239, guilds=3)
    assert json.objects == [{"event": "ready", "seconds": 1.24, "guilds": 3}]


# ---------------------------------------------------------------- jobs, storage, logs


def job_run(outcome: Outcome = Outcome.OK, *answers: Action) -> JobRun:
    return JobRun(CronRan("tick", outcome, 12.3, 1), list(answers))


def test_a_job_shows_what_it_did_and_how_it_ended(person: Screen) -> None:
    person.view.job(job_run(Outcome.OK, message(content="time!")))
    person.view.job(job_run(Outcome.EXCEEDED_CPU))
    assert person.text == "🤖 time!\n⏱ tick ran in 12 ms\n✗ tick ended badly: exceededCpu\n"


def test_a_job_as_json_has_its_answers(json: Screen) -> None:
    json.view.job(job_run(Outcome.OK, message(content="time!")))
    (shown,) = json.objects
    assert (shown["event"], shown["name"], shown["outcome"]) == ("cron", "tick", "ok")
    assert shown["answers"][0]["content"] == "time!"


def test_storage_is_a_table_of_stores_or_keys(person: Screen) -> None:
    person.view.kv(KvPage("", [{"name": "notes", "keys": 2, "bytes": 10}]))
    person.view.kv(KvPage("notes", [{"name": "k", "value": "[b]v"}], complete=False))
    lines = [line.split() for line in person.text.splitlines()]
    assert lines[1] == ["notes", "2", "10", "B"]
    assert lines[3] == ["k", "[b]v"]
    assert lines[4] == ["…", "and", "more;", "give", "a", "prefix"]


def test_empty_storage_says_so(person: Screen) -> None:
    person.view.kv(KvPage("", []))
    person.view.kv(KvPage("notes", []))
    assert person.text == "nothing is stored\nnothing of the kind in store notes\n"


def test_storage_as_json(json: Screen) -> None:
    json.view.kv(KvPage("", []))
    json.view.kv(KvPage("notes", [{"name": "k", "value": "v"}]))
    assert json.objects == [
        {"event": "kv", "stores": []},
        {"event": "kv", "store": "notes", "keys": [{"name": "k", "value": "v"}], "complete": True},
    ]


def test_lines_of_before_have_their_stacks(person: Screen) -> None:
    person.view.logs(
        [KeptLine(GUILD, 0, "error", "boom", outcome=Outcome.EXCEPTION, stack="at a\nat b", id=4)]
    )
    person.view.logs([])
    lines = person.text.splitlines()
    assert lines[0].endswith("error boom [exception]")
    assert lines[1:] == ["    at a", "    at b", "nothing was logged yet"]


def test_what_could_not_be_done_is_told(open_: Open) -> None:
    person, json = open_(), open_(as_json=True)
    person.view.refused(":cron x", "there is no cron job 'x'")
    assert person.text == "✗ there is no cron job 'x'\n"
    json.view.refused(":cron x", "there is no cron job 'x'")
    assert json.objects == [{"event": "refused", "asked": ":cron x", "message": "there is no cron job 'x'"}]
