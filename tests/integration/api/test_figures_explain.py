"""Every statement that the API sends to Postgres finds its rows by an index.

The statements are taken from the source, and planned by a real Postgres without their values, as it plans what is
prepared. Reading whole tables is forbidden there, so that a plan which does it all the same has no index to use.
"""

from __future__ import annotations

import ast
import asyncio
import importlib
import json
import pkgutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import asyncpg
import pytest

import flora_api
from flora_core.database import bundles
from tests.integration.database.conftest import postgres, url  # noqa: F401  fixtures
from tests.integration.postgres_server import PostgresServer

ASKING = {"fetch", "fetchrow", "fetchval", "execute", "executemany"}
TABLES = {
    "revisions",
    "builds",
    "audit",
    "people",
    "api_tokens",
    "guild_secrets",
    "guild_secret_changes",
    "bundles",
    "bundle_sources",
}

WHOLE = {
    "SELECT DISTINCT key_id FROM guild_secrets": "when a replica starts, off the index alone",
    "WITH old AS (": "the operator's, who clears out bundles: which of them no build has, of what little is kept",
}
"""How statements begin that may look at all of a table, and why."""

PARTIAL = {"revisions_pending", "revisions_one_deploy", "builds_unfinished", "builds_guild"}
"""Indexes that hold what is under way alone."""


class Statement(NamedTuple):
    where: str
    text: str


# ---------------------------------------------------------------- from the source


def modules() -> Iterator[ModuleType]:
    yield bundles
    for found in pkgutil.walk_packages(flora_api.__path__, "flora_api."):
        yield importlib.import_module(found.name)


def statements_of(module: ModuleType) -> Iterator[Statement]:
    assert module.__file__ is not None
    tree = ast.parse(Path(module.__file__).read_text())
    constants: dict[str, Any] = {
        node.targets[0].id: node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    names = constants | vars(module)
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        where = f"{module.__name__}:{node.lineno}"
        if node.func.attr == "_fetch":  # the history's rows: its columns, and what the call says
            yield Statement(where, f"SELECT {names['COLUMNS']} FROM revisions {text_of(node.args[0], names)}")
        elif (
            node.func.attr in ASKING
            and ast.unparse(node.func.value) == "connection"
            and "{rest}" not in ast.unparse(node.args[0])  # which `_fetch` is
        ):
            yield Statement(where, text_of(node.args[0], names))


def text_of(expression: ast.expr, names: dict[str, Any]) -> str:
    text = eval(compile(ast.Expression(expression), "statement", "eval"), names)
    assert isinstance(text, str)
    return text


def statements() -> list[Statement]:
    return [statement for module in modules() for statement in statements_of(module)]


def test_the_statements_are_found() -> None:
    """All that look like one: a call of another name would go unseen."""
    found = {statement.text for statement in statements()}
    assert len(found) > 45
    for word in ("SELECT", "INSERT", "UPDATE", "DELETE"):
        assert sum(text.lstrip().startswith(word) for text in found) >= 3


# ---------------------------------------------------------------- the database


async def _fill(url: str) -> None:  # noqa: F811
    """A table of a few guilds is read as a whole by any plan."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            """
            INSERT INTO revisions (guild, status, entry, source, actor_type, digest, inline, object_uid,
                generation, finished_at, bundle)
            SELECT guild::text, 'success', 'src/main.ts', 'cli', 'token', repeat('a', 64), true,
                'uid-' || guild, number, now(), lpad(to_hex(guild), 64, '0')
            FROM generate_series(1, 1000) AS guild, generate_series(1, 10) AS number;
            INSERT INTO builds (guild, entry, status, alive_until, bundle)
            SELECT guild::text, 'src/main.ts', 'done', now(), lpad(to_hex(guild), 64, '0')
            FROM generate_series(1, 1000) AS guild;
            INSERT INTO audit (guild, actor_type, actor_id, actor_name, action)
            SELECT guild::text, 'token', '1', 'ada', 'secret.put'
            FROM generate_series(1, 1000) AS guild, generate_series(1, 10) AS number;
            INSERT INTO people (user_id, username) SELECT user_id::text, 'ada'
            FROM generate_series(1, 1000) AS user_id;
            INSERT INTO api_tokens (token_id, user_id, secret_sha256, scopes, expires_at)
            SELECT translate(lpad(number::text, 16, 'a'), '0189', 'zxyw'), number::text,
                sha256(number::text::bytea), ARRAY['read'], now()
            FROM generate_series(1, 1000) AS number;
            INSERT INTO guild_secrets (guild, name, key_id, nonce, ciphertext, placeholder, allowed_hosts)
            SELECT guild::text, 'KEY_' || number, 'k1', 'twelve bytes', 'x', guild || '-' || number, ARRAY['a']
            FROM generate_series(1, 1000) AS guild, generate_series(1, 5) AS number;
            INSERT INTO guild_secret_changes (guild, version) SELECT guild::text, guild
            FROM generate_series(1, 1000) AS guild;
            INSERT INTO bundles (sha256, data) SELECT lpad(to_hex(number), 64, '0'), 'x'
            FROM generate_series(1, 1000) AS number;
            INSERT INTO bundle_sources (sources, bundle)
            SELECT lpad(to_hex(number), 64, '0'), lpad(to_hex(number), 64, '0')
            FROM generate_series(1, 1000) AS number;
            ANALYZE;
            """
        )
    finally:
        await connection.close()


@pytest.fixture
def filled(url: str) -> str:  # noqa: F811
    asyncio.run(_fill(url))
    return url


def plans_of(server: PostgresServer, url: str, texts: list[str]) -> list[dict[str, Any]]:  # noqa: F811
    """By psql: only the simple protocol lets EXPLAIN leave parameters open."""
    lines = ["SET enable_seqscan = off;"]
    for text in texts:
        lines += [f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {text};", "\\echo ----"]
    command = [server._binaries / "psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", url]
    done = subprocess.run(
        command, input="\n".join(lines), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(part)[0]["Plan"] for part in done.stdout.split("----\n")[:-1]]


def faults(plan: dict[str, Any], *, limited: bool = False) -> Iterator[str]:
    """Scans that look at more of a table than they are asked for."""
    kind, index = plan["Node Type"], plan.get("Index Name", "")
    if kind == "Seq Scan" and plan["Relation Name"] in TABLES:
        yield f"reads all of {plan['Relation Name']}"
    if "Index" in kind and "Index Cond" not in plan and index not in PARTIAL and not limited:
        yield f"reads all of the index {index}"
    for child in plan.get("Plans", []):
        yield from faults(child, limited=kind == "Limit")


def test_every_statement_finds_its_rows_by_an_index(
    postgres: PostgresServer,  # noqa: F811
    filled: str,
) -> None:
    found = statements()
    plans = plans_of(postgres, filled, [statement.text for statement in found])
    assert len(plans) == len(found)
    wrong = {
        statement.where: list(faults(plan))
        for statement, plan in zip(found, plans, strict=True)
        if any(faults(plan)) and not statement.text.strip().startswith(tuple(WHOLE))
    }
    assert wrong == {}


def test_a_statement_without_an_index_would_be_seen(
    postgres: PostgresServer,  # noqa: F811
    filled: str,
) -> None:
    (plan,) = plans_of(postgres, filled, ["SELECT id FROM revisions WHERE message = $1"])
    assert list(faults(plan))


def test_what_may_look_at_all_of_a_table_is_still_there() -> None:
    texts = [statement.text.strip() for statement in statements()]
    assert all(any(text.startswith(whole) for text in texts) for whole in WHOLE)
