"""Errors of the runtime pod.

RuntimePodError
├── EngineMismatch     the installed mini-racer is not the one this was written for
├── BootFailed         an isolate did not come up within its time
├── EngineHangs        V8 does not answer this process any more
└── WorkerDied         a worker process is gone
"""

from __future__ import annotations

from flora_core.errors import FloraError


class RuntimePodError(FloraError):
    """Base of the runtime pod's errors."""


class EngineMismatch(RuntimePodError):
    """The engine's self-test found something that is not as expected; the text names it."""


class BootFailed(RuntimePodError):
    """An isolate could not be created, or its prelude did not run."""


class EngineHangs(RuntimePodError):
    """The worker process cannot go on; another one can."""


class WorkerDied(RuntimePodError):
    """A worker process ended, or broke the protocol of its pipe."""
