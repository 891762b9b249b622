"""The process that runs test files: ``python -m flora_dev.testing.child``.

Jobs come in on standard input, one a line, and what became of them goes out on standard output. A test that
loses its isolate (a limit, a wait for nothing) fails; the file is loaded again for those behind it. The
parent has the last word: it kills this process when a test is far over its time.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from flora_core.errors import FloraError
from flora_core.wire.control import ScriptError
from flora_dev.testing.played import PlayedStorage
from flora_dev.testing.script import IsolateLost, Script, ScriptFailed, Stacks, plain_error
from flora_dev.testing.stage import START, Hung, Listed, Report, Stage
from flora_dev.testing.wire import Began, Ended, Finished, Job, Said, decode_job, encode
from flora_runtime.errors import BootFailed, EngineMismatch
from flora_runtime.worker.isolate import Engine
from flora_runtime.worker.reactor import make_reactor

HANGS: Final = "the test waits for something that never comes: a promise that nothing settles"


class _Clock:
    """The running test's time, for storage."""

    def __init__(self) -> None:
        self.stage: Stage | None = None

    def __call__(self) -> float:
        return (START if self.stage is None else self.stage.now) / 1000


class FileRun:
    """The tests of one file, in one isolate after another."""

    def __init__(
        self, engine: Engine, stacks: Stacks, storage: PlayedStorage, clock: _Clock, job: Job
    ) -> None:
        self._engine = engine
        self._stacks = stacks
        self._storage = storage
        self._clock = clock
        self._job = job
        self._tests: list[Listed] = []
        self._next = 0
        """The first test that was not looked at yet."""
        self._running: Listed | None = None
        self._began = 0.0
        self._stage: Stage | None = None

    def run(self) -> None:
        """Until all tests have run, or the file cannot be loaded."""
        while self._attempt():
            pass

    def _attempt(self) -> bool:
        """Go on in a new isolate; whether there is anything left afterwards."""
        job = self._job
        limits = {"cpu_milliseconds": job.cpu_milliseconds, "memory_mebibytes": job.memory_mebibytes}
        script = Script(self._engine, **limits)
        try:
            self._stage = self._clock.stage = Stage(script, job, self._storage, next_test=self._choose)
            self._stage.run()
        except (ScriptFailed, IsolateLost, Hung) as error:
            mapped = self._mapped(str(error)) if isinstance(error, ScriptFailed) else _plain(error)
            if self._running is None:
                self._say_ended("", mapped)
                return False
            self._end(mapped)
            return self._next < len(self._tests)
        finally:
            self._clock.stage = None
            script.close()
        return False

    def _choose(self, tests: list[Listed], report: Report) -> int | None:
        """Note what became of the last test, and take the next that is wanted."""
        if self._running is not None:
            assert self._stage is not None
            unhandled = self._stage.unhandled
            text = report.error or (
                unhandled and f"a promise was rejected and nobody handles it: {unhandled}"
            )
            self._end(self._mapped(text) if text else None, report)
        self._tests = tests
        pattern = self._job.pattern.casefold()
        while self._next < len(tests):
            index, self._next = self._next, self._next + 1
            test = tests[index]
            if test.skip or pattern not in test.name.casefold():
                if test.skip:
                    say(Ended(test.name, "skipped"))
                continue
            self._running, self._began = test, time.monotonic()
            say(Began(test.name))
            return index
        return None

    def _end(self, error: ScriptError | None, report: Report | None = None) -> None:
        assert self._running is not None
        name, self._running = self._running.name, None
        self._say_ended(name, error, report)

    def _say_ended(self, name: str, error: ScriptError | None, report: Report | None = None) -> None:
        spent = round((time.monotonic() - self._began) * 1000, 1) if name else 0.0
        if error is None:
            say(Ended(name, "passed", spent))
            return
        logs = self._stage.logs if self._stage is not None else []
        report = report or Report()
        say(Ended(name, "failed", spent, error, report.expected, report.actual, logs))

    def _mapped(self, text: str) -> ScriptError:
        return self._stacks.map(text, key=self._job.sha256, source_map=self._job.source_map)


def _plain(error: Exception) -> ScriptError:
    return plain_error(HANGS if isinstance(error, Hung) else str(error))


def say(said: Said) -> None:
    """Tell the parent."""
    sys.stdout.buffer.write(encode(said) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """Serve until standard input closes. V8's threads may never end, so this leaves by ``os._exit``."""
    code = 1
    try:
        with tempfile.TemporaryDirectory(prefix="flora-test-") as folder:
            clock = _Clock()
            engine = Engine(make_reactor())
            stacks = Stacks(engine)
            storage = PlayedStorage(Path(folder) / "kv", clock)
            for line in sys.stdin.buffer:
                FileRun(engine, stacks, storage, clock, decode_job.decode(line)).run()
                say(Finished())
            storage.close()
        code = 0
    except BrokenPipeError:
        pass  # the parent is gone
    except (FloraError, BootFailed, EngineMismatch) as error:
        print(f"flora test: {error}", file=sys.stderr)  # noqa: T201  nobody logs in here
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
