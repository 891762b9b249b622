"""What each call does to a guild's stores, on a database that is a dictionary."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from flora_core.errors import InvalidInput
from flora_core.ids import GuildId
from flora_runtime.kv import layout, limits
from flora_runtime.kv.calls import parse_call
from flora_runtime.kv.layout import Entry, Place, Usage
from flora_runtime.kv.operations import GuildKeys, KvRefused, apply
from flora_runtime.kv.view import View, after

pytestmark = pytest.mark.parity(73, 74, 75, 76, 77)

GUILD, OTHER = GuildId("100000000000000001"), GuildId("100000000000000002")
NOW = 1_700_000_000_000


class Memory:
    """A database in a dictionary."""

    def __init__(self) -> None:
        self.data: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        return self.data.get(key)

    def scan(self, start: bytes, stop: bytes) -> Generator[tuple[bytes, bytes]]:
        for key in sorted(self.data):
            if start <= key < stop:
                yield key, self.data[key]

    def take(self, view: View) -> None:
        for key, value in view.changes.items():
            if value is None:
                self.data.pop(key, None)
            else:
                self.data[key] = value


class Stores:
    """Calls of scripts, each committed at once."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.now = NOW

    def call(self, name: str, guild: GuildId = GUILD, **args: Any) -> Any:
        view = View(self.memory)
        result = apply(parse_call(name, json.dumps(args).encode()), GuildKeys(view, guild, self.now))
        self.memory.take(view)
        return result

    def set(self, key: str, value: str = "v", *, store: str = "s", **options: Any) -> Any:
        return self.call("kvSet", store=store, key=key, value=value, options=options)

    def get(self, key: str, *, store: str = "s", guild: GuildId = GUILD) -> str | None:
        found = self.call("kvGet", guild, store=store, key=key)
        return None if found is None else found["value"]

    def usage(self, store: str = "s", guild: GuildId = GUILD) -> Usage:
        return GuildKeys(View(self.memory), guild, self.now).usage(store)

    def names(self, **args: Any) -> list[str]:
        return [key["name"] for key in self.call("kvList", store="s", **args)["keys"]]


@pytest.fixture
def stores() -> Stores:
    return Stores()


# -------------------------------------------------------------------- values


def test_a_value_replaces_the_one_before_with_its_metadata(stores: Stores) -> None:
    stores.set("k", "1", metadata={"a": 1}, ttl=60)
    stores.set("k", "2")
    assert stores.call("kvGet", store="s", key="k") == {"value": "2"}


def test_a_value_is_gone_once_its_time_has_come(stores: Stores) -> None:
    stores.set("k", ttl=10)
    stores.now += 9_999
    assert stores.get("k") == "v"
    stores.now += 1
    assert stores.get("k") is None
    assert stores.names() == []
    assert stores.call("kvCount", store="s") == 0
    assert stores.call("kvDelete", store="s", key="k") is False


def test_an_expired_value_counts_as_absent_for_conditions(stores: Stores) -> None:
    stores.set("k", "old", ttl=1)
    stores.now += 5_000
    assert stores.set("k", "new", ifExists=True) is False
    assert stores.set("k", "new", ifNotExists=True) is True
    assert stores.get("k") == "new"


def test_overwriting_takes_the_old_expiry_away(stores: Stores) -> None:
    stores.set("k", ttl=1)
    stores.set("k", "stays")
    assert [key for key in stores.memory.data if key.startswith(layout.EXPIRY)] == []


@pytest.mark.parametrize("options", [{"ttl": 1e30}, {"expiration": 1e30}, {"expiration": -1e30}])
def test_unreasonable_times_are_refused_or_gone(stores: Stores, options: dict[str, float]) -> None:
    try:
        stores.set("k", **options)
    except KvRefused as refused:
        assert refused.code == "INVALID_INPUT"  # noqa: PT017
    assert stores.get("k") is None


# -------------------------------------------------------------------- numbers


