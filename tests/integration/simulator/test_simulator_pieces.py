"""Small parts on their own: routing, errors, nonces, faults, the journal."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_simulator import Fault
from flora_simulator.command_rules import check
from flora_simulator.discord_errors import body_of, form_error, slipped
from flora_simulator.faults import Faults
from flora_simulator.journal import Journal
from flora_simulator.nonces import Nonces
from flora_simulator.routing import Call, Endpoint, Router, WrongMethod
from flora_simulator.simcord_port import BackendError, errors, routes

# ----------------------------------------------------------------- routing


def router(*routes: str) -> Router:
    return Router(Endpoint(*route.split(" "), run=lambda _: None) for route in routes)


def found(router: Router, method: str, path: str) -> tuple[str, dict[str, str]] | None:
    match = router.find(method, path)
    return (match[0].template, match[1]) if match is not None else None


def test_a_path_gives_its_arguments() -> None:
    table = router("GET /a/{x}/b/{y}")
    assert found(table, "GET", "/a/1/b/2") == ("/a/{x}/b/{y}", {"x": "1", "y": "2"})


def test_the_most_literal_route_counts_whatever_the_order() -> None:
    for order in (["GET /m/{id}", "GET /m/pins"], ["GET /m/pins", "GET /m/{id}"]):
        assert found(router(*order), "GET", "/m/pins") == ("/m/pins", {})
        assert found(router(*order), "GET", "/m/7") == ("/m/{id}", {"id": "7"})


def test_of_two_equal_routes_the_first_counts() -> None:
    first, second = Endpoint("GET", "/x", lambda _: 1), Endpoint("GET", "/x", lambda _: 2)
    match = Router([first, second]).find("GET", "/x")
    assert match is not None
    assert match[0] is first


def test_the_method_matters() -> None:
    table = router("GET /x", "POST /x")
    assert found(table, "POST", "/x") == ("/x", {})
    with pytest.raises(WrongMethod):
        table.find("DELETE", "/x")
    assert table.find("DELETE", "/y") is None


@pytest.mark.parametrize("path", ["/x/", "/x", "x"])
def test_slashes_at_the_ends_do_not_matter(path: str) -> None:
    assert found(router("GET /x"), "GET", path) == ("/x", {})


@given(st.data())
def test_every_simcord_route_is_found_by_its_own_path(data: st.DataObject) -> None:
    table = routes()
    route = data.draw(st.sampled_from(table))
    args: dict[str, str] = {}
    for part in route.template.split("/"):
        if part.startswith("{"):
            args[part[1:-1]] = data.draw(st.from_regex(r"[0-9a-z]{5,9}", fullmatch=True))
    path = "/".join(args.get(part[1:-1], part) for part in route.template.split("/"))
    match = Router(Endpoint(r.method, r.template, lambda _: None) for r in table).find(route.method, path)
    assert match is not None
    assert (match[0].template, match[1]) == (route.template, args)


@pytest.mark.parametrize(("value", "set_"), [("true", True), ("True", True), ("1", True), ("false", False)])
def test_flags_are_read_as_any_client_spells_them(value: str, *, set_: bool) -> None:
    assert Call("GET", "/", params={"wait": value}).has_flag("wait") is set_
    assert not Call("GET", "/").has_flag("wait")


def test_a_body_that_is_no_object_counts_as_empty() -> None:
    assert Call("POST", "/", json=[1]).body == {}


# ------------------------------------------------------------------ errors


def test_errors_keep_their_code_and_text() -> None:
    assert body_of(errors.missing_permissions()) == (403, {"message": "Missing Permissions", "code": 50013})
    assert body_of(errors.unknown_interaction()) == (404, {"message": "Unknown interaction", "code": 10062})


@pytest.mark.parametrize(
    ("detail", "path", "text"),
    [
        (
            "embeds[0].title: Must be 256 or fewer characters",
            "embeds.0.title",
            "Must be 256 or fewer characters",
        ),
        ("components.[1].custom_id: must be a string", "components.1.custom_id", "must be a string"),
        ("messages: Must be between 2 and 100 in length", "messages", "Must be between 2 and 100 in length"),
        ("embeds[0] must be an object", "embeds.0", "must be an object"),
        ("flags must be an integer", "_", "flags must be an integer"),
        ("allowed_mentions.parse must contain mention types", "allowed_mentions.parse", "must contain"),
    ],
)
def test_form_errors_become_a_tree(detail: str, path: str, text: str) -> None:
    status, body = body_of(errors.invalid_form_body(detail))
    assert (status, body["code"], body["message"]) == (400, 50035, "Invalid Form Body")
    node = body["errors"]
    for key in path.split("."):
        node = node[key]
    assert text in node["_errors"][0]["message"]


def test_a_tree_that_is_there_already_is_kept() -> None:
    tree = {"name": {"_errors": []}}
    assert body_of(errors.invalid_form_body(errors=tree))[1]["errors"] is tree


def test_an_empty_message_has_a_code_of_its_own() -> None:
    assert body_of(errors.invalid_form_body("Cannot send an empty message"))[1]["code"] == 50006


def test_a_form_error_without_a_path_blames_the_whole() -> None:
    assert form_error("", "C", "t").errors == {"_errors": [{"code": "C", "message": "t"}]}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyError("name"), "BASE_TYPE_REQUIRED"),
        (ValueError("invalid literal for int() with base 10: 'x'"), "NUMBER_TYPE_COERCE"),
        (TypeError("unhashable"), "BASE_TYPE_BAD_VALUE"),
        (AttributeError("no get"), "BASE_TYPE_BAD_VALUE"),
    ],
)
def test_what_slips_out_of_a_handler_becomes_a_form_error(error: Exception, code: str) -> None:
    status, body = body_of(slipped(error))
    assert (status, body["code"]) == (400, 50035)
    assert code in str(body["errors"])


# ----------------------------------------------------------- command rules


def complaint(*commands: Any) -> BackendError | None:
    try:
        check(list(commands))
    except BackendError as error:
        return error
    return None


def command(**fields: Any) -> dict[str, Any]:
    return {"name": "go", "description": "does it", **fields}


@pytest.mark.parametrize("name", ["go", "größe", "行く", "a-b_c", "it's", "หน้า", "1st"])
def test_names_of_many_scripts_are_fine(name: str) -> None:
    assert complaint(command(name=name)) is None


@pytest.mark.parametrize("name", ["Go", "two words", "a.b", "", None, 7, "x" * 33, "👍"])
def test_other_names_are_not(name: Any) -> None:
    assert complaint(command(name=name)) is not None


def test_context_commands_may_have_any_name_and_need_no_description() -> None:
    assert complaint({"name": "Do It Now", "type": 2}, {"name": "Do It Now", "type": 3}) is None
    assert complaint({"name": "", "type": 2}) is not None


def test_a_name_is_unique_for_its_type_only() -> None:
    assert complaint(command(), {"name": "go", "type": 2}) is None
    assert complaint(command(), command()) is not None


def test_there_is_a_limit_for_each_type() -> None:
    assert complaint(*(command(name=f"c{n}") for n in range(100))) is None
    assert complaint(*({"name": f"u{n}", "type": 2} for n in range(15))) is None
    error = complaint(*({"name": f"u{n}", "type": 2} for n in range(16)))
    assert error is not None
    assert error.code == 30032


def test_a_command_must_be_an_object() -> None:
    error = complaint("go")
    assert error is not None
    assert "DICT_TYPE_CONVERT" in str(error.errors)


# ------------------------------------------------------------------ nonces


class Clock:
    time = 100.0

    def __call__(self) -> float:
        return self.time


def test_a_nonce_is_found_by_its_author_in_its_time() -> None:
    clock = Clock()
    nonces = Nonces(10, now=clock)
    nonces.remember(1, "n", channel=2, message=3)
    assert nonces.find(1, "n") == (2, 3)
    assert nonces.find(9, "n") is None
    assert nonces.find(1, "m") is None
    clock.time += 10
    assert nonces.find(1, "n") is None


def test_a_number_and_its_digits_are_the_same_nonce() -> None:
    nonces = Nonces(10, now=Clock())
    nonces.remember(1, 7, channel=2, message=3)
    assert nonces.find(1, "7") == (2, 3)


def test_a_nonce_used_again_stands_for_the_later_message() -> None:
    nonces = Nonces(10, now=Clock())
    for message in (3, 4):
        nonces.remember(1, "n", channel=2, message=message)
    assert nonces.find(1, "n") == (2, 4)


def test_nonces_are_forgotten_by_age_and_by_number() -> None:
    clock = Clock()
    nonces = Nonces(10, now=clock)
    for number in range(10_050):
        nonces.remember(1, number, channel=2, message=3)
    assert nonces.find(1, 0) is None
    assert nonces.find(1, 10_049) == (2, 3)
    clock.time += 11
    nonces.remember(1, "new", channel=2, message=3)
    assert len(nonces._seen) == 1


def test_with_no_window_nothing_is_remembered() -> None:
    nonces = Nonces(0, now=Clock())
    nonces.remember(1, "n", channel=2, message=3)
    assert nonces.find(1, "n") is None


# ------------------------------------------------------------------ faults


def test_a_fault_happens_as_often_as_asked_for() -> None:
    faults = Faults()
    faults.add(Fault(times=2, status=500))
    assert [faults.take("GET", "/x") is not None for _ in range(3)] == [True, True, False]


def test_a_fault_waits_for_its_route() -> None:
    faults = Faults()
    faults.add(Fault(path="/channels/*/messages", method="POST"))
    assert faults.take("GET", "/channels/1/messages") is None
    assert faults.take("POST", "/guilds/1") is None
    assert faults.take("POST", "/channels/1/messages") is not None


def test_the_oldest_fault_that_matches_comes_first() -> None:
    faults = Faults()
    for status in (500, 502):
        faults.add(Fault(status=status))
    taken = [faults.take("GET", "/") for _ in range(2)]
    assert [fault.status for fault in taken if fault is not None] == [500, 502]


def test_faults_are_bounded_and_can_be_cleared() -> None:
    faults = Faults()
    for _ in range(1_100):
        faults.add(Fault())
    assert len(faults.waiting) == 1_000
    faults.clear()
    assert faults.take("GET", "/") is None


# ----------------------------------------------------------------- journal


async def test_the_journal_numbers_what_is_written() -> None:
    journal = Journal(10)
    for kind in ("message", "edit", "message"):
        journal.write(kind)
    found = journal.since(1)
    assert [(action.position, action.kind) for action in found.actions] == [(2, "edit"), (3, "message")]
    assert (found.position, found.missed) == (3, 0)
    assert journal.since(3).actions == []


async def test_readers_do_not_take_anything_away() -> None:
    journal = Journal(10)
    waiting = [asyncio.create_task(journal.wait(0, lambda a: a.kind == "edit", longest=2)) for _ in range(3)]
    await asyncio.sleep(0)
    journal.write("message")
    await asyncio.sleep(0)
    journal.write("edit")
    for task in waiting:
        assert [action.kind for action in (await task).actions] == ["edit"]


async def test_the_journal_forgets_and_says_so() -> None:
    journal = Journal(3)
    for _ in range(10):
        journal.write("message")
    found = journal.since(2)
    assert [action.position for action in found.actions] == [8, 9, 10]
    assert found.missed == 5


async def test_a_position_from_the_future_finds_nothing() -> None:
    journal = Journal(3)
    journal.write("message")
    assert journal.since(50).actions == []


async def test_waiting_is_bounded_and_can_be_ended() -> None:
    journal = Journal(3)
    began = time.monotonic()
    assert (await journal.wait(0, lambda _: True, longest=0.05)).actions == []
    assert time.monotonic() - began < 1
    task = asyncio.create_task(journal.wait(0, lambda _: True, longest=60))
    await asyncio.sleep(0)
    journal.close()
    assert (await task).actions == []
