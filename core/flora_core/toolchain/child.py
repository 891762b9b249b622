"""The process in which the JavaScript tools run: ``python -m flora_core.toolchain.child <parent's pid>``.

Each tool has an isolate of its own, made when it is first asked for: esbuild's wasm cannot be interrupted,
and other people's sources can make either tool use any amount of time or memory, so all of it happens
where it can be killed. Frames come in on stdin, are read by a thread of their own (end of input ends the
process even while a tool runs), and are answered on stdout one by one.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import traceback
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
from py_mini_racer import JSEvalException, JSFunction, JSOOMException, JSPromise, JSPromiseError, MiniRacer

from flora_core.assets import ESBUILD_JS, ESBUILD_WASM, TYPES, TYPESCRIPT, TYPESCRIPT_LIBS, asset
from flora_core.errors import AssetsMissing
from flora_core.toolchain import jail
from flora_core.toolchain.frames import HEADER, Answer, Failure, RequestHead, Tool, encode

HEAP: Final = 768 << 20
"""Bytes of JavaScript heap for each tool."""


def main() -> None:
    """Answer requests until stdin ends, or a tool fails. Never returns."""
    jail.enter(int(sys.argv[1]))
    try:
        _serve()
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        os._exit(1)  # Python's own way out can hang while an isolate has timers


def _serve() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints to stdout must not end up in a frame
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()
    while True:
        answer = _answer(requests.get())
        answers.write(encode(answer))
        answers.flush()
        if answer.failure is not None:
            return  # its tool is not fit for another request


def _read_requests(requests: queue.SimpleQueue[bytes]) -> None:
    stdin = sys.stdin.buffer
    while True:
        (size,) = HEADER.unpack(_exactly(stdin, HEADER.size))
        requests.put(_exactly(stdin, size))


def _exactly(stream: BinaryIO, size: int) -> bytes:
    """The next ``size`` bytes; ends the process when the stream does before them."""
    data = stream.read(size)
    if len(data) < size:
        os._exit(0)
    return data


def _answer(request: bytes) -> Answer:
    tool = msgspec.json.decode(request, type=RequestHead).tool
    try:
        result = _tool(tool).call("run", request.decode()).encode()
    except JSOOMException as error:
        return Answer(failure=Failure.MEMORY, detail=str(error)[:2000])
    except (JSEvalException, JSPromiseError) as error:
        return Answer(failure=_kind(str(error)), detail=str(error)[:2000])
    return Answer(result=msgspec.Raw(result), rss=jail.resident_bytes())


def _kind(text: str) -> Failure:
    if "Maximum call stack size exceeded" in text:
        return Failure.DEPTH
    if "out of memory" in text or "allocation failed" in text:
        return Failure.MEMORY
    return Failure.CRASH


@cache
def _tool(tool: Tool) -> _Isolate:
    return {Tool.BUNDLER: _bundler, Tool.CHECKER: _checker}[tool]()


class _Isolate:
    """An isolate with scripts of ours in it, which talk in strings."""

    def __init__(self, *scripts: str | Path) -> None:
        self.racer: Final = MiniRacer()
        self.racer.set_hard_memory_limit(HEAP)
        for script in scripts:
            path = script if isinstance(script, Path) else files("flora_core.toolchain") / script
            self.racer.eval(path.read_text(encoding="utf-8"))

    def call(self, name: str, *arguments: str) -> str:
        """What the function ``name`` returns, or promises. Without a time limit: the parent kills."""
        function = self.racer.eval(name)
        assert isinstance(function, JSFunction)
        result = function(*arguments)
        return str(result.get() if isinstance(result, JSPromise) else result)


def _bundler() -> _Isolate:
    isolate = _Isolate("platform.js", "memory_fs.js", asset(ESBUILD_JS), "messages.js", "bundler.js")
    wasm = asset(ESBUILD_WASM).read_bytes()
    view = isolate.racer.eval(f"globalThis.wasm = new ArrayBuffer({len(wasm)})")
    assert isinstance(view, memoryview)
    view[:] = wasm
    isolate.call("boot")
    return isolate


def _checker() -> _Isolate:
    isolate = _Isolate(asset(TYPESCRIPT), "messages.js", "checker.js")
    libs = {path.name: path.read_text(encoding="utf-8") for path in asset(TYPESCRIPT_LIBS).glob("*.d.ts")}
    isolate.call("boot", msgspec.json.encode({"libs": libs, "types": _types()}).decode())
    return isolate


def _types() -> str | None:
    """The ambient types of what a script finds in its isolate, where the SDK build has made them."""
    try:
        return asset(TYPES).read_text(encoding="utf-8")
    except AssetsMissing:
        return None


if __name__ == "__main__":
    main()
