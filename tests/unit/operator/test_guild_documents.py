"""GuildDeployments as the operator keeps them, and what it remembers of their sources."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flora_core.manifest import Hibernation
from flora_core.wire.control import Limits
from flora_operator.deployment import digest, from_document

SPEC = {
    "guildId": "1001",
    "source": {"entrypoint": "src/main.ts", "files": {"src/main.ts": "x" * 1000}},
    "secrets": [{"name": "KEY", "secretKeyRef": {"name": "s", "key": "k"}, "allowedHosts": ["a.example"]}],
    "limits": {"cpuMilliseconds": 50, "memoryMebibytes": 32},
    "hibernation": "Never",
    "suspend": True,
}


def document(spec: Any = SPEC, **metadata: Any) -> dict[str, Any]:
    given = {
        "name": "guild-1001",
        "namespace": "a",
        "uid": "u",
        "resourceVersion": "5",
        "generation": 2,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        **metadata,
    }
    return {"metadata": given, "spec": spec, "status": {"revision": 4}}


def test_all_is_kept_but_the_text() -> None:
    kept, files = from_document(document(finalizers=["f"]))
    assert (kept.key, kept.guild, kept.generation) == (("a", "guild-1001"), "1001", 2)
    assert kept.limits == Limits(50, 32)
    assert (kept.hibernation, kept.suspended, kept.finalizers) == (Hibernation.NEVER, True, ("f",))
    assert kept.secrets[0].secret_key_ref.name == "s"
    assert kept.status.revision == 4
    assert kept.source.digest == digest(SPEC["source"]["files"], "src/main.ts")  # type: ignore[index,call-overload]
    assert "xxx" not in repr(kept)
    assert files == {"src/main.ts": "x" * 1000}


def test_limits_are_plain_ones_that_compare_with_those_of_a_status() -> None:
    kept, _ = from_document(document())
    assert type(kept.limits) is Limits


def test_references_are_kept_as_they_are() -> None:
    kept, files = from_document(document({"guildId": "1", "source": {"configMapRef": {"name": "bot"}}}))
    assert (kept.source.config_map, kept.source.digest, files) == ("bot", "", None)
    kept, _ = from_document(document({"guildId": "1", "source": {"bundleRef": {"sha256": "ab" * 32}}}))
    assert kept.source.bundle == "ab" * 32


def test_a_spec_that_cannot_be_read_is_kept_with_its_problem() -> None:
    kept, files = from_document(document({"guildId": "1", "source": {}, "colour": "red"}))
    assert "colour" in kept.problem
    assert (kept.guild, files) == ("1001", None)


def test_an_object_on_its_way_out_says_since_when() -> None:
    kept, _ = from_document(document(deletionTimestamp="2026-01-01T00:00:05Z"))
    assert kept.deleted == "2026-01-01T00:00:05Z"


paths = st.text(max_size=5)
sources = st.dictionaries(paths, st.text(max_size=5), max_size=4)


@given(sources, sources, paths, paths)
def test_different_sources_have_different_digests(
    one: dict[str, str], other: dict[str, str], entry: str, entry_of_other: str
) -> None:
    same = (one, entry) == (other, entry_of_other)
    assert (digest(one, entry) == digest(other, entry_of_other)) == same


@given(sources, paths)
def test_the_order_of_files_does_not_matter(files: dict[str, str], entry: str) -> None:
    assert digest(dict(reversed(files.items())), entry) == digest(files, entry)
