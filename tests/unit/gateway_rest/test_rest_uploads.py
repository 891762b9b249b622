"""Files that go with a call: what is refused, and the request that they make."""

from __future__ import annotations

import json
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_rest_routes import EXAMPLES, plan

from flora_core.errors import InvalidInput
from flora_core.wire.gateway import FILES_LIMIT, OP_LINE_LIMIT
from flora_gateway.rest.plans import Prepared, parse_args
from flora_gateway.rest.route_table import ROUTES
from flora_gateway.rest.routes import Files
from flora_gateway.rest.uploads import File, Uploads, check, multipart


def prepare(route: str, **args: Any) -> Prepared:
    return plan(route).prepare(parse_args(json.dumps({"path": EXAMPLES, **args}).encode()))


def parts(prepared: Prepared) -> tuple[Any, list[tuple[str | None, bytes]]]:
    """The JSON, and name and content of each file, as an independent reader finds them."""
    kind = next(line for line in prepared.headers.split(b"\r\n") if line.startswith(b"Content-Type"))
    message = BytesParser(policy=HTTP).parsebytes(kind + b"\r\n\r\n" + (prepared.body or b""))
    first, *files = message.iter_parts()
    names = [part.get_param("name", header="content-disposition") for part in (first, *files)]
    assert names == ["payload_json", *(f"files[{n}]" for n in range(len(files)))]
    return json.loads(first.get_content()), [(part.get_filename(), part.get_content()) for part in files]


@pytest.mark.parity(34)
def test_a_message_with_files_is_a_multipart_request() -> None:
    files = [
        {"name": "a.txt", "data": "aGk=", "description": "says hi"},
        {"name": "b.bin", "data": "AP8NCg=="},
    ]
    prepared = prepare("sendMessage", body={"content": "x"}, files=files)
    payload, found = parts(prepared)
    assert payload == {
        "content": "x",
        "attachments": [
            {"id": 0, "filename": "a.txt", "description": "says hi"},
            {"id": 1, "filename": "b.bin"},
        ],
    }
    assert found == [("a.txt", b"hi"), ("b.bin", b"\x00\xff\r\n")]
    assert b"application/json\r\n" not in prepared.headers
    assert b"Authorization: Bot SECRET" in prepared.headers
    assert prepared.file_bytes == 6


def test_attachments_that_an_edit_keeps_come_before_the_new_ones() -> None:
    body = {"attachments": [{"id": "123"}]}
    payload, _ = parts(prepare("editMessage", body=body, files=[{"name": "a", "data": ""}]))
    assert payload["attachments"] == [{"id": "123"}, {"id": 0, "filename": "a"}]


@pytest.mark.parametrize(
    "route", [route for route in ROUTES.values() if route.files is not Files.NOWHERE], ids=lambda r: r.name
)
def test_files_are_declared_where_discord_looks_for_them(route: Any) -> None:
    where = route.files.value
    body = {where: {"content": "x"}, "type": 4} if where else {"content": "x"}
    payload, found = parts(prepare(route.name, body=body, files=[{"name": "a", "data": "aGk="}]))
    assert (payload[where] if where else payload)["attachments"] == [{"id": 0, "filename": "a"}]
    assert found == [("a", b"hi")]


