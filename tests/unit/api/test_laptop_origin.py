"""Where there is no cluster: whose revision a saved folder is, and who owns the guilds."""

from __future__ import annotations

from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from flora_api.auth.standing import Standings
from flora_api.deployments.revisions import Source
from flora_api.deployments.settling import observed_revision
from flora_api.deployments.store import STARTER, from_document, manifest
from flora_core.ids import GuildId
from flora_core.manifest import DEV_MANAGER
from flora_core.streams import Token
from flora_core.wire.standing import Standing
from tests.integration.loopback import listening

GUILD = GuildId("100000000000000001")
SOURCE = {"entrypoint": "main.ts", "files": {"main.ts": "1"}}


@pytest.mark.parametrize(
    ("manager", "source", "message"),
    [
        (DEV_MANAGER, Source.DEV, "saved in the watched folder"),
        ("kubectl-edit", Source.KUBECTL, "changed in the cluster by kubectl-edit"),
        ("", Source.KUBECTL, "changed in the cluster"),
    ],
)
def test_a_change_says_where_it_comes_from(manager: str, source: Source, message: str) -> None:
    document = manifest(GUILD, SOURCE, revision="")
    document["metadata"] |= {
        "uid": "u",
        "managedFields": [{"manager": manager, "fieldsV1": {"f:spec": {"f:source": {}}}}],
    }
    revision = observed_revision(*from_document(document))
    assert (revision.source, revision.message, revision.observed) == (source, message, True)
    assert revision.files == SOURCE["files"]


def test_a_starter_is_one_whoever_made_it() -> None:
    document: dict[str, Any] = manifest(GUILD, {"entrypoint": "main.ts"}, revision="")
    document["metadata"] |= {"uid": "u", "labels": {STARTER: "true"}}
    assert observed_revision(*from_document(document)).source is Source.BOOTSTRAP


async def test_owners_are_owners_where_the_bot_is_and_nobody_else_is() -> None:
    async def member(request: web.Request) -> web.Response:
        if request.match_info["guild"] != GUILD:
            raise web.HTTPNotFound
        return web.Response(body=msgspec.json.encode(Standing(GUILD, "g")))

    app = web.Application()
    app.router.add_get("/v1/guilds/{guild}/members/{user}", member)
    async with (
        listening(app) as url,
        aiohttp.ClientSession() as http,
        Standings(http, url=url, token=Token("t"), owners=["7"]) as standings,
    ):
        mine, theirs = await standings.of("7", GUILD), await standings.of("8", GUILD)
        elsewhere = await standings.of("7", GuildId("5"))
    assert mine is not None
    assert theirs is not None
    assert (mine.manages, mine.owner, theirs.manages, elsewhere) == (True, True, False, None)