def test_a_counter_keeps_its_expiration_and_metadata(stores: Stores) -> None:
    stores.call("kvIncr", store="s", key="n", by=5, options={"ttl": 60, "metadata": "m"})
    assert stores.call("kvIncr", store="s", key="n") == 6
    found = stores.call("kvGet", store="s", key="n")
    assert found["expiration"] == (NOW + 60_000) / 1000
    assert bytes(found["metadata"]) == b'"m"'


@pytest.mark.parametrize("text", ["", "x", "1.5", "١", "1e3", " 1", "--1", "9" * 18, "+1"])
def test_only_whole_numbers_are_counted_up(stores: Stores, text: str) -> None:
    stores.set("n", text)
    with pytest.raises(KvRefused, match="needs a whole number"):
        stores.call("kvIncr", store="s", key="n")
    assert stores.get("n") == text


def test_sums_stay_within_what_javascript_can_count(stores: Stores) -> None:
    stores.call("kvIncr", store="s", key="n", by=limits.SAFE_INTEGER)
    with pytest.raises(KvRefused, match="exact integers"):
        stores.call("kvIncr", store="s", key="n")
    assert stores.get("n") == str(limits.SAFE_INTEGER)


# -------------------------------------------------------------------- lists


def test_pages_together_are_everything_in_order(stores: Stores) -> None:
    keys = sorted(f"k{n:03}" for n in range(57))
    for key in keys:
        stores.set(key)
    seen: list[str] = []
    cursor = ""
    while True:
        page = stores.call("kvList", store="s", limit=10, cursor=cursor)
        seen += [key["name"] for key in page["keys"]]
        if page["listComplete"]:
            assert "cursor" not in page
            break
        cursor = page["cursor"]
    assert seen == keys


def test_a_full_last_page_is_known_to_be_the_last(stores: Stores) -> None:
    for key in "ab":
        stores.set(key)
    assert stores.call("kvList", store="s", limit=2)["listComplete"] is True


@pytest.mark.parametrize(("limit", "length"), [(0, 0), (-5, 0), (1, 1), (5000, 3)])
def test_limits_of_lists_are_kept_within_bounds(stores: Stores, limit: int, length: int) -> None:
    for key in "abc":
        stores.set(key)
    assert len(stores.names(limit=limit)) == length


def test_prefixes_are_of_bytes_and_stores_do_not_run_into_each_other(stores: Stores) -> None:
    for key in ("a", "aa", "ab", "b", "ä"):
        stores.set(key)
    stores.set("ax", store="sx")
    assert stores.names(prefix="a") == ["a", "aa", "ab"]
    assert stores.names(prefix="ä") == ["ä"]
    assert stores.names(cursor="aa") == ["ab", "b", "ä"]
    assert stores.names(prefix="a", cursor="b") == []


