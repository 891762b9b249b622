"""Bare V8 isolates for tests, in a process of their own.

V8 starts only once in a process, and other tests start it in other ways. One line of JSON asks for scripts to
be run and for an expression to be read, one line answers.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class V8:
    """Isolates with nothing of flora's in them, a new one for each call."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @classmethod
    @contextmanager
    def started(cls) -> Iterator[V8]:
        command = [sys.executable, __file__]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            yield cls(process)
            assert process.stdin
            process.stdin.close()

    def value(self, *scripts: str, of: str) -> object:
        """What ``of`` is after ``scripts`` have run, promises awaited."""
        return self._ask("value", *scripts, expression=of)

    def stack(self, *scripts: str) -> str:
        """The stack with which a promise of ``scripts`` is rejected."""
        return str(self._ask("stack", *scripts))

    def exception(self, *scripts: str) -> str:
        """The text with which mini-racer refuses ``scripts``."""
        return str(self._ask("exception", *scripts))

    def _ask(self, expected: str, *scripts: str, expression: str = "null") -> object:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"scripts": scripts, "expression": expression}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert expected in answer, answer
        return answer[expected]


def answer(scripts: list[str], expression: str) -> dict[str, object]:
    from py_mini_racer import JSEvalException, JSPromise, JSPromiseError, MiniRacer  # noqa: PLC0415

    with MiniRacer() as racer:
        try:
            for script in scripts:
                value = racer.eval(script)
                if isinstance(value, JSPromise):
                    value.get(timeout=10)
            return {"value": json.loads(str(racer.eval(f"JSON.stringify([{expression}])")))[0]}
        except JSPromiseError as error:
            return {"stack": str(error.reason)}
        except JSEvalException as error:
            return {"exception": str(error)}


if __name__ == "__main__":
    for line in sys.stdin:
        request = json.loads(line)
        sys.stdout.write(json.dumps(answer(request["scripts"], request["expression"])) + "\n")
        sys.stdout.flush()
