"""The baseline of the API: a FastAPI application with one route that answers nothing, served as ours is.

``python -m bench.empty_route``: the same uvicorn, loop and HTTP parser as ``flora-api``, and no middleware.
"""

from __future__ import annotations

import asyncio
import socket

import uvicorn
import uvloop
from fastapi import FastAPI

from flora_core.process import announce, outlive_no_parent
from flora_core.throughput import freeze_startup_objects

app = FastAPI()


@app.get("/empty")
async def empty() -> dict[str, str]:
    return {}


async def serve() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    config = uvicorn.Config(
        app, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False
    )
    parent = asyncio.create_task(outlive_no_parent())
    freeze_startup_objects()
    announce("empty", f"http://127.0.0.1:{listener.getsockname()[1]}")
    await uvicorn.Server(config).serve(sockets=[listener])
    parent.cancel()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