def test_clearing_goes_in_pieces(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CLEAR_MOST", 3)
    for key in "abcde":
        stores.set(key)
    assert stores.call("kvClear", store="s") == {"removed": 3, "complete": False}
    assert stores.call("kvClear", store="s") == {"removed": 2, "complete": True}
    assert stores.usage() == Usage()


# -------------------------------------------------------------------- transactions


def test_a_condition_that_fails_undoes_the_steps_before_it(stores: Stores) -> None:
    stores.set("a", "1")
    steps = [
        {"op": "kvIncr", "store": "s", "key": "a", "by": 4},
        {"op": "kvDelete", "store": "s", "key": "nothing"},
        {"op": "kvCheck", "store": "s", "key": "a", "expected": "1"},
    ]
    assert stores.call("kvTransact", steps=steps) == {"committed": False, "results": [5, False, False]}
    assert stores.get("a") == "1"


def test_a_step_that_is_refused_undoes_all(stores: Stores) -> None:
    stores.set("a", "x")
    steps = [
        {"op": "kvSet", "store": "s", "key": "b", "value": "1"},
        {"op": "kvIncr", "store": "s", "key": "a"},
    ]
    with pytest.raises(KvRefused):
        stores.call("kvTransact", steps=steps)
    assert stores.get("b") is None


def test_steps_see_the_ones_before_them(stores: Stores) -> None:
    steps = [
        {"op": "kvIncr", "store": "s", "key": "n"},
        {"op": "kvIncr", "store": "t", "key": "n", "by": 2},
    ] * 2
    assert stores.call("kvTransact", steps=steps)["results"] == [1, 2, 2, 4]


def test_a_transaction_has_a_size(stores: Stores) -> None:
    steps = [{"op": "kvIncr", "store": "s", "key": "n"}] * (limits.TRANSACTION_MOST + 1)
    with pytest.raises(KvRefused, match="at most 64 steps"):
        stores.call("kvTransact", steps=steps)


def test_a_transaction_cannot_hold_another_or_a_read(stores: Stores) -> None:
    for op in ("kvTransact", "kvGet", "kvList", "kvClear"):
        with pytest.raises(InvalidInput):
            stores.call("kvTransact", steps=[{"op": op, "store": "s", "key": "k", "steps": []}])


# -------------------------------------------------------------------- quotas


def test_a_store_has_a_quota_and_freeing_makes_room(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STORE_TOTAL_BYTES", 20)
    stores.set("a", "x" * 15)
    with pytest.raises(KvRefused, match="kv store storage quota exceeded") as refused:
        stores.set("b", "y" * 10)
    assert refused.value.code == "KV_QUOTA_EXCEEDED"
    stores.set("a", "x" * 5)
    stores.set("b", "y" * 10)
    assert stores.usage() == Usage(2, 17)


def test_a_guild_has_a_quota_over_its_stores(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "GUILD_TOTAL_BYTES", 20)
    stores.set("a", "x" * 15, store="one")
    with pytest.raises(KvRefused, match="kv guild storage quota exceeded"):
        stores.set("a", "x" * 10, store="two")
    stores.call("kvSet", OTHER, store="two", key="a", value="x" * 10)


def test_a_guild_has_a_number_of_stores(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STORES", 2)
    for store in ("a", "b"):
        stores.set("k", store=store)
    with pytest.raises(KvRefused, match="a guild may have 2 stores"):
        stores.set("k", store="c")
    stores.set("other", store="a")
    stores.call("kvDelete", store="a", key="k")
    stores.call("kvDelete", store="a", key="other")
    stores.set("k", store="c")


def test_one_entry_has_a_size(stores: Stores) -> None:
    with pytest.raises(KvRefused, match="maximum size of 1 MiB"):
        stores.set("k", "x" * (limits.VALUE_BYTES + 1))
    with pytest.raises(KvRefused, match="maximum size of 2 MiB"):
        stores.set("k", metadata="m" * (limits.ENTRY_BYTES + 1))
    stores.set("k", "x" * limits.VALUE_BYTES)


# -------------------------------------------------------------------- what is asked


@pytest.mark.parametrize(
    ("name", "args", "text"),
    [
        ("kvGet", {"store": "s"}, "key"),
        ("kvGet", {"store": "s", "key": 5}, "Expected `str`"),
        ("kvGet", {"store": "", "key": "k"}, "store: '' should be"),
        ("kvGet", {"store": "a.b", "key": "k"}, "without / and ."),
        ("kvGet", {"store": "a\nb", "key": "k"}, "store: "),
        ("kvGet", {"store": "s" * 65, "key": "k"}, "store: "),
        ("kvGet", {"store": "s", "key": "ä" * 257}, "has 514 bytes"),
        ("kvSet", {"store": "s", "key": "k"}, "value"),
        ("kvList", {"store": "s", "limit": "x"}, "Expected `int`"),
        ("kvTransact", {"steps": [{"op": "kvSet", "store": "s", "key": "", "value": ""}]}, "has 0 bytes"),
    ],
)
def test_bad_arguments_are_named(stores: Stores, name: str, args: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidInput) as error:
        stores.call(name, **args)
    assert text in str(error.value)


# ---------------------------------------------------------------- bulk changes


def bulk(stores: Stores, put: dict[str, str], delete: list[str] | None = None) -> Any:
    puts = [{"key": key, "value": value} for key, value in put.items()]
    return stores.call("kvBulk", store="s", put=puts, delete=delete or [])


def test_a_bulk_change_deletes_and_writes() -> None:
    stores = Stores()
    stores.set("old")
    assert bulk(stores, {"a": "1", "b": "2"}, ["old", "never"]) == {"written": 2, "deleted": 1}
    assert [stores.get(key) for key in ("a", "b", "old")] == ["1", "2", None]
    assert stores.usage() == Usage(2, 4)


def test_a_key_that_is_deleted_and_put_is_there() -> None:
    stores = Stores()
    stores.set("a", "old")
    assert bulk(stores, {"a": "new"}, ["a"]) == {"written": 1, "deleted": 1}
    assert stores.get("a") == "new"


def test_a_bulk_change_over_a_quota_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STORE_TOTAL_BYTES", 100)
    stores = Stores()
    stores.set("old", "1")
    with pytest.raises(KvRefused) as refused:
        bulk(stores, {"a": "x" * 60, "b": "x" * 60}, ["old"])
    assert refused.value.code == "KV_QUOTA_EXCEEDED"
    assert (stores.get("old"), stores.get("a"), stores.usage()) == ("1", None, Usage(1, 4))


def test_a_bulk_change_has_an_end() -> None:
    with pytest.raises(KvRefused, match="at most 1000 keys"):
        bulk(Stores(), {f"k{n}": "" for n in range(1000)}, ["one more"])


@pytest.mark.parametrize("args", [{"put": [{"key": "", "value": ""}]}, {"delete": ["x" * 513]}])
def test_keys_of_a_bulk_change_are_checked(args: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="key"):
        Stores().call("kvBulk", store="s", **args)


@pytest.mark.parametrize("seconds", [1e15, -1e15, 1e300])
@pytest.mark.parametrize("option", ["ttl", "expiration"])
def test_times_beyond_reason_are_refused(option: str, seconds: float) -> None:
    with pytest.raises(KvRefused, match="reasonable") as refused:
        Stores().set("k", **{option: seconds})
    assert refused.value.code == "INVALID_INPUT"


@given(st.binary(max_size=60))
def test_any_arguments_give_a_call_or_a_typed_error(args: bytes) -> None:
    for name in ("kvGet", "kvSet", "kvTransact", "kvList"):
        try:
            parse_call(name, args)
        except InvalidInput as error:
            assert name in str(error)  # noqa: PT017


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(texts, st.integers(0, 2**62), st.binary(max_size=20))
def test_entries_survive_the_trip(value: str, expires: int, metadata: bytes) -> None:
    entry = Entry(value, expires, metadata)
    assert layout.unpack_entry(layout.pack_entry(entry)) == entry


@given(st.integers(1, 2**62), st.sampled_from([GUILD, OTHER]), texts, texts)
def test_expiry_keys_survive_the_trip(when: int, guild: GuildId, store: str, key: str) -> None:
    place = Place(guild, store, key)
    assert layout.read_expiry_key(layout.expiry_key(when, place)) == (when, place)


@given(texts, texts)
def test_keys_sort_as_their_bytes_do(one: str, two: str) -> None:
    keys = [layout.data_key(Place(GUILD, "s", key)) for key in (one, two)]
    assert (keys[0] < keys[1]) == (one.encode() < two.encode())


@given(
    st.dictionaries(st.binary(max_size=3), st.binary(max_size=2)),
    st.dictionaries(st.binary(max_size=3), st.none() | st.binary(max_size=2)),
    st.binary(max_size=3),
    st.binary(max_size=3),
)
def test_a_view_reads_as_if_it_were_written(
    base: dict[bytes, bytes], changes: dict[bytes, bytes | None], start: bytes, stop: bytes
) -> None:
    memory = Memory()
    memory.data = dict(base)
    view = View(memory)
    view.changes.update(changes)
    written = {**base, **changes}
    expected = [(k, v) for k, v in sorted(written.items()) if v is not None and start <= k < stop]
    assert list(view.scan(start, stop)) == expected
    assert list(View(view).scan(start, stop)) == expected
    assert all(view.get(key) == written.get(key) for key in written)


@given(
    st.binary(min_size=1, max_size=4).filter(lambda prefix: prefix.strip(b"\xff") != b""),
    st.binary(max_size=3),
)
def test_everything_with_a_prefix_is_before_what_comes_after(prefix: bytes, rest: bytes) -> None:
    assert prefix + rest < after(prefix)


# -------------------------------------------------------------------- any order of calls


class StoresAgainstDictionary(RuleBasedStateMachine):
    """Whatever scripts do, a dictionary that does the same holds the same, and usage adds up."""

    keys = st.sampled_from(["a", "b", "ab", "ä", "1"])
    names = st.sampled_from(["s", "t"])

    def __init__(self) -> None:
        super().__init__()
        self.stores = Stores()
        self.model: dict[tuple[str, str], tuple[str, int]] = {}

    def model_get(self, store: str, key: str) -> str | None:
        value, expires = self.model.get((store, key), ("", -1))
        return None if expires == -1 or 0 < expires <= self.stores.now else value

    @rule(store=names, key=keys, value=st.sampled_from(["", "1", "x"]), ttl=st.none() | st.integers(1, 5))
    def put(self, store: str, key: str, value: str, ttl: int | None) -> None:
        self.stores.set(key, value, store=store, **({} if ttl is None else {"ttl": ttl}))
        self.model[store, key] = (value, 0 if ttl is None else self.stores.now + ttl * 1000)

    @rule(store=names, key=keys)
    def remove(self, store: str, key: str) -> None:
        there = self.model_get(store, key) is not None
        assert self.stores.call("kvDelete", store=store, key=key) is there
        self.model.pop((store, key), None)

    @rule(store=names, key=keys, by=st.integers(-3, 3))
    def add(self, store: str, key: str, by: int) -> None:
        old = self.model_get(store, key)
        if old in ("", "x", "y"):
            return
        total = self.stores.call("kvIncr", store=store, key=key, by=by)
        assert total == int(old or 0) + by
        expires = self.model[store, key][1] if old is not None else 0
        self.model[store, key] = (str(total), expires)

    @rule(
        store=names,
        key=keys,
        expected=st.none() | st.sampled_from(["1", "x"]),
        value=st.none() | st.just("y"),
    )
    def swap(self, store: str, key: str, expected: str | None, value: str | None) -> None:
        fits = self.model_get(store, key) == expected
        args = {"store": store, "key": key, "expected": expected, "value": value}
        assert self.stores.call("kvCompareAndSet", **args) is fits
        if fits and value is None:
            self.model.pop((store, key), None)
        elif fits:
            assert value is not None
            self.model[store, key] = (value, 0)

    @rule(seconds=st.integers(1, 4))
    def wait(self, seconds: int) -> None:
        self.stores.now += seconds * 1000

    @invariant()
    def same(self) -> None:
        for store in ("s", "t"):
            for key in ("a", "b", "ab", "ä", "1"):
                assert self.stores.get(key, store=store) == self.model_get(store, key)
            held = [
                layout.size_of(place.decode(), layout.unpack_entry(data))
                for at, data in self.stores.memory.data.items()
                if at.startswith(layout.store_prefix(GUILD, store))
                for place in [at[len(layout.store_prefix(GUILD, store)) :]]
            ]
            assert self.stores.usage(store) == Usage(len(held), sum(held))


TestStores = StoresAgainstDictionary.TestCase
TestStores.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
