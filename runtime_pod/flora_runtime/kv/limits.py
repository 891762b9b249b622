"""How long, how large, how often. The original's figures where it has them."""

from __future__ import annotations

from typing import Final

KEY_BYTES: Final = 512
STORE_BYTES: Final = 64
VALUE_BYTES: Final = 1 << 20
ENTRY_BYTES: Final = 2 << 20
"""Key, value and metadata together."""

STORE_TOTAL_BYTES: Final = 100 << 20
GUILD_TOTAL_BYTES: Final = 500 << 20
STORES: Final = 1000
"""Stores of a guild; each costs a record of its own."""

LIST_DEFAULT: Final = 100
LIST_MOST: Final = 1000
TRANSACTION_MOST: Final = 64
"""Steps of one transaction."""

BULK_MOST: Final = 1000
"""Keys that one bulk change from outside writes and deletes."""

BULK_KEYS_A_WRITE: Final = 100
"""So many of its keys count as one write to the store."""

CLEAR_MOST: Final = 10_000
"""Keys that one ``clear`` removes; the script is told to go on when there are more."""

WRITES: Final = 120
"""Writes to one store ..."""
WRITE_SECONDS: Final = 60.0
"""... in so many seconds."""

SAFE_INTEGER: Final = (1 << 53) - 1
"""JavaScript's numbers are exact up to here."""
