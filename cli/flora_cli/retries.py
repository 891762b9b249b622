"""Whether a call is made again, and when. No I/O."""

from __future__ import annotations

from typing import Final

ATTEMPTS: Final = 4
"""Of one call, the first among them."""
FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 30.0
"""What a server may ask for; one that wants more time is told to the user instead."""
LONGEST_RECONNECT_SECONDS: Final = 16.0


def pause_before(attempt: int, *, draw: float, wanted: float | None = None) -> float | None:
    """Seconds to wait before the attempt with this number (2 is the second); None to give up.

    ``draw`` is a random number from 0 to 1, so that many clients do not come back at the same moment;
    ``wanted`` is what the server asked for.
    """
    if attempt > ATTEMPTS:
        return None
    if wanted is not None:
        return wanted * (1 + 0.1 * draw) if wanted <= LONGEST_PAUSE_SECONDS else None
    return FIRST_PAUSE_SECONDS * 2 ** (attempt - 2) * (0.5 + 0.5 * draw)


def reconnect_after(breaks: int, *, draw: float) -> float:
    """Seconds before a stream is opened again that broke ``breaks`` times in a row: 1, 2, 4, 8, 16."""
    return min(2 ** (max(breaks, 1) - 1), LONGEST_RECONNECT_SECONDS) * (0.5 + 0.5 * draw)
