"""What is asked for, checked; what the cluster's answers mean; what a store in memory does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_api.deployments.applying import refusal
from flora_api.deployments.kube import _Expired, _meaning, _Missing
from flora_api.deployments.memory import MemoryDeployments
from flora_api.deployments.request import (
    Prebuilt,
    Sources,
    as_files,
    check_message,
    tool_trouble,
    wanted,
)
from flora_api.deployments.revisions import MESSAGE_LIMIT
from flora_api.deployments.store import (
    Change,
    Complete,
    Gone,
    Leaving,
    Put,
    Rejected,
    StoreError,
    StoreGone,
    Taken,
)
from flora_api.errors import ApiError, BadRequest
from flora_core.errors import ToolBusy, ToolDied, ToolError, ToolTimeout
from flora_core.ids import GuildId
from flora_core.toolchain.paths import MAX_BYTES
from tests.waiting import until

ENTRY = "src/main.ts"
GUILD = GuildId("123456789012345678")
SOURCE = {"entrypoint": ENTRY, "files": {ENTRY: "1"}}


def ask(**more: Any) -> Any:
    return wanted(**{"entry": ENTRY, "files": [(ENTRY, "1")], "bundle": None, "source_map": None, **more})


# ---------------------------------------------------------------- what is asked for


def test_files_are_a_project_and_a_bundle_is_taken_as_it_is() -> None:
    sources = ask()
    assert isinstance(sources, Sources)
    assert dict(sources.project.files) == {ENTRY: "1"}
    built = ask(bundle="1 + 1", source_map='{"version":3}')
    assert isinstance(built, Prebuilt)
    assert (built.bundle.code, built.bundle.source_map, built.bundle.entrypoint) == (
        "1 + 1",
        '{"version":3}',
        ENTRY,
    )
    assert built.files == {ENTRY: "1"}
    alone = ask(files=None, bundle="1")
    assert isinstance(alone, Prebuilt)
    assert alone.files is None


@given(
    files=st.lists(st.tuples(st.text(max_size=30), st.text(max_size=50)), max_size=6),
    entry=st.text(min_size=1, max_size=30),
    bundle=st.none() | st.text(max_size=50),
    source_map=st.none() | st.text(max_size=50),
)
def test_anything_is_taken_or_refused_in_words(
    files: list[tuple[str, str]], entry: str, bundle: str | None, source_map: str | None
) -> None:
    found: Any = None
    refused: ApiError | None = None
    try:
        found = ask(files=files or None, entry=entry, bundle=bundle, source_map=source_map)
    except ApiError as error:
        refused = error
    if refused is None:
        assert isinstance(found, Sources) == (bundle is None)
    else:
        assert str(refused)
        assert refused.status in {400, 413}


@given(size=st.sampled_from([MAX_BYTES, MAX_BYTES + 1]))
def test_a_mebibyte_is_taken_and_a_byte_more_is_not(size: int) -> None:
    given_files = [(ENTRY, "1"), ("data.json", "x" * (size - 1))]
    if size > MAX_BYTES:
        with pytest.raises(BadRequest, match="may have 1,048,576"):
            ask(files=given_files)
    else:
        assert isinstance(ask(files=given_files), Sources)


def test_characters_count_as_the_bytes_that_they_are() -> None:
    with pytest.raises(BadRequest, match="bytes"):
        ask(files=[(ENTRY, "1"), ("data.json", "€" * (MAX_BYTES // 2))])


@given(files=st.lists(st.tuples(st.sampled_from("abc"), st.text(max_size=3)), max_size=6))
def test_a_path_is_there_once(files: list[tuple[str, str]]) -> None:
    paths = [path for path, _ in files]
    if len(set(paths)) == len(paths):
        assert as_files(files) == dict(files)
    else:
        with pytest.raises(BadRequest, match="there twice"):
            as_files(files)


@given(text=st.text(max_size=600))
def test_a_message_is_short_and_can_be_shown(text: str) -> None:
    try:
        kept = check_message(text)
    except BadRequest:
        assert len(text.strip()) > MESSAGE_LIMIT or not text.isprintable()
    else:
        assert len(kept) <= MESSAGE_LIMIT
        assert "\0" not in kept


@pytest.mark.parametrize(
    ("error", "status", "code", "retry"),
    [
        (ToolBusy("busy"), 503, "BUNDLER_BUSY", True),
        (ToolTimeout("slow"), 400, "BUNDLE_TIMEOUT", False),
        (ToolDied("died"), 503, "BUNDLER_UNAVAILABLE", True),
        (ToolError("broken"), 503, "BUNDLER_UNAVAILABLE", True),
    ],
)
def test_trouble_of_the_bundler_is_not_the_authors(
    error: ToolError, status: int, code: str, retry: bool
) -> None:
    told = tool_trouble(error)
    assert (told.status, told.code, told.retry_after is not None) == (status, code, retry)


# ---------------------------------------------------------------- what the cluster answers


@pytest.mark.parametrize(
    ("status", "body", "means", "said"),
    [
        (404, {"message": "not found"}, _Missing, "not found"),
        (410, {"message": "too old"}, _Expired, "too old"),
        (409, {"message": 'Apply failed with 1 conflict: conflict with "argocd" using v1'}, Taken, "argocd"),
        (409, {"message": "the object has been modified"}, StoreGone, "has been modified"),
        (422, {"message": "invalid", "details": {"causes": [{"field": "spec.source", "message": "no"}]}}, Rejected, "spec.source: no"),
        (400, {"message": "strict decoding error"}, Rejected, "strict decoding error"),
        (500, {"message": ".spec.a: field not declared in schema"}, Rejected, "not declared"),
        (403, {"message": 'admission webhook "x" denied the request: no'}, Rejected, "denied the request"),
        (403, {"message": "cannot patch"}, StoreGone, "ServiceAccount may not do this"),
        (429, {}, StoreGone, "answered 429"),
        (500, {}, StoreGone, "answered 500"),
    ],
)  # fmt: skip
def test_each_answer_of_the_api_server_means_something(
    status: int, body: dict[str, Any], means: type[StoreError], said: str
) -> None:
    error = _meaning(status, "Reason", body)
    assert type(error) is means
    assert said in str(error)


def test_all_who_manage_a_script_are_named_once() -> None:
    text = 'conflict with "b" using v1: .spec\nconflict with "a" using v1: .x\nconflict with "b" using v1: .y'
    error = _meaning(409, "Conflict", {"message": text})
    assert isinstance(error, Taken)
    assert error.managers == ["a", "b"]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Rejected("no"), 400, "REJECTED"),
        (Taken(["argocd"]), 409, "MANAGED_ELSEWHERE"),
        (Leaving("wait"), 409, "UNDEPLOYING"),
        (StoreGone("at 10.0.0.1 with a token"), 503, "CLUSTER_UNAVAILABLE"),
    ],
)
def test_each_refusal_has_its_status_and_code(error: StoreError, status: int, code: str) -> None:
    told = refusal(error)
    assert (told.status, told.code) == (status, code)
    assert "10.0.0.1" not in str(told)


# ---------------------------------------------------------------- in memory


async def watched(store: MemoryDeployments) -> tuple[list[Change], asyncio.Task[None]]:
    told: list[Change] = []

    async def watch() -> None:
        async for change in store.watch():
            told.append(change)  # noqa: PERF401  others look at it meanwhile

    running = asyncio.create_task(watch())
    await until(lambda: any(isinstance(change, Complete) for change in told))
    return told, running


async def test_a_generation_grows_with_the_source_alone() -> None:
    store = MemoryDeployments()
    first = await store.apply(GUILD, SOURCE, revision="r1")
    same = await store.apply(GUILD, SOURCE, revision="r2")
    other = await store.apply(GUILD, {**SOURCE, "files": {ENTRY: "2"}}, revision="r3")
    assert [each.generation for each in (first, same, other)] == [1, 1, 2]
    assert [each.revision for each in (first, same, other)] == ["r1", "r2", "r3"]
    assert first.uid == other.uid
    by_kubectl = store.put(GUILD, SOURCE)
    assert (by_kubectl.generation, by_kubectl.revision) == (3, "r3")
    assert await store.delete(GUILD)
    assert not await store.delete(GUILD)
    assert (await store.apply(GUILD, SOURCE, revision="r4")).uid != first.uid


async def test_who_watches_hears_of_everything_in_its_order() -> None:
    store = MemoryDeployments()
    await store.apply(GUILD, SOURCE, revision="r1")
    told, running = await watched(store)
    assert [type(change) for change in told] == [Put, Complete]
    store.report(GUILD, {"observedGeneration": 1})
    await store.delete(GUILD)
    await until(lambda: isinstance(told[-1], Gone))
    assert [type(change) for change in told] == [Put, Complete, Put, Gone]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_who_is_too_far_behind_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flora_api.deployments.memory.WATCHED", 3)
    store = MemoryDeployments()
    told, running = await watched(store)
    for n in range(10):  # without a pause in which it could be heard
        store.put(GUILD, {**SOURCE, "files": {ENTRY: str(n)}})
    await until(lambda: told[-1] == Complete(frozenset({GUILD})) or isinstance(told[-1], Put))
    await until(
        lambda: [change.deployment.generation for change in told if isinstance(change, Put)][-1:] == [10]
    )
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
