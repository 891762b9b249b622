"""``python -m cluster up | down | status | images [COMPONENT …] | load ARCHIVE …``.

``up`` writes lines for a shell to standard output (``eval "$(make -s cluster-up)"``): KUBECONFIG, and PATH
where kubectl or Helm are missing. Its progress goes to standard error. Exit codes: 0 done, 1 it could not be,
2 asked wrongly, 3 ``status``: none runs, 130 interrupted.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from cluster import by_hand, images, machine, node
from flora_core.errors import FloraError


def main(arguments: Sequence[str]) -> int:
    """Do what ``arguments`` say."""
    options = _parse(arguments)
    for stop in (signal.SIGTERM, signal.SIGINT):  # a shell's background job ignores the second
        signal.signal(stop, signal.default_int_handler)
    where = by_hand.folder()
    try:
        if options.what == "up":
            _up(where, with_node=options.node)
        elif options.what == "down":
            _say("the cluster is gone" if by_hand.down(where) else "there was no cluster")
        elif options.what == "load":
            for archive in options.archives:
                node.load(where, archive)
        elif options.what == "images":
            by_hand.load(where, options.components or list(images.COMPONENTS), say=_say)
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


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m cluster", description="A Kubernetes to try things on.")
    commands = parser.add_subparsers(dest="what", required=True, metavar="up | down | status | images | load")
    up = commands.add_parser("up", help="start it, or say where it is")
    up.add_argument(
        "--no-node", dest="node", action="store_false", help="a control plane alone, where Pods stay Pending"
    )
    commands.add_parser("down", help="stop it and delete what it had")
    commands.add_parser("status", help="say what runs")
    built = commands.add_parser("images", help="build flora's images and give them to the node")
    built.add_argument(
        "components", nargs="*", metavar="COMPONENT", help=f"of {', '.join(images.COMPONENTS)}"
    )
    load = commands.add_parser("load", help="give images to the node")
    load.add_argument("archives", nargs="+", type=Path, metavar="ARCHIVE", help="as docker save writes them")
    return parser.parse_args(arguments)


def _up(where: Path, *, with_node: bool) -> None:
    if with_node and (why := machine.why_no_node()):
        _say(f"no node, so that Pods stay Pending: {why}")
        with_node = False
    path = by_hand.up(where, with_node=with_node, say=_say)
    print(f"export KUBECONFIG={shlex.quote(str(path))}")
    if with_node and (folders := by_hand.clients(say=_say)):
        print(f"export PATH={':'.join(shlex.quote(str(folder)) for folder in folders)}:$PATH")
    _say("next: kubectl apply -f crds/ && kubectl apply --server-side -f examples/basic/guild.yaml")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
