"""What a token that is limited needs of the API to use ``flora`` as the pages say."""

from __future__ import annotations

import httpx

from flora_api.app import make_app
from flora_api.deployments import Deployments, router
from flora_api.principal import Right
from tests.integration.api.deployments.conftest import PATH, body, settled
from tests.integration.api.played_guard import GUILD, PlayedGuard


async def test_who_may_deploy_may_follow_it_and_read_nothing_else(
    deployments: Deployments, client: httpx.AsyncClient
) -> None:
    guard = PlayedGuard()
    headers = guard.let("ci", GUILD, Right.DEPLOY)
    transport = httpx.ASGITransport(make_app(guard, [router(deployments)]))
    async with httpx.AsyncClient(transport=transport, base_url="http://flora.test", headers=headers) as ci:
        answer = await ci.post(PATH, json=body())
        assert answer.status_code == 200
        revision = answer.json()["revision_id"]
        await settled(client, revision)
        told = await ci.get(f"{PATH}/revisions/{revision}/progress")
        assert (told.status_code, "event: ready" in told.text) == (200, True)
        for path in ("", "/status", "/history", f"/revisions/{revision}", "/diff"):
            assert (await ci.get(f"{PATH}{path}")).status_code == 403, path


async def test_who_may_read_follows_too_and_who_may_neither_does_not(
    deployments: Deployments, client: httpx.AsyncClient
) -> None:
    revision = (await client.post(PATH, json=body())).json()["revision_id"]
    await settled(client, revision)
    guard = PlayedGuard()
    may = {right: guard.let(right, GUILD, right) for right in Right}
    transport = httpx.ASGITransport(make_app(guard, [router(deployments)]))
    async with httpx.AsyncClient(transport=transport, base_url="http://flora.test") as anybody:
        path = f"{PATH}/revisions/{revision}/progress"
        statuses = {
            right: (await anybody.get(path, headers=headers)).status_code for right, headers in may.items()
        }
    assert statuses == {Right.READ: 200, Right.DEPLOY: 200, Right.KV: 403, Right.SECRETS: 403}
