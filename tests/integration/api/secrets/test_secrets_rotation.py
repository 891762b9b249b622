"""A key is changed while secrets are in use."""

from __future__ import annotations

import os
import subprocess
import sys

import asyncpg
import pytest

from flora_api.principal import GuildAccess
from flora_api.secrets.keys import KeyRing
from flora_api.secrets.rotate import Rotation, rotate
from flora_api.secrets.rules import checked
from flora_api.secrets.store import SecretStore
from flora_core.database import Database
from flora_core.ids import GuildId
from tests.integration.api.played_guard import ANN
from tests.integration.api.secrets.conftest import KEYS, NEW_KEYS

OLD, NEW = (KeyRing.parse(keys.get_secret_value()) for keys in (KEYS, NEW_KEYS))
NEW_ALONE = KeyRing([("k2", b"b" * 32)])
GUILDS = [GuildId(str(number)) for number in range(1, 6)]


@pytest.fixture
async def filled(database: Database) -> Database:
    """Five secrets in each of five guilds, of the old key."""
    store = SecretStore(database, OLD)
    for guild in GUILDS:
        await store.put(GuildAccess(guild, ANN), [checked(f"S{n}", f"{guild}-{n}", []) for n in range(5)])
    return database


async def values(database: Database, ring: KeyRing) -> list[str | None]:
    found = await SecretStore(database, ring).opened(GUILDS)
    return [secret.value for guild in GUILDS for secret in found[guild]]


ALL = [f"{guild}-{n}" for guild in GUILDS for n in range(5)]


@pytest.mark.parametrize("batch", [1, 4, 5, 25, 100])
async def test_afterwards_the_new_key_alone_opens_everything(filled: Database, batch: int) -> None:
    assert await rotate(filled, NEW, batch=batch) == Rotation("k2", 25, 0)
    assert await values(filled, NEW_ALONE) == ALL
    assert await SecretStore(filled, NEW).key_ids() == ["k2"]


async def test_a_second_time_there_is_nothing_to_do(filled: Database) -> None:
    await rotate(filled, NEW)
    done = await rotate(filled, NEW)
    assert (done.rotated, "no other key is needed" in str(done)) == (0, True)


async def test_one_that_was_cut_short_goes_on_where_it_was(
    filled: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed = 0
    seal = NEW.seal

    def sealing(guild: GuildId, name: str, value: str) -> object:
        nonlocal sealed
        sealed += 1
        if sealed > 12:
            raise KeyboardInterrupt
        return seal(guild, name, value)

    monkeypatch.setattr(NEW, "seal", sealing)
    with pytest.raises(KeyboardInterrupt):
        await rotate(filled, NEW, batch=5)
    monkeypatch.undo()
    assert await values(filled, NEW) == ALL
    assert (await rotate(filled, NEW, batch=5)).rotated == 15


async def test_values_that_no_key_opens_stay_and_are_counted(filled: Database) -> None:
    lost = SecretStore(filled, KeyRing([("lost", b"l" * 32)]))
    await lost.put(GuildAccess(GUILDS[2], ANN), [checked("S2", "lost", [])])
    done = await rotate(filled, NEW, batch=3)
    assert (done.rotated, done.unreadable) == (24, 1)
    assert "1 could not be read" in str(done)


async def test_nobody_is_told_of_a_change(filled: Database) -> None:
    before = await SecretStore(filled, NEW).changes(0)
    await rotate(filled, NEW)
    assert await SecretStore(filled, NEW).changes(0) == before


async def test_a_value_that_is_set_meanwhile_is_kept(filled: Database) -> None:
    """Its row is locked by one of the two; whoever comes second sees what the first one did."""

    async def change(connection: asyncpg.Connection) -> None:
        async with connection.transaction():
            await connection.execute("SELECT 1 FROM guild_secrets WHERE guild = $1 FOR UPDATE", GUILDS[0])

    await filled.run(change)
    await SecretStore(filled, NEW).put(GuildAccess(GUILDS[0], ANN), [checked("S0", "changed", [])])
    await rotate(filled, NEW)
    assert (await values(filled, NEW_ALONE))[0] == "changed"


def command(url: str, keys: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flora_api.secrets.rotate"],
        env={
            "PATH": os.environ["PATH"],
            "FLORA_CONFIG": "",
            "API_DATABASE_URL": url,
            "API_SECRET_KEYS": keys,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_says_what_it_did(filled: Database, url: str) -> None:
    done = command(url, NEW_KEYS.get_secret_value())
    assert (done.returncode, done.stderr) == (0, "")
    assert "25 secrets were re-encrypted with the key k2" in done.stdout


def test_the_command_says_what_it_could_not(filled: Database, url: str) -> None:
    done = command(url, "k2:" + NEW_KEYS.get_secret_value().partition(",")[0].partition(":")[2])
    assert done.returncode == 1
    assert "25 could not be read" in done.stderr


@pytest.mark.parametrize("keys", ["", "k1:short"])
def test_the_command_names_the_setting_that_is_wrong(url: str, keys: str) -> None:
    done = command(url, keys)
    assert (done.returncode, done.stdout) == (2, "")
    assert "API_SECRET_KEYS" in done.stderr
