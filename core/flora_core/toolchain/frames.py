"""What passes between the toolchain and its child processes: length-prefixed JSON, both ways.

A request is answered before the next one is sent. The parent trusts no child to keep its word, since what
it works on comes from strangers: sizes come first, and an answer that is none ends the child.
"""

from __future__ import annotations

import struct
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Raw, Struct

HEADER: Final = struct.Struct("<I")
"""Length of the body."""

ANSWER_LIMIT: Final = 128 << 20
"""Bytes of one answer: code and map of the largest bundle, JSON-escaped, with room."""


class Tool(StrEnum):
    BUNDLER = "bundler"
    CHECKER = "checker"


class Request(Struct, frozen=True):
    """One project for one tool."""

    tool: Tool
    entrypoint: str
    files: dict[str, str]
    dependencies: dict[str, str]
    code_limit: int = 0
    """Bytes that a bundle's code may have."""
    map_limit: int = 0


class RequestHead(Struct, frozen=True):
    """The part of a request that the child itself reads; the rest is the tool's."""

    tool: Tool


class Failure(StrEnum):
    """Why a tool could not answer. After any of them the child ends."""

    MEMORY = "memory"
    DEPTH = "depth"
    """The call stack was not enough: something in the sources is nested too deeply."""
    CRASH = "crash"


class Answer(Struct, frozen=True, omit_defaults=True):
    """What became of a request."""

    result: Raw = Raw(b"null")
    failure: Failure | None = None
    detail: str = ""
    """The tool's own words about its failure, at most 2,000 characters."""
    rss: int = 0
    """Memory of the child process in bytes; 0 where the system does not tell."""


def encode(frame: Request | Answer) -> bytes:
    body = msgspec.json.encode(frame)
    return HEADER.pack(len(body)) + body
