"""What crosses between flora's processes: pure codecs, no I/O.

``ndjson``   one JSON object a line, over HTTP: the splitter and the mapping of errors
``gateway``  gateway pod <-> runtime pod: events and results down, ops and acknowledgements up
``control``  operator (or local controller) <-> pods: assignments, routes, reports, logs
``pipe``     supervisor <-> worker process: length-prefixed binary frames

``docs/protocol.md`` tells the same from the outside: paths, order, what happens when a stream breaks.
"""

from __future__ import annotations

from typing import Final

import msgspec

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for bytes that are not the JSON they should be, or nested without end."""
