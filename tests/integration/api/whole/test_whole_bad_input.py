"""Whatever is asked wrongly: the status, the body's code and message, and what the ``flora`` command says of it.

A row of the tables is one way to be wrong, asked of the whole API twice: by HTTP, and by the command of somebody
who does the same. Nothing that was there before is lost by it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.integration.api.auth.conftest import ELSEWHERE, GARDEN, MEADOW
from tests.integration.api.whole.people import DEPLOY, Flora, flora, inhabited, kept, project, script
from tests.integration.api.whole.whole_api import WholeApi

__all__ = ["flora", "inhabited", "kept", "project"]

MISTYPED: Final = "flora_" + "a" * 16 + "_" + "b" * 52


def bundle(code: str = "(async () => {})();", **more: Any) -> dict[str, Any]:
    return {"entry": "src/main.ts", "bundle": code, **more}


@dataclass(frozen=True)
class Wrong:
    """One row."""

    what: str
    method: str
    path: str
    body: Any
    status: int
    code: str
    says: str
    """A regular expression that the message matches."""
    command: tuple[str, ...] = ()
    """The same as a command; nothing where a command cannot be so wrong."""
    exit: int = 2
    line: str = ""
    """What the command says, when it is not what the API says."""
    who: str = "ada"
    stdin: bytes = b""


def at(guild: str) -> tuple[str, ...]:
    return ("status", "--guild", guild)


WHO: Final = [
    *(
        Wrong(
            *(f"a token that is {name}", "GET", f"{DEPLOY}/status", None, 401, "TOKEN_INVALID"),
            says=r"mistyped, revoked or expired; log in again: flora login",
            command=at(GARDEN),
            exit=3,
            who=token,
        )
        for name, token in [
            ("expired", "expired"),
            ("revoked", "revoked"),
            ("mistyped", MISTYPED),
            ("of another kind", "xoxb-1234"),
        ]
    ),
    Wrong(
        *("no token", "GET", f"{DEPLOY}/status", None, 401, "UNAUTHORIZED"),
        says="log in at /api/auth/login, or send a token",
        command=at(GARDEN),
        exit=3,
        line=r"flora login",
        who="",
    ),
    Wrong(
        *("somebody else's guild", "GET", f"{DEPLOY}/status", None, 403, "NOT_GUILD_ADMIN"),
        says="this takes the permission Manage Server or Administrator",
        command=at(GARDEN),
        exit=3,
        who="eve",
    ),
    Wrong(
        *("a token for another guild", "GET", f"{DEPLOY}/status", None, 403, "TOKEN_LIMITED"),
        says="make one that is: flora token create",
        command=at(GARDEN),
        exit=3,
        who="meadow",
    ),
    Wrong(
        *("a token that may only read", "DELETE", DEPLOY, None, 403, "TOKEN_LIMITED"),
        says="this token is not for 'deploy'",
        command=("undeploy", "--guild", GARDEN, "--yes"),
        exit=3,
        who="reader",
    ),
    Wrong(
        *(
            "a guild without the bot",
            "GET",
            f"/deployments/{ELSEWHERE}/status",
            None,
            404,
            "BOT_NOT_IN_GUILD",
        ),
        says="the bot is not in this guild; invite it first",
        command=at(ELSEWHERE),
        exit=4,
    ),
    Wrong(
        *("a guild that is none", "GET", "/deployments/my-guild/status", None, 400, "INVALID_GUILD_ID"),
        says="my-guild",
        command=at("my-guild"),
        line="--guild: 'my-guild'",
    ),
    Wrong(
        *("nothing is deployed there", "GET", f"/deployments/{MEADOW}/status", None, 404, "NOT_DEPLOYED"),
        says="nothing is deployed",
        command=at(MEADOW),
        exit=4,
    ),
]

SECRETS_AND_KV: Final = [
    *(
        Wrong(
            *(f"the secret {name!r}", "PUT", f"/secrets/{GARDEN}/{name}", {"value": "v"}, 400),
            code="INVALID_SECRET_NAME",
            says="use letters, digits and '_', at most 64",
            command=("secret", "put", name, "--guild", GARDEN, "--host", "a.example.com"),
            stdin=b"value",
        )
        for name in ("1KEY", "MY-KEY", "K" * 65)
    ),
    Wrong(
        *("a secret for a host that is none", "PUT", f"/secrets/{GARDEN}/KEY"),
        *({"value": "v", "allowed_hosts": ["ftp://x"]}, 400, "INVALID_ALLOWED_HOST"),
        says="ftp://x",
        command=("secret", "put", "KEY", "--guild", GARDEN, "--host", "ftp://x"),
        stdin=b"value",
    ),
    Wrong(
        *("a secret without a value", "PUT", f"/secrets/{GARDEN}/KEY", {"value": ""}, 400),
        code="INVALID_SECRET_VALUE",
        says="is empty",
        command=("secret", "put", "KEY", "--guild", GARDEN, "--host", "a.example.com"),
    ),
    Wrong(
        *("a secret that is too long", "PUT", f"/secrets/{GARDEN}/KEY", {"value": "x" * 16385}, 400),
        code="INVALID_SECRET_VALUE",
        says="has 16,385 bytes and may have 16,384",
        command=("secret", "put", "KEY", "--guild", GARDEN, "--host", "a.example.com"),
        stdin=b"x" * 16385,
    ),
    Wrong(
        *("a cursor of nobody's", "GET", f"{DEPLOY}/history?cursor=xyz", None, 400, "INVALID_CURSOR"),
        says="cursor: give it as the page before has it",
    ),
    Wrong(
        *("a cursor in KV", "GET", f"/kv/{GARDEN}/kept?cursor={'x' * 600}", None, 400, "INVALID_REQUEST"),
        says="query.cursor: String should have at most 512 characters",
        command=("kv", "list", "--store", "kept", "--guild", GARDEN, "--cursor", "x" * 600),
    ),
    Wrong(
        *("a time that is none", "PUT", f"/kv/{GARDEN}/s/k", {"value": "v", "ttl": -1}, 400),
        code="INVALID_REQUEST",
        says="body.ttl: Input should be greater than 0",
        command=("kv", "put", "k", "v", "--store", "s", "--guild", GARDEN, "--ttl", "0"),
        line="--ttl: '0' should be more than nothing",
    ),
    Wrong(
        *("a time that is past", "PUT", f"/kv/{GARDEN}/s/k", {"value": "v", "expiration": 1}, 400),
        code="INVALID_REQUEST",
        says="body.expiration: lies in the past; give Unix seconds, or a ttl",
        command=("kv", "put", "k", "v", "--store", "s", "--guild", GARDEN, "--expiration", "1"),
    ),
    Wrong(
        *("a store with a slash", "PUT", f"/kv/{GARDEN}/a%2Fb/k", {"value": "v"}, 400, "INVALID_INPUT"),
        says="store",
        command=("kv", "put", "k", "v", "--store", "a/b", "--guild", GARDEN),
    ),
    Wrong(
        *("a value that is too large", "PUT", f"/kv/{GARDEN}/s/k", {"value": "x" * (1 << 21)}, 400),
        code="INVALID_INPUT",
        says="value",
        command=("kv", "put", "k", "-", "--store", "s", "--guild", GARDEN),
        stdin=b"x" * (1 << 21),
    ),
    Wrong(
        *("a store of a guild without a script", "GET", f"/kv/{MEADOW}/s/k", None, 404, "NOT_DEPLOYED"),
        says="nothing is deployed in guild",
        command=("kv", "get", "k", "--store", "s", "--guild", MEADOW),
        exit=4,
    ),
    Wrong(
        *(
            "a job that there is none of",
            "POST",
            f"/crons/{GARDEN}/run",
            {"name": "never"},
            404,
            "UNKNOWN_CRON",
        ),
        says="never",
        command=("cron", "run", "never", "--guild", GARDEN),
        exit=4,
    ),
]

DEPLOYS: Final = [
    Wrong(
        "a deploy of nothing",
        "POST",
        DEPLOY,
        {"entry": "src/main.ts"},
        400,
        "NOTHING_TO_DEPLOY",
        "give files",
    ),
    Wrong(
        *(
            "an entrypoint that is not there",
            "POST",
            DEPLOY,
            script(path="src/mian.ts"),
            400,
            "INVALID_PROJECT",
        ),
        says="did you mean src/mian.ts",
    ),
    Wrong(
        "two files of one path",
        "POST",
        DEPLOY,
        {**script(), "files": script()["files"] * 2},
        400,
        "INVALID_PROJECT",
        "twice",
    ),
    Wrong(
        "a path out of the project",
        "POST",
        DEPLOY,
        script(path="../main.ts"),
        400,
        "INVALID_PROJECT",
        r"\.\./main",
    ),
    Wrong(
        "201 files",
        "POST",
        DEPLOY,
        {"entry": "a0.ts", "files": [{"path": f"a{n}.ts", "contents": "//"} for n in range(201)]},
        400,
        "INVALID_REQUEST",
        "files.*200",
    ),
    Wrong(
        "a body over the limit",
        "POST",
        DEPLOY,
        bundle("x" * (9 << 20)),
        413,
        "TOO_LARGE",
        "a request may have 8 MiB",
    ),
    Wrong(
        "a bundle that is blank", "POST", DEPLOY, bundle(" \n"), 400, "INVALID_BUNDLE", "the bundle is empty"
    ),
    Wrong("a bundle that is binary", "POST", DEPLOY, bundle("\0\1"), 400, "INVALID_BUNDLE", "not text"),
    Wrong(
        *("a map that is none", "POST", DEPLOY),
        *(bundle(source_map={"path": "a.js.map", "contents": "[1]"}), 400, "INVALID_BUNDLE"),
        says="no source map",
    ),
    Wrong(
        "a build of nobody's",
        "POST",
        DEPLOY,
        {"entry": "src/main.ts", "build_id": "x"},
        404,
        "BUILD_NOT_FOUND",
        "build",
    ),
    Wrong(
        *("a message that cannot be shown", "POST", DEPLOY, script(message="\x1b[2J"), 400, "BAD_REQUEST"),
        says="a character that cannot be shown",
        command=("deploy", "PROJECT", "--guild", GARDEN, "-m", "\x1b[2J"),
    ),
    Wrong(
        *("another revision than the one expected", "POST", DEPLOY, script(expected_revision="none"), 409),
        code="REVISION_CHANGED",
        says="is live, and you expected none: somebody deployed meanwhile",
        command=("deploy", "PROJECT", "--guild", GARDEN, "--expected-revision", "none"),
        exit=1,
    ),
    Wrong(
        *("a misspelt field", "POST", DEPLOY, script(mesage="x"), 400, "INVALID_REQUEST"),
        says="body.mesage: Extra inputs are not permitted",
    ),
    Wrong("a body that is no JSON", "POST", DEPLOY, b"{", 400, "INVALID_REQUEST", "JSON"),
    Wrong(
        *("a revision that is none", "POST", f"{DEPLOY}/rollback/newest", None, 400, "INVALID_REVISION_ID"),
        says="flora history lists them",
        command=("rollback", "newest", "--guild", GARDEN, "--yes"),
    ),
    Wrong(
        *("a revision of nobody's", "POST", f"{DEPLOY}/rollback/00000000-0000-4000-8000-000000000000", None),
        *(404, "REVISION_NOT_FOUND"),
        says="revision",
        command=("rollback", "00000000-0000-4000-8000-000000000000", "--guild", GARDEN, "--yes"),
        exit=4,
    ),
    Wrong(
        *("code that does not parse", "POST", DEPLOY, script("const = 1"), 400, "BUNDLE_FAILED"),
        says=r"src/main.ts:1:\d+",
        command=("deploy", "PROJECT", "--guild", GARDEN),
        exit=1,
    ),
]


@pytest.mark.parametrize("wrong", [*WHO, *SECRETS_AND_KV, *DEPLOYS], ids=lambda wrong: wrong.what)
def test_the_api_says_what_to_do_instead(whole: WholeApi, wrong: Wrong) -> None:
    raw = isinstance(wrong.body, bytes)
    sent = (
        {"content": wrong.body, "headers": {"Content-Type": "application/json"}}
        if raw
        else {"json": wrong.body}
    )
    answer = whole.ask(wrong.method, wrong.path, who=wrong.who, **sent)
    body = answer.json()
    assert (answer.status_code, body["code"]) == (wrong.status, wrong.code), body
    assert re.search(wrong.says, body["message"]), body["message"]
    assert body.keys() == {"message", "code", "details"}
    assert answer.headers["X-Request-ID"]
    for token in whole.tokens.values():
        assert token not in answer.text


@pytest.mark.parametrize(
    "wrong", [row for row in [*WHO, *SECRETS_AND_KV, *DEPLOYS] if row.command], ids=lambda wrong: wrong.what
)
def test_so_does_the_command(flora: Flora, project: Path, wrong: Wrong) -> None:
    if wrong.code == "BUNDLE_FAILED":
        (project / "src" / "main.ts").write_text(wrong.body["files"][0]["contents"])
    command = [project if word == "PROJECT" else word for word in wrong.command]
    ended = flora(*command, who=wrong.who, stdin=wrong.stdin)
    assert ended.code == wrong.exit, ended
    assert re.search(wrong.line or wrong.says, ended.err), ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""
