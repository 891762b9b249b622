"""Which sources are the same."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from flora_core.ids import parse_sha256
from flora_core.toolchain import Project, content_address
from flora_core.toolchain.address import GLUE
from flora_core.toolchain.child import _bundler

NAMES = st.sampled_from(["main.ts", "a.ts", "b.ts", "src/a.ts"])
FILES = st.dictionaries(NAMES, st.text(max_size=20), max_size=4).map(lambda files: {"main.ts": "", **files})


@given(FILES)
def test_the_order_of_files_does_not_matter(files: dict[str, str]) -> None:
    backwards = dict(reversed(list(files.items())))
    assert content_address(Project(files, "main.ts")) == content_address(Project(backwards, "main.ts"))


@given(FILES, FILES)
def test_other_files_have_another_address(files: dict[str, str], others: dict[str, str]) -> None:
    assume(files != others)
    assert content_address(Project(files, "main.ts")) != content_address(Project(others, "main.ts"))


def test_everything_that_has_a_say_in_the_bundle_counts() -> None:
    files = {"main.ts": "", "a.ts": ""}
    addresses = {
        content_address(Project(files, "main.ts")),
        content_address(Project(files, "a.ts")),
        content_address(Project(files, "main.ts", dependencies={"node_modules/a/index.js": ""})),
        content_address(Project(files, "main.ts", dependencies={"node_modules/a/index.js": "1"})),
    }
    assert len(addresses) == 4


def test_an_address_is_a_digest() -> None:
    parse_sha256(content_address(Project({"main.ts": ""}, "main.ts")))


def test_every_script_that_runs_beside_esbuild_counts() -> None:
    """What ``child`` loads for the bundler, by the names in its code."""
    loaded = {name for name in _bundler.__code__.co_consts if isinstance(name, str) and name.endswith(".js")}
    assert loaded == set(GLUE)
