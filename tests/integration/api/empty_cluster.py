"""An API server without GuildDeployments, as far as ``flora-api`` asks one when it starts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from cluster.kubeconfig import Access, write
from tests.integration.loopback import listening

PATH = "/apis/flora.uwu.network/v1alpha1/namespaces/{namespace}/guilddeployments"


async def _answer(request: web.Request) -> web.StreamResponse:
    if "watch" not in request.query:
        return web.json_response({"items": [], "metadata": {"resourceVersion": "1"}})
    response = web.StreamResponse()
    await response.prepare(request)
    await asyncio.Event().wait()  # nothing ever happens
    return response


@asynccontextmanager
async def empty_cluster(folder: Path) -> AsyncIterator[Path]:
    """Its kubeconfig, for as long as the block lasts."""
    app = web.Application()
    app.router.add_get(PATH, _answer)
    async with listening(app) as url:
        yield write(folder / "kubeconfig", Access(server=url, token="t"))
