"""The files that the SDK build leaves for Python: prelude, types, and the JavaScript tools.

They travel as data of the ``flora_sdk`` package, which has no code; it is addressed by name here, so
that ``flora_core`` imports no other flora package.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

from flora_core.errors import AssetsMissing

PRELUDE: Final = "prelude.js"
TYPES: Final = "flora.d.ts"
TESTING: Final = "flora-test.js"
"""The module ``flora-test`` that test files of a project import."""
ESBUILD_JS: Final = "esbuild/browser.min.js"
ESBUILD_WASM: Final = "esbuild/esbuild.wasm"
TYPESCRIPT: Final = "typescript/typescript.js"
TYPESCRIPT_LIBS: Final = "typescript/lib"
TRACE_MAPPING: Final = "trace-mapping.js"


def asset(name: str) -> Path:
    """Where the asset ``name`` lies on disk; raises AssetsMissing when the SDK was not built."""
    path = Path(str(files("flora_sdk"))) / "data" / name
    if not path.exists():
        raise AssetsMissing(f"{name} is missing from this installation; run `make setup`")
    return path
