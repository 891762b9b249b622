"""What an op names besides its path: channels, threads and guilds in its body and its query. Pure.

A path is not all that says what a call reaches. A message may forward another channel's message, and so
show its text; a webhook may be moved to another channel; a channel to another category; a member to
another voice channel. Discord refuses some of these across guilds and carries out others, because the
bot itself may do them. So every field whose name says that it holds a channel or a guild must hold one of
the guild that asks, at any depth and in any route: what Discord adds later is refused before it is known.

Who reads JSON otherwise than Discord does could be made to see another body than it: of two fields with
one name it might check the first while Discord takes the second. A body that names anything is therefore
written anew from what was read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, cast

import msgspec

from flora_core.errors import InvalidInput
from flora_core.wire import UNREADABLE
from flora_gateway.rest.targets import QueryValue, snowflake

_CHANNEL: Final = re.compile(r"(?:.*_)?(?:channel|parent|thread)_ids?").fullmatch
_GUILD: Final = re.compile(r"(?:.*_)?guild_ids?").fullmatch
MOST_NAMED: Final = 500
"""Channels that one body may name: as many as a guild has."""
MOST_NESTED: Final = 32
"""Levels of JSON. Components within components within a message within a thread are a dozen."""

_QUERY: Final = frozenset(("thread_id",))
_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


class References(NamedTuple):
    """Ids that must be the asking guild's."""

    channels: frozenset[str]
    guilds: frozenset[str]


NOTHING: Final = References(frozenset(), frozenset())


def suspect(body: bytes | None) -> bool:
    """Whether ``body`` may name something: a key has these letters as they are, or has an escape."""
    return body is not None and (
        b"channel_id" in body
        or b"guild_id" in body
        or b"thread_id" in body
        or b"parent_id" in body
        or b"\\u" in body
    )


def read(body: bytes | None, query: Mapping[str, QueryValue]) -> tuple[References, bytes | None]:
    """What ``body`` and ``query`` name, and the body as it may be sent.

    Raises InvalidInput, naming the field, where there is no id although the field's name promises one.
    """
    named: list[tuple[str, object]] = [(key, query[key]) for key in _QUERY & query.keys()]
    if suspect(body):
        try:
            value = _decode(body or b"")
        except UNREADABLE as error:
            raise InvalidInput(f"body: {error}") from None
        named += _named(value)
        body = _encode(value)
    if not named:
        return NOTHING, body
    channels: set[str] = set()
    guilds: set[str] = set()
    for key, value in named:
        into = guilds if _GUILD(key) else channels
        into.update(_ids(key, value))
    if len(channels) > MOST_NAMED:
        raise InvalidInput(f"body: names {len(channels)} channels; the limit is {MOST_NAMED}")
    return References(frozenset(channels), frozenset(guilds)), body


def _named(value: Any, depth: int = 0) -> Iterator[tuple[str, object]]:
    if depth > MOST_NESTED:
        raise InvalidInput(f"body: is nested more than {MOST_NESTED} deep")
    if isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            if _CHANNEL(key) or _GUILD(key):
                yield key, item
            else:
                yield from _named(item, depth + 1)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _named(item, depth + 1)


def _ids(key: str, value: object) -> Iterator[str]:
    """The ids in ``value``: none for null, one, or a list of them. Discord takes numbers for ids as well."""
    if value is None:
        return
    for item in cast("list[object]", value) if isinstance(value, list) else [value]:
        if isinstance(item, int) and not isinstance(item, bool):
            item = str(item)  # noqa: PLW2901
        if not isinstance(item, str):
            raise InvalidInput(f"{key}: should be an id, as text")
        yield snowflake(item, key)