@pytest.mark.parametrize(
    "route", [route for route in ROUTES.values() if route.files is Files.NOWHERE], ids=lambda r: r.name
)
def test_no_other_call_takes_files(route: Any) -> None:
    bodies: dict[str, Any] = {"an object": {"body": {}}, "an array": {"body": []}}
    args = bodies.get(route.body.value, {})
    with pytest.raises(InvalidInput, match=f"attachments: {route.name} takes none"):
        prepare(route.name, files=[{"name": "a", "data": ""}], **args)


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ([{"name": "a", "data": ""}] * 11, "attachments: 11 files; a message takes 10"),
        ([{"name": "a", "url": "https://x"}], r"attachments\[0\]: has no data, and its url was not fetched"),
        ([{"name": "a"}], r"attachments\[0\]: has no data"),
        ([{"data": ""}], r"attachments\[0\].name: must have 1 to 256 printable characters"),
        ([{"name": "a\r\nX: y", "data": ""}], r"attachments\[0\].name"),
        ([{"name": "a" * 257, "data": ""}], r"attachments\[0\].name"),
        ([{"name": "a", "data": "", "description": "x" * 1025}], r"attachments\[0\].description"),
        ([{"name": "a", "data": "*"}], "args: Invalid base64"),
        ([{"name": "a", "data": 5}], "args: "),
        ([{"name": "a", "data": "", "path": "/etc/passwd"}], "args: .*unknown field"),
        (["a"], "args: "),
    ],
)
def test_files_that_cannot_be_are_refused(files: list[Any], text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        prepare("sendMessage", body={}, files=files)


@pytest.mark.parametrize("attachments", [5, "x", {"id": "1"}])
def test_files_need_a_list_to_go_into(attachments: Any) -> None:
    with pytest.raises(InvalidInput, match="attachments: must be a list"):
        prepare("sendMessage", body={"attachments": attachments}, files=[{"name": "a", "data": ""}])


def test_files_need_the_message_that_they_go_with() -> None:
    with pytest.raises(InvalidInput, match="body: has no message 'message' that files could go with"):
        prepare("createThread", body={"name": "t"}, files=[{"name": "a", "data": ""}])


def test_files_have_a_size_together() -> None:
    half = File("a", data=b"x" * (FILES_LIMIT // 2))
    assert check([half, half]) == FILES_LIMIT
    with pytest.raises(
        InvalidInput, match=r"attachments: have \d+ bytes together; the limit is 8 MiB a call"
    ):
        check([half, half, File("b", data=b"x")])


def test_as_many_files_as_may_be_fit_into_one_line_upwards() -> None:
    assert FILES_LIMIT * 4 // 3 + (1 << 20) < OP_LINE_LIMIT


def test_a_message_with_files_may_be_repeated_when_its_nonce_allows() -> None:
    files = [{"name": "a", "data": ""}]
    nonced = prepare("sendMessage", body={"nonce": "n", "enforce_nonce": True}, files=files)
    assert nonced.repeatable is not None
    assert nonced.repeatable(nonced.body)
    assert prepare("sendMessage", body={"content": "x"}, files=files).repeatable is None
    assert prepare("createFollowupMessage", body={}, files=files).repeatable is None


@given(
    name=st.text(min_size=1, max_size=40).filter(str.isprintable),
    data=st.binary(max_size=100),
)
def test_no_name_and_no_content_change_the_requests_form(name: str, data: bytes) -> None:
    kind, body = multipart(b"{}", [File(name, data=data), File("last", data=b"end")])
    boundary = kind.partition(b"boundary=")[2]
    pieces = body.split(b"--" + boundary)
    assert pieces[0] == b""
    assert pieces[-1] == b"--\r\n"
    assert len(pieces) == 5
    assert pieces[2].partition(b"\r\n\r\n")[2] == data + b"\r\n"
    assert pieces[3].endswith(b"\r\n\r\nend\r\n")


# Memory


def test_files_under_way_are_bounded_for_a_guild_and_for_all() -> None:
    uploads = Uploads(guild_bytes=10, all_bytes=15)
    done: list[bool] = []
    first = uploads.hold("1", 8, lambda ok, _: done.append(ok))
    assert first is not None
    assert uploads.hold("1", 3, lambda *_: None) is None, "this guild's are"
    second = uploads.hold("2", 7, lambda ok, _: done.append(ok))
    assert second is not None
    assert uploads.hold("3", 1, lambda *_: None) is None, "everybody's are"
    first(True, b"null")
    assert uploads.hold("1", 8, lambda *_: None) is not None
    second(False, b"{}")
    assert done == [True, False]
    assert uploads.bytes == 8
