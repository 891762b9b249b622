"""Deployments over HTTP; docs/api.md says what each route is for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Protocol
from uuid import UUID

import msgspec
from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response, StreamingResponse

from flora_api.answers import refusals, stream_of
from flora_api.deployments import models
from flora_api.deployments.diff import diff_files
from flora_api.deployments.progress import HEADERS
from flora_api.deployments.reads import nothing_deployed
from flora_api.deployments.request import as_details, check_message, wanted
from flora_api.deployments.revisions import Revision, Source
from flora_api.deployments.service import Deployments, Order, no_such_revision
from flora_api.deployments.store import Deployment
from flora_api.errors import BadRequest, NotFound
from flora_api.principal import GuildAccess, IsPrincipal, MayDeploy, MayFollow, MayRead, guard_of
from flora_core.ids import GuildId, Sha256

WITH_BUNDLES: Final = 5
"""Revisions of one answer that has their bundles; each may have 24 MiB."""

EVENTS: Final = "text/event-stream"


class BuildOf(Protocol):
    """What ``builds`` knows of a build: its sources and its bundle. Raises ApiError."""

    async def finished(self, guild: GuildId, build_id: str) -> tuple[str, dict[str, str] | None, Sha256]: ...


_STREAM: Final = stream_of(
    "The revision; with `wait`, events `progress`, then `ready` or `failed`", "progress", "ready", "failed"
)

Wait = Annotated[bool, Query(description="Answer with the stream of progress.")]
Force = Annotated[bool, Query(description="Take the script over from whoever manages it in the cluster.")]
DeploySource = Annotated[
    str | None, Header(alias="X-Flora-Deploy-Source", description="cli, webui, api, bootstrap or unknown.")
]
RevisionId = Annotated[str, "A revision's id"]


def router(deployments: Deployments, builds: BuildOf | None = None) -> APIRouter:
    """All routes under ``/deployments``; without ``builds`` no deploy may name one."""
    api = APIRouter(prefix="/deployments", tags=["deployments"])
    history = deployments.history

    async def answer(revision: Revision, access: GuildAccess, *, wait: bool) -> Response:
        if wait:
            events = await deployments.progress(access.guild, revision.id)
            return StreamingResponse(events, media_type=EVENTS, headers=HEADERS)
        at = models.shown_time(revision.created)
        return _json(
            models.Deployed(
                guild_id=access.guild,
                revision_id=str(revision.id),
                entry=revision.entry,
                created_at=at,
                updated_at=at,
            )
        )

    @api.get("", response_model=list[models.Listed], responses=refusals(401, 403, 503))
    async def list_deployments(request: Request, _somebody: IsPrincipal) -> Response:
        """The deployments that you may see."""
        deployments.check_synced()
        guilds = await guard_of(request).guilds(request, deployments.observed.guilds())
        good = await history.last_good_of(guilds)
        rows: list[dict[str, Any]] = []
        for guild in guilds:
            found = deployments.observed.get(guild)
            if found is not None and not found.leaving:
                rows.append(_row(found, good.get(guild)))
        return Response(msgspec.json.encode(rows), media_type="application/json")

    @api.get(
        "/{guild_id}",
        response_model=models.DeploymentShown,
        response_model_exclude_none=True,
        responses=refusals(401, 403, 404),
    )
    async def get_deployment(access: MayRead, *, include_bundle: bool = False) -> Response:
        """The last successful revision, with its sources."""
        if not include_bundle:
            return _sent(await deployments.reads.deployment(access.guild))
        revision = await history.last_good(access.guild)
        if revision is None or not deployments.observed.is_deployed(access.guild):
            raise nothing_deployed(access.guild)
        shown = await _whole(deployments, revision, bundle=True)
        created = models.shown_time(revision.created)
        return _json(
            models.DeploymentShown(
                guild_id=access.guild,
                entry=revision.entry,
                revision_id=str(revision.id),
                created_at=deployments.observed.created(access.guild) or created,
                updated_at=created,
                files=shown.files,
                source_map=shown.source_map,
                bundle=shown.bundle,
            )
        )

    @api.get("/{guild_id}/status", response_model=models.StatusShown, responses=refusals(401, 403, 404, 503))
    async def get_status(access: MayRead) -> models.StatusShown:
        """What the operator and the pod say of it."""
        deployments.check_synced()
        found = deployments.observed.get(access.guild)
        if found is None:
            raise nothing_deployed(access.guild)
        return _status(found, await history.last_applied(access.guild))

    @api.post(
        "/{guild_id}",
        response_model=models.Deployed | models.DryRun,
        responses={**refusals(401, 403, 400, 404, 409, 413, 503), **_STREAM},
    )
    async def deploy(
        access: MayDeploy,
        body: models.DeployRequest,
        *,
        wait: Wait = False,
        dry_run: bool = False,
        force: Force = False,
        deploy_source: DeploySource = None,
    ) -> Response:
        """Deploy files, a bundle, or a build."""
        if wait:
            deployments.check_watchers()  # before anything is begun
        order = Order(
            source=_source(deploy_source),
            message=check_message(body.message),
            expected=body.expected_revision,
            force=force,
        )
        if body.build_id is not None:
            entry, files, bundle = await built(access.guild, body)
            if dry_run:
                return _json(models.DryRun(ok=True, warnings=[], bytes=await deployments.size_of(bundle)))
            revision = await deployments.deploy_built(access, entry, files, bundle, order, wait=wait)
            return await answer(revision, access, wait=wait)
        asked = wanted(
            entry=body.entry,
            files=None if body.files is None else [(file.path, file.contents) for file in body.files],
            bundle=body.bundle,
            source_map=body.source_map.contents if body.source_map is not None else None,
        )
        if dry_run:
            checked = await deployments.check(asked)
            return _json(models.DryRun(ok=True, warnings=as_details(checked.warnings), bytes=checked.bytes))
        revision = await deployments.deploy(access, asked, order, wait=wait)
        return await answer(revision, access, wait=wait)

    @api.delete("/{guild_id}", status_code=204, response_model=None, responses=refusals(401, 403, 404, 503))
    async def undeploy(access: MayDeploy) -> Response:
        """Have nothing run; what the script stored is kept for the retention time, the history stays."""
        await deployments.undeploy(access)
        return Response(status_code=204)

    @api.get(
        "/{guild_id}/history",
        response_model=models.HistoryPage,
        response_model_exclude_none=True,
        responses=refusals(401, 403, 400, 404),
    )
    async def get_history(
        access: MayRead,
        *,
        limit: Annotated[int, Query(ge=1, le=100)] = 25,
        cursor: Annotated[str, Query(max_length=100)] = "",
        include_bundle: bool = False,
    ) -> Response:
        """Revisions, newest first; with their sources and bundles five at a time."""
        after = _cursor(cursor)
        if not include_bundle:
            return _sent(await deployments.reads.page(access.guild, limit=limit, after=after))
        count = min(limit, WITH_BUNDLES)
        found = await history.page(access.guild, limit=count + 1, after=after)
        rows = [await _whole(deployments, revision, bundle=True) for revision in found[:count]]
        more = f"{rows[-1].deployed_at}_{rows[-1].id}" if len(found) > count else None
        return _json(models.HistoryPage(revisions=rows, cursor=more))

    @api.get(
        "/{guild_id}/revisions/{revision_id}",
        response_model=models.RevisionShown,
        response_model_exclude_none=True,
        responses=refusals(401, 403, 400, 404),
    )
    async def get_revision(
        access: MayRead, revision_id: RevisionId, *, include_bundle: bool = False
    ) -> models.RevisionShown:
        """A revision with its sources."""
        return await _whole(deployments, await find(access.guild, revision_id), bundle=include_bundle)

    @api.get(
        "/{guild_id}/revisions/{revision_id}/progress",
        response_class=StreamingResponse,
        responses={**refusals(401, 403, 400, 404, 429), **_STREAM},
    )
    async def get_progress(access: MayFollow, revision_id: RevisionId) -> StreamingResponse:
        """How that deploy goes, or how it ended."""
        events = await deployments.progress(access.guild, _revision_id(revision_id))
        return StreamingResponse(events, media_type=EVENTS, headers=HEADERS)

    @api.get("/{guild_id}/diff", response_model=models.Diff, responses=refusals(401, 403, 400, 404))
    async def get_diff(
        access: MayRead,
        from_: Annotated[str, Query(alias="from", max_length=40)] = "",
        to: Annotated[str, Query(max_length=40)] = "",
    ) -> models.Diff:
        """What changed from one revision to another: by default in the newest."""
        newest = await (find(access.guild, to) if to else newest_of(access.guild))
        if from_:
            before: Revision | None = await find(access.guild, from_)
        else:
            earlier = await history.page(access.guild, limit=1, after=(newest.created, newest.id))
            before = earlier[0] if earlier else None
        return await compare(before, newest)

    async def roll_back(
        access: GuildAccess,
        target: UUID | None,
        body: models.RollbackRequest | None,
        source: str | None,
        *,
        wait: bool,
        force: bool,
    ) -> Response:
        if wait:
            deployments.check_watchers()
        order = Order(
            source=_source(source), message=check_message(body.message if body else ""), force=force
        )
        revision = await deployments.roll_back(access, target, order, wait=wait)
        return await answer(revision, access, wait=wait)

    @api.post(
        "/{guild_id}/rollback/{revision_id}",
        response_model=models.Deployed,
        responses={**refusals(401, 403, 400, 404, 409, 503), **_STREAM},
    )
    async def roll_back_to(
        access: MayDeploy,
        revision_id: RevisionId,
        body: models.RollbackRequest | None = None,
        *,
        wait: Wait = False,
        force: Force = False,
        deploy_source: DeploySource = None,
    ) -> Response:
        """Deploy that revision again. What the script stored, and secrets, stay as they are."""
        target = _revision_id(revision_id)
        return await roll_back(access, target, body, deploy_source, wait=wait, force=force)

    @api.post(
        "/{guild_id}/rollback",
        response_model=models.Deployed,
        responses={**refusals(401, 403, 400, 404, 409, 503), **_STREAM},
    )
    async def roll_back_one(
        access: MayDeploy,
        body: models.RollbackRequest | None = None,
        *,
        wait: Wait = False,
        force: Force = False,
        deploy_source: DeploySource = None,
    ) -> Response:
        """Deploy the last good revision before what is deployed."""
        return await roll_back(access, None, body, deploy_source, wait=wait, force=force)

    async def find(guild: GuildId, text: str) -> Revision:
        revision = await history.get(guild, _revision_id(text))
        if revision is None:
            raise no_such_revision(text)
        return revision

    async def newest_of(guild: GuildId) -> Revision:
        found = await history.page(guild, limit=1)
        if not found:
            raise nothing_deployed(guild)
        return found[0]

    async def built(guild: GuildId, body: models.DeployRequest) -> tuple[str, dict[str, str] | None, Sha256]:
        """Entrypoint, sources and bundle of the build that ``body`` names."""
        if body.bundle is not None or body.files is not None:
            raise BadRequest("a build has its files and its bundle; leave yours out", code="INVALID_REQUEST")
        if builds is None:
            raise NotFound("there are no builds here", code="BUILD_NOT_FOUND")
        assert body.build_id is not None
        found = await builds.finished(guild, body.build_id)
        if found[0] != body.entry:
            raise BadRequest(
                f"that build's entry is {found[0]}, not {body.entry[:80]}", code="INVALID_REQUEST"
            )
        return found

    async def compare(before: Revision | None, after: Revision) -> models.Diff:
        old = await history.files(before.id) if before is not None else None
        new = await history.files(after.id)
        changed = await run_in_threadpool(diff_files, old or {}, new or {})
        files = [models.FileChange(path=each.path, change=each.change, diff=each.diff) for each in changed]
        ends = {"from": str(before.id) if before is not None else None, "to": str(after.id)}
        return models.Diff.model_validate({**ends, "files": files})

    return api


def _json(model: Any) -> Response:
    return Response(model.model_dump_json(exclude_none=True), media_type="application/json")


def _sent(body: bytes) -> Response:
    return Response(body, media_type="application/json")


def _source(given: str | None) -> Source:
    if given is None:
        return Source.UNKNOWN
    if given not in set(Source) - {Source.KUBECTL, Source.DEV}:
        raise BadRequest(
            "X-Flora-Deploy-Source: should be cli, webui, api, bootstrap or unknown", code="INVALID_REQUEST"
        )
    return Source(given)


def _revision_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise BadRequest(
            f"{text[:40]!r} is no revision's id; flora history lists them", code="INVALID_REVISION_ID"
        ) from None


def _cursor(text: str) -> tuple[datetime, UUID] | None:
    if not text:
        return None
    at, _, revision = text.partition("_")
    try:
        return datetime.fromisoformat(at).astimezone(UTC), UUID(revision)
    except (ValueError, OverflowError):
        raise BadRequest("cursor: give it as the page before has it", code="INVALID_CURSOR") from None


def _row(found: Deployment, good: tuple[UUID, datetime] | None) -> dict[str, Any]:
    """One of the list; ``good`` is its last good revision."""
    ready = found.status.condition("Ready", found.generation)
    updated = models.shown_time(good[1]) if good is not None else found.created
    return {
        "guild_id": found.guild,
        "entry": found.entry,
        "revision_id": str(good[0]) if good is not None else None,
        "created_at": found.created or updated,
        "updated_at": updated,
        "ready": found.ready,
        "reason": ready.reason if ready is not None else "Pending",
    }


def _status(found: Deployment, revision: Revision | None) -> models.StatusShown:
    status = found.status
    ready = status.condition("Ready", found.generation)
    error = status.last_error
    return models.StatusShown(
        guild_id=found.guild,
        ready=found.ready,
        reason="Undeploying" if found.leaving else ready.reason if ready is not None else "Pending",
        message=ready.message if ready is not None else "the operator has not looked at it yet",
        revision_id=str(revision.id) if revision is not None else None,
        pod=status.assignment.pod,
        generation=found.generation,
        observed_generation=status.observed_generation,
        conditions=[
            models.ConditionShown(
                type=each.type,
                status=each.status,
                reason=each.reason,
                message=each.message,
                last_transition_time=each.last_transition_time,
            )
            for each in status.conditions
        ],
        loaded_at=status.loaded_at or None,
        subscribed_events=list(status.subscribed_events),
        cron_jobs=status.cron_jobs,
        last_error=None
        if error is None or not error.message
        else models.ErrorShown(message=error.message, stack=error.stack, at=error.at),
    )


async def _whole(deployments: Deployments, revision: Revision, *, bundle: bool) -> models.RevisionShown:
    """With its sources, and when asked for with what they became."""
    files = models.shown_files(await deployments.history.files(revision.id))
    update: dict[str, Any] = {"files": files}
    if bundle and (found := await deployments.bundle_of(revision)) is not None:
        update["bundle"] = found.code
        if found.source_map:
            update["source_map"] = models.SourceMap(path=f"{found.entrypoint}.map", contents=found.source_map)
    return models.shown_revision(revision).model_copy(update=update)
