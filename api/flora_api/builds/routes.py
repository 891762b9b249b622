"""Builds over HTTP."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from flora_api.answers import of_a_guild, stream_of
from flora_api.builds.archive import ARCHIVE_LIMIT
from flora_api.builds.service import Builds, no_such_build
from flora_api.builds.table import Build
from flora_api.deployments.models import MAX_ENTRY, shown_time
from flora_api.deployments.progress import HEADERS
from flora_api.errors import TooLarge
from flora_api.principal import IsPrincipal, Right, guard_of, guild_in, with_one_of

EVENTS: Final = "text/event-stream"


class Submitted(BaseModel):
    build_id: str
    status: Literal["queued"] = "queued"


class Artifact(BaseModel):
    bundle: str
    source_map: str


class BuildShown(BaseModel):
    build_id: str
    guild_id: str
    entry: str
    status: Literal["queued", "running", "done", "failed"]
    logs: list[str]
    started_at: str | None = None
    finished_at: str | None = None
    artifact: Artifact | None = None
    error: str | None = None


_ANSWERS: Final = of_a_guild(400, 413)
_LOGS: Final = {**_ANSWERS, **stream_of("Events `log`, then `done`", "log", "done")}


def router(builds: Builds) -> APIRouter:
    """All routes under ``/builds``."""
    api = APIRouter(prefix="/builds", tags=["builds"])

    @api.post("", response_model=Submitted, responses=_ANSWERS)
    async def submit(
        request: Request,
        _somebody: IsPrincipal,
        guild_id: Annotated[str, Form()],
        entry: Annotated[str, Form(min_length=1, max_length=MAX_ENTRY)],
        project_zip: Annotated[UploadFile, File(description="The project's folder, node_modules included.")],
    ) -> Submitted:
        """Bundle a project that is sent whole; npm packages are taken from it, none is installed."""
        access = await guard_of(request).guild(request, guild_in(guild_id), Right.DEPLOY)
        archive = await project_zip.read(ARCHIVE_LIMIT + 1)
        if len(archive) > ARCHIVE_LIMIT:
            raise TooLarge(
                f"the archive may have {ARCHIVE_LIMIT >> 20} MiB; bundle on your side: flora deploy"
            )
        return Submitted(build_id=str(await builds.submit(access, entry, archive)))

    @api.get("/{build_id}", response_model=BuildShown, response_model_exclude_none=True, responses=_ANSWERS)
    async def get_build(request: Request, build_id: str, _somebody: IsPrincipal) -> BuildShown:
        """How it stands, and what it made."""
        found = await find(request, build_id)
        bundle = await builds.artifact(found) if found.status == "done" else None
        return BuildShown(
            build_id=str(found.id),
            guild_id=found.guild,
            entry=found.entry,
            status=found.status,  # pyright: ignore[reportArgumentType]
            logs=list(found.logs),
            started_at=shown_time(found.started) if found.started else None,
            finished_at=shown_time(found.finished) if found.finished else None,
            artifact=Artifact(bundle=bundle.code, source_map=bundle.source_map) if bundle else None,
            error=found.error or None,
        )

    @api.get("/{build_id}/logs", response_class=StreamingResponse, responses=_LOGS)
    async def get_logs(request: Request, build_id: str, _somebody: IsPrincipal) -> StreamingResponse:
        """Its log, from the first line, while it is built."""
        found = await find(request, build_id)
        return StreamingResponse(builds.logs(found.id), media_type=EVENTS, headers=HEADERS)

    async def find(request: Request, text: str) -> Build:
        try:
            found = await builds.get(UUID(text))
        except ValueError:
            raise no_such_build(text[:40]) from None
        await with_one_of(request, found.guild, Right.DEPLOY, Right.READ)
        return found

    return api
