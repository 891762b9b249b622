"""fetch and its classes, as a script meets them; the test is the host."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from harness import GuildUnderTest
from payloads import message

from conftest import NewGuild

URL = "https://api.example/"


def answered(**answer: Any) -> dict[str, Any]:
    return {"status": 200, "statusText": "OK", "url": URL, "headers": [], "text": ""} | answer


def ask(guild: GuildUnderTest, expression: str) -> None:
    """Start something asynchronous; ``told`` has what became of it."""
    guild.run(
        "globalThis.told = undefined;"
        f" (async () => ({expression}))().then((v) => {{ told = ['ok', v] }}, (e) => {{ told = [e.name, e.code, e.message] }})"
    )


def told(guild: GuildUnderTest) -> Any:
    return guild.value("told")


def sent(guild: GuildUnderTest, arguments: str) -> dict[str, Any]:
    ask(guild, f"fetch({arguments})")
    assert guild.out.ops, told(guild)
    op = guild.out.ops.pop()
    assert op.name == "fetch"
    return op.args


# ------------------------------------------------------------------------------------------------- asking


@pytest.mark.parity(26)
def test_a_plain_fetch_says_where(guild: GuildUnderTest) -> None:
    assert sent(guild, "'https://API.example/a b?c#d'") == {
        "url": "https://api.example/a%20b?c",
        "method": "GET",
        "headers": [],
        "redirect": "follow",
    }


BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "text": ("'ä'", {"text": "ä", "type": "text/plain;charset=UTF-8"}),
    "half a surrogate pair": ("'\\ud800'", {"text": "\ufffd", "type": "text/plain;charset=UTF-8"}),
    "a query": (
        "new URLSearchParams({ a: '1 2' })",
        {"text": "a=1+2", "type": "application/x-www-form-urlencoded;charset=UTF-8"},
    ),
    "an ArrayBuffer": ("new Uint8Array([1, 2]).buffer", {"body": "AQI=", "type": None}),
    "a part of one": ("new Uint8Array([1, 2, 3]).subarray(1)", {"body": "AgM=", "type": None}),
    "a DataView": ("new DataView(new Uint8Array([1, 2]).buffer, 1)", {"body": "Ag==", "type": None}),
    "a Blob": ("new Blob(['x'], { type: 'A/B' })", {"body": "eA==", "type": "a/b"}),
    "a Blob without type": ("new Blob(['x'])", {"body": "eA==", "type": None}),
    "a number": ("5", {"text": "5", "type": "text/plain;charset=UTF-8"}),
    "nothing": ("null", {"type": None}),
}


@pytest.mark.parametrize(("body", "expected"), BODIES.values(), ids=BODIES.keys())
def test_bodies_of_every_kind(guild: GuildUnderTest, body: str, expected: dict[str, Any]) -> None:
    args = sent(guild, f"'{URL}', {{ method: 'POST', body: {body} }}")
    assert {
        "text": args.get("text"),
        "body": args.get("body"),
        "type": dict(args["headers"]).get("content-type"),
    } == {
        "text": None,
        "body": None,
        **expected,
    }


def test_a_form_is_multipart(guild: GuildUnderTest) -> None:
    guild.run(
        "globalThis.form = new FormData(); form.append('a\"', 'x\\ny');"
        " form.append('f', new File(['data'], 'n\\n.txt', { type: 'text/x' }))"
    )
    args = sent(guild, f"'{URL}', {{ method: 'POST', body: form }}")
    boundary = dict(args["headers"])["content-type"].removeprefix("multipart/form-data; boundary=")
    assert base64.b64decode(args["body"]).decode() == (
        f'--{boundary}\r\nContent-Disposition: form-data; name="a%22"\r\n\r\nx\r\ny\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="f"; filename="n%0A.txt"\r\nContent-Type: text/x\r\n\r\n'
        f"data\r\n--{boundary}--\r\n"
    )


def test_headers_of_the_connection_are_ignored(guild: GuildUnderTest) -> None:
    init = (
        "{ headers: { Host: 'x', 'Content-Length': '1', 'Proxy-X': 'y', Cookie: 'a=b', 'User-Agent': 'me' } }"
    )
    assert sent(guild, f"'{URL}', {init}")["headers"] == [["cookie", "a=b"], ["user-agent", "me"]]


def test_a_request_can_be_made_first_and_changed(guild: GuildUnderTest) -> None:
    guild.run(f"globalThis.r = new Request('{URL}', {{ method: 'PUT', body: 'x', headers: {{ A: '1' }} }})")
    args = sent(guild, "r, { headers: { B: '2' }, redirect: 'manual', flora: { secretsInBody: true } }")
    assert (args["method"], args["text"], args["redirect"], args["secretsInBody"]) == (
        "PUT",
        "x",
        "manual",
        True,
    )
    assert args["headers"] == [["b", "2"]]
    assert guild.value("r.bodyUsed") is True
    ask(guild, "fetch(r)")
    assert told(guild)[0] == "TypeError"


REFUSED = {
    "no URL": ("'nonsense'", "TypeError"),
    "a path": ("'/a'", "TypeError"),
    "another scheme": ("'file:///etc/passwd'", "TypeError"),
    "a password": ("'https://u:p@a.b'", "TypeError"),
    "a body with GET": (f"'{URL}', {{ body: 'x' }}", "TypeError"),
    "a body with HEAD": (f"'{URL}', {{ method: 'head', body: 'x' }}", "TypeError"),
    "a method that tunnels": (f"'{URL}', {{ method: 'CONNECT' }}", "TypeError"),
    "a method with a space": (f"'{URL}', {{ method: 'A B' }}", "TypeError"),
    "a header with a line end": (f"'{URL}', {{ headers: {{ A: 'x\\r\\ny: z' }} }}", "TypeError"),
    "a header's name with a space": (f"'{URL}', {{ headers: {{ 'A B': 'x' }} }}", "TypeError"),
    "a header beyond Latin-1": (f"'{URL}', {{ headers: {{ A: '☃' }} }}", "TypeError"),
    "headers in threes": (f"'{URL}', {{ headers: [['a', 'b', 'c']] }}", "TypeError"),
    "a strange redirect": (f"'{URL}', {{ redirect: 'maybe' }}", "TypeError"),
    "a strange signal": (f"'{URL}', {{ signal: {{}} }}", "TypeError"),
    "too much": (f"'{URL}', {{ method: 'POST', body: 'x'.repeat(1100000) }}", "RangeError"),
}


@pytest.mark.parametrize(("arguments", "name"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_asked_is_refused_in_the_script(
    guild: GuildUnderTest, arguments: str, name: str
) -> None:
    ask(guild, f"fetch({arguments})")
    assert told(guild)[0] == name
    assert guild.out.ops == []


# ------------------------------------------------------------------------------------------------- the answer


def response(guild: GuildUnderTest, expression: str, **answer: Any) -> Any:
    """What ``expression`` makes of the response ``r``."""
    ask(guild, f"fetch('{URL}').then(async (r) => ({expression}))")
    guild.resolve(value=answered(**answer))
    return told(guild)


def test_a_response_tells_of_itself(guild: GuildUnderTest) -> None:
    facts = "[r.status, r.statusText, r.ok, r.url, r.redirected, r.type, r.body, r.bodyUsed, r instanceof Response]"
    assert response(guild, facts, status=404, statusText="Not Found", redirected=True) == [
        "ok",
        [404, "Not Found", False, URL, True, "basic", None, False, True],
    ]


def test_headers_of_a_response_are_joined_but_for_cookies(guild: GuildUnderTest) -> None:
    headers = [["x-a", "1"], ["x-a", "2"], ["set-cookie", "a=1"], ["set-cookie", "b=2"], ["bad name", "x"]]
    facts = "[r.headers.get('X-A'), r.headers.getSetCookie(), [...r.headers]]"
    assert response(guild, facts, headers=headers)[1] == [
        "1, 2",
        ["a=1", "b=2"],
        [["set-cookie", "a=1"], ["set-cookie", "b=2"], ["x-a", "1, 2"]],
    ]
    assert response(guild, "r.headers.set('a', 'b')")[0] == "TypeError"


READ = {
    "text": ("await r.text()", "ä"),
    "bytes": ("[...(await r.bytes())]", [195, 164]),
    "arrayBuffer": ("(await r.arrayBuffer()).byteLength", 2),
    "blob": ("((b) => [b.size, b.type])(await r.blob())", [2, "text/x"]),
}


@pytest.mark.parametrize("form", ["text", "body"])
@pytest.mark.parametrize(("expression", "value"), READ.values(), ids=READ.keys())
def test_a_body_is_read_as_what_is_wanted(
    guild: GuildUnderTest, form: str, expression: str, value: Any
) -> None:
    given = "ä" if form == "text" else base64.b64encode("ä".encode()).decode()
    answer: dict[str, Any] = {"text": None, "headers": [["content-type", "Text/X"]], form: given}
    answer = {name: what for name, what in answer.items() if what is not None}
    ask(guild, f"fetch('{URL}').then(async (r) => ({expression}))")
    guild.resolve(value={"status": 200, "statusText": "", "url": URL, **answer})
    assert told(guild) == ["ok", value]


def test_a_body_is_read_once(guild: GuildUnderTest) -> None:
    assert response(guild, "[await r.text(), r.bodyUsed, await r.json()]", text="1")[0] == "TypeError"
    assert response(guild, "[await r.clone().json(), await r.text()]", text="1") == ["ok", [1, "1"]]
    assert response(guild, "(await r.text(), r.clone())")[0] == "TypeError"


def test_copies_share_no_bytes(guild: GuildUnderTest) -> None:
    expression = "((a, b) => (a[0] = 9, b[0]))(await r.clone().bytes(), await r.bytes())"
    ask(guild, f"fetch('{URL}').then(async (r) => ({expression}))")
    guild.resolve(value={"status": 200, "statusText": "", "url": URL, "headers": [], "body": "AQ=="})
    assert told(guild) == ["ok", 1]


def test_json_that_is_none_or_too_long_is_an_error(guild: GuildUnderTest) -> None:
    assert response(guild, "await r.json()", text="{")[0] == "SyntaxError"
    assert response(guild, "await r.json()", text="")[0] == "SyntaxError"
    assert response(guild, "await r.json()", text=" " * (1 << 22) + "1")[0] == "RangeError"
    assert response(guild, "await r.json()", text="\ufeff[1]") == ["ok", [1]]


def test_a_response_without_content_has_none(guild: GuildUnderTest) -> None:
    assert response(guild, "[r.status, await r.text(), r.bodyUsed]", status=204) == ["ok", [204, "", False]]


def test_forms_come_back(guild: GuildUnderTest) -> None:
    multipart = (
        '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b\r\n'
        'content-disposition: form-data; name="f"; filename="x.txt"\r\nContent-Type: text/x\r\n\r\ndä\r\n--b--\r\n'
    )
    facts = "((f) => [f.get('a'), f.get('f').name, f.get('f').type, f.get('f').size])(await r.formData())"
    kind = [["content-type", 'multipart/form-data; boundary="b"']]
    assert response(guild, facts, headers=kind, text=multipart)[1] == ["1", "x.txt", "text/x", 3]
    assert response(guild, facts, headers=kind, text=multipart[:-8])[0] == "TypeError"
    form = [["content-type", "application/x-www-form-urlencoded"]]
    assert response(guild, "[...(await r.formData())]", headers=form, text="a=1+2&?b=3")[1] == [
        ["a", "1 2"],
        ["?b", "3"],
    ]
    assert response(guild, "await r.formData()", text="a=1")[0] == "TypeError"


def test_a_refusal_is_a_flora_error_at_the_scripts_line(guild: GuildUnderTest) -> None:
    guild.load(f"on('messageCreate', async function mine() {{ await fetch('{URL}') }})")
    number = guild.event("MESSAGE_CREATE", message())
    guild.reject(code="FETCH_RATE_LIMITED", message="too often", retryAfter=3)
    guild.feed()
    error = guild.out.done[number] or ""
    assert error.startswith("FloraError: too often")
    assert "async mine" in error


# ------------------------------------------------------------------------------------------------- aborting


def test_aborting_rejects_at_once_and_tells_the_host(guild: GuildUnderTest) -> None:
    guild.run("globalThis.c = new AbortController()")
    ask(guild, f"fetch('{URL}', {{ signal: c.signal }})")
    first = guild.op
    guild.run("c.abort()")
    assert told(guild)[0] == "AbortError"
    first, abort = guild.out.ops
    assert (abort.name, abort.args) == ("fetchAbort", {"id": first.id})
    guild.resolve(abort)
    guild.reject(first, code="FETCH_FAILED")
    assert (told(guild)[0], guild.lines) == ("AbortError", [])


def test_the_reason_is_what_rejects(guild: GuildUnderTest) -> None:
    ask(guild, f"fetch('{URL}', {{ signal: AbortSignal.abort(new RangeError('mine')) }})")
    assert (told(guild), guild.out.ops) == (["RangeError", None, "mine"], [])
    ask(guild, f"fetch(new Request('{URL}', {{ signal: AbortSignal.timeout(5) }}))")
    guild.fire()
    assert told(guild)[0] == "TimeoutError"


def test_aborting_after_the_answer_does_nothing(guild: GuildUnderTest) -> None:
    guild.run("globalThis.c = new AbortController()")
    ask(guild, f"fetch('{URL}', {{ signal: c.signal }}).then((r) => r.text())")
    guild.resolve(value=answered(text="x"))
    guild.run("c.abort()")
    assert (told(guild), guild.out.ops) == (["ok", "x"], [])


# ------------------------------------------------------------------------------------------------- secrets


@pytest.mark.parity(24)
def test_secrets_are_placeholders_or_undefined(new_guild: NewGuild) -> None:
    guild = new_guild(secrets={"KEY": "mark", "__proto__": "odd"})
    names = ["KEY", "NONE", "toString", "constructor", "hasOwnProperty"]
    assert [guild.value(f"secrets.get('{name}')") for name in names] == ["mark", None, None, None, None]
    assert guild.value("[flora.secrets === secrets, secrets.get('NONE') === undefined]") == [True, True]
    assert guild.throws("secrets.get(5)").startswith("Error: Invalid input") or "FloraError" in guild.throws(
        "secrets.get(5)"
    )


@pytest.mark.parity(54)
def test_new_placeholders_come_with_a_turn(new_guild: NewGuild) -> None:
    guild = new_guild()
    assert guild.value("secrets.get('KEY')") is None
    guild.feed(k={"KEY": "mark"})
    assert guild.value("secrets.get('KEY')") == "mark"
    guild.feed(k={})
    assert guild.value("secrets.get('KEY')") is None


# ------------------------------------------------------------------------------------------------- tampering


TAMPERINGS = [
    "Array.prototype[Symbol.iterator] = boom; Array.prototype.push = boom; Array.prototype.map = boom",
    "for (const k of ['set', 'subarray', 'slice', 'fill']) Object.getPrototypeOf(Int8Array).prototype[k] = boom",
    "Object.defineProperty(Object.getPrototypeOf(Int8Array).prototype, 'length', { get: () => 3 })",
    "Object.prototype.toJSON = boom; JSON.stringify = boom; JSON.parse = boom",
    "String.prototype.split = String.prototype.slice = String.prototype.toLowerCase = boom; RegExp.prototype.exec = boom",
    "for (const k of ['headers', 'text', 'body', 'status', 'url']) Object.defineProperty(Object.prototype, k, { set: boom, get: () => 'evil', configurable: true })",
    "Promise.prototype.then = boom; globalThis.Promise = class {}",
]


@pytest.mark.parametrize("code", TAMPERINGS)
def test_a_script_that_broke_the_built_ins_still_fetches(guild: GuildUnderTest, code: str) -> None:
    guild.load(
        f"on('messageCreate', async (ctx) => {{ const r = await fetch('{URL}', {{ method: 'POST', body: 'x', headers: {{ a: 'b' }} }});"
        " await ctx.reply(r.status + (await r.text())) });"
        f" const boom = () => {{ throw new Error('tampered') }}; {code}"
    )
    guild.event("MESSAGE_CREATE", message())
    assert (guild.op.args["url"], guild.op.args["text"], guild.op.args["headers"][0]) == (
        URL,
        "x",
        ["a", "b"],
    )
    guild.resolve(value=answered(text="fine"))
    assert guild.op.body["content"] == "200fine"


def test_a_large_answer_fits_into_an_isolate(guild: GuildUnderTest) -> None:
    assert response(guild, "(await r.text()).length", text="x" * (10 << 20)) == ["ok", 10 << 20]
    assert guild.memory() < 64 << 20
