"""From an author's TypeScript to what an isolate runs, without Node.

``project``      the sources: from a manifest, or read from a folder (``folder``, ``packages``, ``ignore``)
``toolchain``    bundler and checker as async calls, in child processes (``process``, ``child``, ``jail``)
``bundler``      what esbuild is asked and what its answers mean; ``checker`` the same for TypeScript
``bundle``       the result, known by its hash; ``address`` knows sources by theirs
``diagnostics``  errors and warnings with their place in the author's code

The ``.js`` files run inside V8, next to the tools; ``stackmap.js`` is for the workers, which map stacks.
"""

from flora_core.toolchain.address import content_address
from flora_core.toolchain.bundle import Built, Bundle
from flora_core.toolchain.diagnostics import Diagnostic, render, render_all
from flora_core.toolchain.project import Project
from flora_core.toolchain.toolchain import Toolchain, ToolLimits

__all__ = [
    "Built",
    "Bundle",
    "Diagnostic",
    "Project",
    "ToolLimits",
    "Toolchain",
    "content_address",
    "render",
    "render_all",
]
