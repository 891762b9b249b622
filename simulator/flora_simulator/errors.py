"""What can go wrong in the simulator, apart from what Discord itself would answer.

    FloraError
    └── SimulatorError
        ├── SimcordMismatch     the installed SimCord is not the one this package was written for
        ├── AddressInUse        another process listens there
        ├── SimulatorRefused    the control interface said no (raised by the client)
        └── NothingHappened     the bot did not do what the client waited for
    InvalidInput
    ├── BadWorld                a world file that cannot be built
    └── ActRefused              nobody could do that in this Discord: no such message, button, option …

``ActRefused`` becomes a 400 on the control interface; what a bot gets over REST is Discord's own JSON and
lives in ``discord_errors``.
"""

from __future__ import annotations

from flora_core.errors import FloraError, InvalidInput


class SimulatorError(FloraError):
    """Base of what the simulator raises on purpose."""


class SimcordMismatch(SimulatorError):
    """SimCord's insides are not as expected; the text names each difference."""


class AddressInUse(SimulatorError):
    """The address is taken."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(
            f"{host}:{port} is in use; stop what listens there, or choose another with --port (0 picks one)"
        )


class SimulatorRefused(SimulatorError):
    """The control interface answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class NothingHappened(SimulatorError):
    """The time to wait is over."""


class BadWorld(InvalidInput):
    """A world file that is no world."""


class ActRefused(InvalidInput):
    """A person in the simulated Discord cannot do that."""
