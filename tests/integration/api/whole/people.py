"""Somebody with a script, a value and a secret at the whole API, who uses the ``flora`` command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.integration.api.auth.conftest import GARDEN
from tests.integration.api.whole.whole_api import WholeApi
from tests.integration.cli.conftest import Command
from tests.integration.flora_command import Ended
from tests.waiting import eventually

GOOD: Final = "on('messageCreate', (ctx) => ctx.reply('good'));"
DEPLOY: Final = f"/deployments/{GARDEN}"

Flora = Callable[..., Ended]


def script(contents: str = GOOD, path: str = "src/main.ts", **more: Any) -> dict[str, Any]:
    return {"entry": "src/main.ts", "files": [{"path": path, "contents": contents}], **more}


@pytest.fixture(autouse=True)
def kept(whole: WholeApi) -> Iterator[None]:
    """What was there before a test is there afterwards."""

    def there() -> Any:
        value = whole.ok("GET", f"/kv/{GARDEN}/kept/k")
        secrets = whole.ok("GET", f"/secrets/{GARDEN}")
        return value, [secret["name"] for secret in secrets], whole.ok("GET", DEPLOY)["files"]

    before = there()
    yield
    assert there() == before


@pytest.fixture(scope="module", autouse=True)
def inhabited(whole: WholeApi) -> None:
    whole.ok("PUT", f"/kv/{GARDEN}/kept/k", {"value": "kept"})
    whole.ok("PUT", f"/secrets/{GARDEN}/KEPT", {"value": "kept"})
    settled(whole, whole.ok("POST", DEPLOY, script())["revision_id"])


def settled(whole: WholeApi, revision: str) -> dict[str, Any]:
    """The revision, once it is pending no more."""
    path = f"{DEPLOY}/revisions/{revision}"
    return eventually(lambda: found if (found := whole.ok("GET", path))["status"] != "pending" else None)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "bot"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "main.ts").write_text(GOOD)
    return folder


@pytest.fixture
def flora(whole: WholeApi, bare: Command, monkeypatch: pytest.MonkeyPatch) -> Flora:
    """The command as somebody who has a token in the environment; ada unless told otherwise."""

    def run(*arguments: str | Path, who: str = "ada", stdin: bytes = b"", url: str = "") -> Ended:
        monkeypatch.setenv("FLORA_API_URL", url or whole.url)
        monkeypatch.setenv("FLORA_TOKEN", whole.tokens.get(who, who))
        return bare(*arguments, stdin=stdin)

    return run
