"""``python -m cluster up | down | status``.

``up`` writes one line for a shell to standard output (``eval "$(make -s cluster-up)"``) and its progress to
standard error. Exit codes: 0 done, 1 it could not be, 2 asked wrongly, 3 ``status``: none runs, 130
interrupted.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from collections.abc import Sequence

from cluster import by_hand
from flora_core.errors import FloraError


def main(arguments: Sequence[str]) -> int:
    """Do what ``arguments`` say."""
    parser = argparse.ArgumentParser(prog="python -m cluster", description="A Kubernetes to try things on.")
    parser.add_argument("what", choices=["up", "down", "status"])
    what = parser.parse_args(arguments).what
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is stopped, as by Ctrl-C
    where = by_hand.folder()
    try:
        if what == "up":
            path = by_hand.up(where, say=_say)
            print(f"export KUBECONFIG={shlex.quote(str(path))}")
            _say("next: kubectl apply -f crds/ && kubectl apply --server-side -f examples/basic/guild.yaml")
        elif what == "down":
            _say("the cluster is gone" if by_hand.down(where) else "there was no cluster")
        else:
            running = by_hand.parts(where)
            _say(f"{where}: {', '.join(running) or 'no cluster'}")
            return 0 if running else 3
    except FloraError as error:
        _say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
