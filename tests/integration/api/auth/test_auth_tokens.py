"""API tokens, in a real Postgres."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import httpx
import pytest

from flora_api.auth import people as people_table
from flora_api.auth.discord import User
from flora_api.auth.tokens import KEPT, MOST_OF_A_PERSON, TokenParts, Tokens, make_token
from flora_api.errors import Conflict, NotFound
from flora_api.principal import ActorType, Principal, Right
from flora_core.database import Database
from flora_core.errors import DatabaseGone
from flora_core.ids import GuildId
from tests.integration.api.auth.conftest import GARDEN, HERE, ORCHARD, Browser, MakeApi, bearer
from tests.integration.postgres_server import PostgresServer

ADA = Principal(ActorType.SESSION, "1", "ada")
EVE = Principal(ActorType.SESSION, "2", "eve")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def known_people(database: Database) -> None:
    for person in (ADA, EVE):
        user = User(person.user_id, person.username)
        await database.run(lambda connection, user=user: people_table.remember(connection, user, None))


@pytest.fixture
def tokens(database: Database, known_people: None, clock: Clock) -> Tokens:
    return Tokens(database, clock=clock)


async def ask(database: Database, query: str, *values: object) -> object:
    return await database.run(lambda connection: connection.fetchval(query, *values))


async def test_a_token_is_found_by_what_was_shown(tokens: Tokens) -> None:
    shown, row = await tokens.create(ADA, label="CI", guilds=[GuildId("7")], scopes=[Right.READ], days=3)
    known = await tokens.find(shown)
    assert known is not None
    assert known.username == "ada"
    token = known.token
    assert (token.token_id, token.user_id, token.label) == (shown.id, "1", "CI")
    assert token.allows(GuildId("7"), Right.READ)
    assert not token.allows(GuildId("8"), Right.READ)
    assert not token.allows(GuildId("7"), Right.DEPLOY)
    assert timedelta(days=2, hours=23) < token.expires_at - datetime.now(UTC) < timedelta(days=3)
    assert row.last_used_at is None
    assert token.last_used_at is not None


async def test_another_secret_with_the_same_id_is_refused(tokens: Tokens) -> None:
    shown, _ = await tokens.create(ADA)
    forged = TokenParts(shown.id, make_token().secret)
    assert await tokens.find(forged) is None
    assert await tokens.find(shown) is not None
    assert await tokens.find(forged) is None  # also when the good one is remembered


async def test_a_wrong_secret_does_not_count_as_use(tokens: Tokens, database: Database) -> None:
    shown, _ = await tokens.create(ADA)
    await tokens.find(TokenParts(shown.id, make_token().secret))
    assert await ask(database, "SELECT last_used_at FROM api_tokens") is None


async def test_postgres_has_no_secret(tokens: Tokens, database: Database) -> None:
    shown, _ = await tokens.create(ADA, label="x")
    row = str(
        await ask(
            database, "SELECT api_tokens::text || people::text FROM api_tokens JOIN people USING (user_id)"
        )
    )
    assert shown.id in row
    assert shown.secret not in row
    audit = str(await ask(database, "SELECT audit::text FROM audit"))
    assert "token.create" in audit
    assert shown.secret not in audit


async def test_an_expired_token_is_refused_also_when_it_is_remembered(
    database: Database, known_people: None
) -> None:
    today = datetime.now(UTC)
    tokens = Tokens(database, today=lambda: today)
    shown, _ = await tokens.create(ADA, days=1)
    assert await tokens.find(shown) is not None
    today += timedelta(days=1)
    assert await tokens.find(shown) is None


async def test_a_revoked_token_is_refused_here_at_once(tokens: Tokens) -> None:
    shown, _ = await tokens.create(ADA)
    assert await tokens.find(shown) is not None
    await tokens.revoke(ADA, shown.id)
    assert await tokens.find(shown) is None


async def test_and_on_other_replicas_within_seconds(tokens: Tokens, database: Database, clock: Clock) -> None:
    other = Tokens(database, clock=clock)
    shown, _ = await tokens.create(ADA)
    assert await other.find(shown) is not None
    await tokens.revoke(ADA, shown.id)
    clock.now += 5
    assert await other.find(shown) is None


async def test_a_look_up_that_was_under_way_does_not_bring_it_back(tokens: Tokens) -> None:
    shown, _ = await tokens.create(ADA)
    looking = [asyncio.create_task(tokens.find(shown)) for _ in range(4)]
    await tokens.revoke(ADA, shown.id)
    await asyncio.gather(*looking)
    assert await tokens.find(shown) is None


async def test_nobody_revokes_anothers(tokens: Tokens) -> None:
    shown, _ = await tokens.create(ADA)
    with pytest.raises(NotFound):
        await tokens.revoke(EVE, shown.id)
    assert await tokens.find(shown) is not None


async def test_use_is_written_down_once_a_minute(tokens: Tokens, database: Database, clock: Clock) -> None:
    shown, _ = await tokens.create(ADA)
    await tokens.find(shown)
    first = await ask(database, "SELECT last_used_at FROM api_tokens")
    clock.now += 60
    await tokens.find(shown)
    assert await ask(database, "SELECT last_used_at FROM api_tokens") == first
    await ask(database, "UPDATE api_tokens SET last_used_at = now() - interval '2 minutes'")
    clock.now += 60
    await tokens.find(shown)
    assert await ask(database, "SELECT last_used_at > now() - interval '1 minute' FROM api_tokens")


async def test_a_remembered_token_costs_no_query(tokens: Tokens, postgres: PostgresServer) -> None:
    shown, _ = await tokens.create(ADA)
    assert await tokens.find(shown) is not None
    postgres.freeze()
    try:
        assert await tokens.find(shown) is not None
        with pytest.raises(DatabaseGone):
            await tokens.find(make_token())
    finally:
        postgres.thaw()


async def test_of_what_is_remembered_there_is_a_bound(tokens: Tokens) -> None:
    tokens._revoked.update((str(n), None) for n in range(KEPT))
    shown, _ = await tokens.create(ADA)
    await tokens.revoke(ADA, shown.id)
    assert len(tokens._revoked) == KEPT


async def test_a_person_has_so_many_tokens(tokens: Tokens) -> None:
    made = await asyncio.gather(
        *(tokens.create(ADA) for _ in range(MOST_OF_A_PERSON + 5)), return_exceptions=True
    )
    assert sum(isinstance(one, Conflict) for one in made) == 5
    await tokens.create(EVE)
    assert len(await tokens.list("1")) == MOST_OF_A_PERSON


async def test_tokens_long_expired_make_room(tokens: Tokens, database: Database) -> None:
    for _ in range(MOST_OF_A_PERSON):
        await tokens.create(ADA)
    await ask(database, "UPDATE api_tokens SET expires_at = now() - interval '31 days'")
    await tokens.create(ADA)
    assert len(await tokens.list("1")) == 1


async def test_no_query_reads_the_whole_table(database: Database, known_people: None) -> None:
    async def plans(connection: asyncpg.Connection) -> str:
        await connection.execute(
            """
            INSERT INTO api_tokens (token_id, user_id, secret_sha256, scopes, expires_at)
            SELECT translate(lpad(to_hex(n), 16, 'q'), '0189', 'wxyz'), '1', sha256(n::text::bytea), '{read}', now()
            FROM generate_series(1, 2000) AS n
            """
        )
        await connection.execute("ANALYZE api_tokens")
        asked = (
            "SELECT * FROM api_tokens JOIN people USING (user_id) WHERE token_id = '2222222222222222'",
            "SELECT * FROM api_tokens WHERE user_id = '2' ORDER BY created_at DESC, token_id",
            "DELETE FROM api_tokens WHERE token_id = '2222222222222222' AND user_id = '1'",
        )
        lines = [row[0] for query in asked for row in await connection.fetch(f"EXPLAIN {query}")]
        return "\n".join(lines)

    assert "Seq Scan on api_tokens" not in await database.run(plans)


# ---- /tokens


async def test_a_person_makes_lists_and_revokes_tokens(browser: Browser, program: httpx.AsyncClient) -> None:
    await browser.log_in("ada")
    wish = {"label": "CI", "guilds": [GARDEN], "scopes": ["read", "deploy"], "expires_in_days": 7}
    made = (await browser.change("POST", "/api/tokens", json=wish)).json()
    token = made.pop("token")
    (listed,) = (await browser.get("/api/tokens")).json()
    assert listed == made
    assert (listed["label"], listed["guilds"], listed["scopes"]) == ("CI", [GARDEN], ["deploy", "read"])
    assert listed["created_at"].endswith("Z")
    assert (await program.get("/api/auth/me", headers=bearer(token))).status_code == 200
    gone = await browser.change("DELETE", f"/api/tokens/{listed['token_id']}")
    assert (gone.status_code, gone.content) == (204, b"")
    answer = await program.get("/api/auth/me", headers=bearer(token))
    assert (answer.status_code, answer.json()["code"]) == (401, "TOKEN_INVALID")
    assert (await browser.change("DELETE", f"/api/tokens/{listed['token_id']}")).status_code == 404


@pytest.mark.parametrize("token_id", ["%00", "a%00b", "ä", "A" * 16, "a" * 16])
async def test_an_id_that_is_nobodys_is_not_found(browser: Browser, token_id: str) -> None:
    await browser.log_in("ada")
    assert (await browser.change("DELETE", f"/api/tokens/{token_id}")).status_code == 404


async def test_half_a_character_is_no_label(browser: Browser) -> None:
    await browser.log_in("ada")
    headers = {"Content-Type": "application/json"}
    answer = await browser.change("POST", "/api/tokens", content=b'{"label": "\\ud800"}', headers=headers)
    assert answer.status_code == 400


async def test_tokens_are_listed_newest_first(browser: Browser) -> None:
    await browser.log_in("ada")
    for label in ("one", "two", "three"):
        await browser.new_token(label=label)
    assert [row["label"] for row in (await browser.get("/api/tokens")).json()] == ["three", "two", "one"]


@pytest.mark.parametrize(
    "wish",
    [
        {"guilds": []},
        {"guilds": ["x"]},
        {"guilds": [GARDEN] * 101},
        {"scopes": []},
        {"scopes": ["everything"]},
        {"expires_in_days": 0},
        {"expires_in_days": 366},
        {"label": "x" * 101},
        {"label": "a\x00b"},
        {"label": "a\nb"},
        [],
    ],
)
async def test_what_cannot_be_made_is_told(browser: Browser, wish: object) -> None:
    await browser.log_in("ada")
    answer = await browser.change("POST", "/api/tokens", json=wish)
    assert answer.status_code == 400
    assert set(answer.json()) == {"message", "code", "details"}
    assert (await browser.get("/api/tokens")).json() == []


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", ""), ("DELETE", "/abc")])
async def test_tokens_do_not_make_tokens(
    browser: Browser, program: httpx.AsyncClient, method: str, path: str
) -> None:
    await browser.log_in("ada")
    token = await browser.new_token()
    answer = await program.request(method, f"/api/tokens{path}", headers=bearer(token), json={})
    assert (answer.status_code, answer.json()["code"]) == (403, "SESSION_NEEDED")


async def test_a_database_that_is_away_is_said(make_api: MakeApi, postgres: PostgresServer) -> None:
    api = await make_api()
    postgres.freeze()
    try:
        async with httpx.AsyncClient(transport=api.transport(), base_url=HERE) as program:
            answer = await program.get("/api/auth/me", headers=bearer(str(make_token())))
            assert (answer.status_code, answer.json()["code"]) == (503, "DATABASE_UNAVAILABLE")
    finally:
        postgres.thaw()


async def test_what_was_done_is_in_the_audit_log(browser: Browser, database: Database) -> None:
    await browser.log_in("ada")
    await browser.new_token(guilds=[ORCHARD])
    row = await database.run(lambda connection: connection.fetchrow("SELECT * FROM audit"))
    assert row is not None
    assert (row["guild"], row["actor_name"], row["action"]) == ("", "ada", "token.create")
