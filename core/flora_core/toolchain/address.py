"""The content address of a project's sources: two that have the same one become the same bundle.

What makes the bundle is part of it: another esbuild, or another script of ours around it, may make
something else of the same sources.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

import msgspec

from flora_core.assets import ESBUILD_JS, ESBUILD_WASM, asset
from flora_core.ids import Sha256
from flora_core.toolchain.bundle import FORMAT
from flora_core.toolchain.project import Project

GLUE: Final = ("platform.js", "memory_fs.js", "messages.js", "bundler.js")
"""What runs beside esbuild, in the order of ``child``."""


def content_address(project: Project) -> Sha256:
    """Of everything that has a say in the bundle of ``project``; blocks for 30 ms the first time."""
    told = [toolchain_version(), project.entrypoint, dict(project.files), dict(project.dependencies)]
    return Sha256(sha256(msgspec.json.encode(told, order="sorted")).hexdigest())


@cache
def toolchain_version() -> str:
    """A hash over the tools themselves; raises AssetsMissing when the SDK was not built."""
    digest = sha256(str(FORMAT).encode())
    for path in (asset(ESBUILD_JS), asset(ESBUILD_WASM)):
        digest.update(sha256(path.read_bytes()).digest())
    for name in GLUE:
        digest.update(sha256((files("flora_core.toolchain") / name).read_bytes()).digest())
    return digest.hexdigest()
