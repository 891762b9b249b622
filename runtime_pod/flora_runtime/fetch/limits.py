"""How much, how long, how many."""

from __future__ import annotations

from typing import Final

RESPONSE_BYTES: Final = 10 << 20
"""Of a response's body, inflated."""
RESPONSE_HEADER_BYTES: Final = 64 << 10
REQUEST_BYTES: Final = 1 << 20
"""Of a request's body. A script's outbox holds 1 MiB of text in all, so that bytes get to 768 KiB."""
REQUEST_HEADER_BYTES: Final = 32 << 10
REQUEST_HEADERS: Final = 100
URL_CHARACTERS: Final = 8192

TOTAL_SECONDS: Final = 10.0
"""From the first look-up to the last byte, redirects included."""
QUEUE_SECONDS: Final = 10.0
"""How long a fetch may wait for its turn, before that."""
REDIRECTS: Final = 5

WAITING: Final = 32
"""Fetches of one guild that may wait for its turn."""
POD_AT_ONCE: Final = 128
POD_BODY_BYTES: Final = 128 << 20
"""Of all bodies that are being received in a pod."""

LOOKUP_THREADS: Final = 16
GUILD_LOOKUPS: Final = 4
"""Names of one guild being looked up at once: a look-up cannot be cut short, and holds its thread."""

ATTACHMENTS: Final = 10
"""Files in one call, as Discord takes them."""
