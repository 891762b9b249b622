"""What people do with secrets, over HTTP, on a real Postgres."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from datetime import datetime

import asyncpg
import msgspec
import pytest
from pydantic import SecretStr

from flora_api.principal import Right
from flora_api.secrets.keys import KeyRing
from flora_api.secrets.rules import SECRETS_A_GUILD, VALUE_BYTES, NewSecret
from flora_api.secrets.service import SecretService, open_secrets
from flora_api.secrets.store import SecretStore
from flora_core.database import Database
from flora_core.ids import GuildId
from flora_core.manifest import SecretKeyRef, SecretSpec
from tests.integration.api.played_guard import ANN
from tests.integration.api.secrets.conftest import GUILD, KEYS, NEW_KEYS, OTHER, People
from tests.integration.postgres_server import PostgresServer
from tests.waiting import until

VALUE = "s3cret-value"


async def rows(database: Database, query: str, *arguments: object) -> list[asyncpg.Record]:
    async def work(connection: asyncpg.Connection) -> list[asyncpg.Record]:
        return await connection.fetch(query, *arguments)

    return await database.run(work)


async def test_a_secret_is_listed_without_its_value(ann: People) -> None:
    put = await ann.put("WEATHER_KEY", VALUE, "API.example.com", "*.example.org")
    assert (put.status_code, put.json()) == (
        200,
        {"name": "WEATHER_KEY", "allowed_hosts": ["api.example.com", "*.example.org"]},
    )
    listed = await ann.http.get(f"/secrets/{GUILD}")
    [row] = listed.json()
    assert (row["name"], row["source"], VALUE in listed.text) == ("WEATHER_KEY", "api", False)
    assert datetime.fromisoformat(row["created_at"]) <= datetime.fromisoformat(row["updated_at"])


async def test_nothing_in_the_database_shows_a_value(ann: People, postgres: PostgresServer, url: str) -> None:
    await ann.put("WEATHER_KEY", VALUE)
    dump = postgres.dump(url.rpartition("/")[2])
    assert "WEATHER_KEY" in dump
    assert VALUE not in dump
    assert VALUE.encode().hex() not in dump


async def test_a_changed_value_keeps_its_placeholder_and_when_it_was_made(
    ann: People, service: SecretService
) -> None:
    await ann.put("KEY", "one", "a.example.com")
    [before] = (await service.store.opened([GUILD]))[GUILD]
    [row_before] = await service.store.rows(GUILD)
    await ann.put("KEY", "two", "b.example.com")
    [after] = (await service.store.opened([GUILD]))[GUILD]
    [row_after] = await service.store.rows(GUILD)
    assert (after.value, after.allowed_hosts) == ("two", ["b.example.com"])
    assert after.placeholder == before.placeholder
    assert row_after.created_at == row_before.created_at
    assert row_after.updated_at > row_before.updated_at


async def test_two_guilds_have_nothing_to_do_with_each_other(ann: People, service: SecretService) -> None:
    ann.guard.let("ann", OTHER)
    await ann.put("KEY", "mine")
    await ann.put("KEY", "theirs", guild=OTHER)
    found = await service.store.opened([GUILD, OTHER])
    assert [secret.value for guild in (GUILD, OTHER) for secret in found[guild]] == ["mine", "theirs"]
    assert found[GUILD][0].placeholder != found[OTHER][0].placeholder


async def test_a_row_that_is_copied_to_another_guild_does_not_open_there(
    ann: People, service: SecretService, database: Database
) -> None:
    await ann.put("KEY", VALUE)
    await rows(
        database,
        "INSERT INTO guild_secrets (guild, name, key_id, nonce, ciphertext, placeholder, allowed_hosts) "
        "SELECT $1, name, key_id, nonce, ciphertext, 'p', '{evil.example.com}' FROM guild_secrets",
        OTHER,
    )
    [stolen] = (await service.store.opened([OTHER]))[OTHER]
    assert stolen.value is None


async def test_deleting_says_whether_there_was_one(ann: People) -> None:
    await ann.put("KEY", VALUE)
    answers = [(await ann.http.delete(f"/secrets/{GUILD}/KEY")).json() for _ in range(2)]
    assert answers == [{"deleted": True}, {"deleted": False}]
    assert await ann.names() == []


async def test_a_secret_that_was_deleted_and_set_again_has_another_placeholder(
    ann: People, service: SecretService
) -> None:
    seen = set[str]()
    for _ in range(2):
        await ann.put("KEY", VALUE)
        seen.add((await service.store.opened([GUILD]))[GUILD][0].placeholder)
        await ann.http.delete(f"/secrets/{GUILD}/KEY")
    assert len(seen) == 2


async def test_several_are_set_at_once(ann: People) -> None:
    answer = await ann.bulk(A="1", B="2")
    assert answer.json() == [{"name": "A", "allowed_hosts": []}, {"name": "B", "allowed_hosts": []}]
    assert await ann.names() == ["A", "B"]


@pytest.mark.parametrize("wrong", ["", "x" * (VALUE_BYTES + 1)])
async def test_of_several_one_that_is_wrong_keeps_all_out(ann: People, wrong: str) -> None:
    answer = await ann.bulk(A="1", B=wrong)
    assert answer.status_code == 400
    assert "B" in answer.json()["message"]
    assert await ann.names() == []


async def test_the_same_name_twice_at_once_is_refused(ann: People) -> None:
    body = {"secrets": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}
    assert (await ann.http.post(f"/secrets/{GUILD}/bulk", json=body)).status_code == 400


async def test_a_guild_may_have_so_many_and_one_of_them_may_still_change(ann: People) -> None:
    full = {f"S{number}": "v" for number in range(SECRETS_A_GUILD)}
    assert (await ann.bulk(**full)).status_code == 200
    over = await ann.put("ONE_MORE", "v")
    assert (over.status_code, over.json()["code"]) == (507, "SECRETS_QUOTA_EXCEEDED")
    assert (await ann.put("S7", "w")).status_code == 200


async def test_values_of_a_guild_may_have_so_many_bytes_together(ann: People) -> None:
    large = "x" * VALUE_BYTES
    assert (await ann.bulk(**{f"S{number}": large for number in range(16)})).status_code == 200
    assert (await ann.put("S16", "x")).status_code == 507
    assert (await ann.put("S3", large)).status_code == 200


async def test_of_many_that_come_at_once_no_more_get_in_than_may(ann: People) -> None:
    await ann.bulk(**{f"S{number}": "v" for number in range(SECRETS_A_GUILD - 3)})
    answers = await asyncio.gather(*(ann.put(f"N{number}", "v") for number in range(12)))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [507] * 9


@pytest.mark.parametrize("name", ["9LIVES", "A-B", "A B", "a" * 65, "%C3%A4", "A.B"])
async def test_a_name_that_is_none_is_refused(ann: People, name: str) -> None:
    answer = await ann.put(name, VALUE)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_SECRET_NAME")


@pytest.mark.parametrize("host", ["", "a b", "https://x/path", "*.com", "a" * 300, "host:99999"])
async def test_a_host_that_is_none_is_refused(ann: People, host: str) -> None:
    answer = await ann.put("KEY", VALUE, host)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_ALLOWED_HOST")


@pytest.mark.parametrize(
    "body",
    [b'{"value": 5}', b"{}", b"no JSON s3cret-value", b'{"value": "s3cret-value", "allowed_hosts": 3}'],
)
async def test_a_body_that_is_wrong_is_not_repeated(ann: People, body: bytes) -> None:
    answer = await ann.http.put(f"/secrets/{GUILD}/KEY", content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")
    assert VALUE not in answer.text


async def test_half_a_character_is_no_text(ann: People) -> None:
    answer = await ann.http.put(f"/secrets/{GUILD}/KEY", content=b'{"value": "\\ud800"}')
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "value", ["\x00", "\n-----BEGIN KEY-----\nabc\n", "ä€𝄞", " spaces ", "x" * VALUE_BYTES]
)
async def test_a_value_comes_to_the_pod_as_it_was_set(
    ann: People, service: SecretService, value: str
) -> None:
    assert (await ann.put("KEY", value)).status_code == 200
    assert (await service.store.opened([GUILD]))[GUILD][0].value == value


async def test_reading_needs_another_right_than_writing(ann: People) -> None:
    headers = ann.guard.let("reader", GUILD, Right.READ, Right.KV, Right.DEPLOY)
    url = f"/secrets/{GUILD}"
    assert (await ann.http.get(url, headers=headers)).status_code == 200
    body = {"value": VALUE, "allowed_hosts": []}
    assert (await ann.http.put(f"{url}/KEY", json=body, headers=headers)).status_code == 403
    assert (await ann.http.delete(f"{url}/KEY", headers=headers)).status_code == 403
    bulk = {"secrets": [{"name": "KEY", **body}]}
    assert (await ann.http.post(f"{url}/bulk", json=bulk, headers=headers)).status_code == 403
    assert await ann.names() == []


async def test_every_change_is_recorded_with_who_made_it_and_without_the_value(
    ann: People, database: Database
) -> None:
    await ann.put("KEY", VALUE, "a.example.com")
    await ann.bulk(B=VALUE)
    await ann.http.delete(f"/secrets/{GUILD}/KEY")
    await ann.http.delete(f"/secrets/{GUILD}/NEVER")
    found = await rows(database, "SELECT * FROM audit ORDER BY id")
    assert [(row["action"], msgspec.json.decode(row["details"])) for row in found] == [
        ("secret.put", {"name": "KEY", "allowed_hosts": ["a.example.com"]}),
        ("secret.put", {"name": "B", "allowed_hosts": []}),
        ("secret.delete", {"name": "KEY"}),
    ]
    assert {(row["guild"], row["actor_id"], row["actor_name"]) for row in found} == {
        (GUILD, ANN.user_id, ANN.username)
    }
    assert VALUE not in str(found)


async def test_those_of_kubernetes_are_listed_too(service: SecretService) -> None:
    def given(guild: GuildId) -> Sequence[SecretSpec]:
        assert guild == GUILD
        return [SecretSpec("KEY", SecretKeyRef("s", "k"), ["k.example.com"])]

    ann = People(service, in_manifest=given)
    async with ann.http:
        await ann.put("KEY", VALUE)
        listed = (await ann.http.get(f"/secrets/{GUILD}")).json()
    assert [(row["name"], row["source"], row["created_at"] is None) for row in listed] == [
        ("KEY", "api", False),
        ("KEY", "kubernetes", True),
    ]


# ---------------------------------------------------------------- keys, and Postgres away


@pytest.mark.parametrize("keys", ["", "k1", "k1:dG9vIHNob3J0", "k1:###"])
async def test_without_a_usable_key_it_says_so_and_serves_on(database: Database, keys: str) -> None:
    async with open_secrets(database, SecretStr(keys)) as service:
        ann = People(service)
        async with ann.http:
            for answer in (await ann.http.get(f"/secrets/{GUILD}"), await ann.put("KEY", VALUE)):
                assert (answer.status_code, answer.json()["code"]) == (503, "SECRETS_NOT_SET_UP")
                assert "Retry-After" in answer.headers
        trouble = service.trouble() or ""
        assert trouble.startswith("API_SECRET_KEYS")
        assert "dG9vIHNob3J0" not in trouble


async def test_a_key_that_is_missing_is_told_at_the_start(ann: People, database: Database) -> None:
    await ann.put("KEY", VALUE)
    other = SecretStr(f"k9:{base64.b64encode(b'z' * 32).decode()}")
    async with open_secrets(database, other) as service:
        trouble = await until(service.trouble)
        assert "lacks keys that sealed stored secrets: k1" in trouble
        [secret] = (await service.store.opened([GUILD]))[GUILD]
        assert secret.value is None


async def test_another_key_under_the_same_id_opens_nothing(ann: People, database: Database) -> None:
    await ann.put("KEY", VALUE)
    store = SecretStore(database, KeyRing([("k1", b"z" * 32)]))
    assert [secret.value for secret in (await store.opened([GUILD]))[GUILD]] == [None]


async def test_both_keys_open_while_a_key_is_changed(ann: People, database: Database) -> None:
    await ann.put("OLD", "one")
    async with open_secrets(database, NEW_KEYS) as service:
        other = People(service)
        async with other.http:
            await other.put("NEW", "two")
        found = (await service.store.opened([GUILD]))[GUILD]
        assert [secret.value for secret in found] == ["two", "one"]
        assert sorted(await service.store.key_ids()) == ["k1", "k2"]
        assert service.trouble() is None


async def test_while_postgres_is_away_it_is_503(ann: People, postgres: PostgresServer) -> None:
    postgres.kill()
    try:
        answer = await ann.put("KEY", VALUE)
        assert (answer.status_code, answer.json()["code"]) == (503, "DATABASE_UNAVAILABLE")
    finally:
        await asyncio.to_thread(postgres.start)
    assert (await ann.put("KEY", VALUE)).status_code == 200


async def test_no_query_needs_the_whole_table(ann: People, database: Database) -> None:
    await ann.put("KEY", VALUE)
    for query in (
        "SELECT name FROM guild_secrets WHERE guild = '1' ORDER BY name",
        "SELECT name FROM guild_secrets WHERE guild = ANY('{1,2,3}'::text[])",
        "SELECT guild, version FROM guild_secret_changes WHERE version > 5",
        "SELECT max(version) FROM guild_secret_changes",
    ):

        async def plan(connection: asyncpg.Connection, query: str = query) -> str:
            async with connection.transaction():
                await connection.execute("SET LOCAL enable_seqscan = off")
                found = await connection.fetch(f"EXPLAIN {query}")
                return "\n".join(row[0] for row in found)

        assert "Seq Scan" not in await database.run(plan), query


def test_neither_key_nor_value_is_in_what_is_printed() -> None:
    ring = KeyRing.parse(KEYS.get_secret_value())
    assert repr(ring) == "KeyRing(k1)"
    assert VALUE not in repr(NewSecret("KEY", VALUE, ()))
