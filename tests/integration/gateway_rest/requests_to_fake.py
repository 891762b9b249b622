"""Requests that tests send."""

from __future__ import annotations

import asyncio

from flora_gateway.rest.transport import Request


class Repeatable(Request):
    def may_repeat(self) -> bool:
        return True


class Once(Request):
    def may_repeat(self) -> bool:
        return False


def get(target: bytes = b"/x", *, seconds: float = 5.0, kind: type[Request] = Once) -> Request:
    return kind(b"GET", target, deadline=asyncio.get_running_loop().time() + seconds)


def post(body: bytes = b"{}", *, seconds: float = 5.0, kind: type[Request] = Once) -> Request:
    deadline = asyncio.get_running_loop().time() + seconds
    return kind(b"POST", b"/x", b"Content-Type: application/json\r\n", body, deadline)
