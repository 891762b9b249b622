"""The wheel that all of flora's images install."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from cluster.errors import CannotBuild, CannotStart, Unavailable
from cluster.images import ROOT
from cluster.place import run

SECONDS: Final = 120.0
"""One, mostly."""


def build(folder: Path = ROOT / "dist") -> Path:
    """Make it in ``folder``, and nothing else is left there; the same sources make the same bytes.

    Raises Unavailable when the SDK has not been built, and CannotBuild. Blocks.
    """
    if not (ROOT / "sdk" / "flora_sdk" / "data" / ".ready").exists():
        raise Unavailable("the SDK is not built; run `make setup`")
    for older in folder.glob("flora-*.whl"):
        older.unlink()
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    try:
        run(*command, folder=ROOT, seconds=SECONDS)
    except CannotStart as error:
        raise CannotBuild(f"the wheel: {error}") from None
    (wheel,) = folder.glob("flora-*.whl")
    return wheel


if __name__ == "__main__":
    print(build())
