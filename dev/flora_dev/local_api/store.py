"""The API's port to GuildDeployments (``flora_api.deployments.store``) where ``flora dev`` has them.

It has them, because what runs must not wait for the API: it is there first, and stays when the API ends.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final

import aiohttp
import msgspec

from flora_api.deployments.store import (
    Change,
    Complete,
    Deployment,
    Gone,
    Put,
    Rejected,
    StoreGone,
    from_document,
)
from flora_api.parts import Common
from flora_core.database import Bundles
from flora_core.errors import BundleTooLarge, DatabaseError, InvalidBundle, WireError
from flora_core.ids import GuildId
from flora_core.manifest import DEV_MANAGER
from flora_core.streams import BROKEN, Backoff, Token, make_session, read_stream
from flora_core.telemetry import logger
from flora_core.toolchain import Bundle
from flora_dev.deployment_wire import PATH, All, Deleted, Is, Was, Wish, news

CALL_SECONDS: Final = 10.0

_log = logger(__name__)


class DevDeployments:
    """Use ``in_flora_dev``."""

    def __init__(self, session: aiohttp.ClientSession, url: str, *, token: Token, bundles: Bundles) -> None:
        self._session = session
        self._url = f"{url}{PATH}"
        self._token = token
        self._bundles = bundles

    async def apply(
        self, guild: GuildId, source: Mapping[str, Any], *, revision: str, force: bool = False
    ) -> Deployment:
        """See DeploymentStore. Whoever watches a folder gives way, so that ``force`` is of no use."""
        del force
        reference = source.get("bundleRef")
        try:
            bundle = await self._bundles.get(reference["sha256"]) if reference else None
        except DatabaseError as error:
            raise StoreGone(f"the bundle cannot be read: {error}") from None
        if reference and bundle is None:
            raise Rejected("its bundle is not kept any more; deploy its sources again")
        wish = msgspec.json.encode(Wish(dict(source), revision, bundle))
        answer = await self._ask("PUT", f"/{guild}", wish)
        return from_document(msgspec.json.decode(answer))[0]

    async def get(self, guild: GuildId) -> tuple[Deployment, dict[str, str] | None] | None:
        answer = await self._ask("GET", f"/{guild}", missing=b"null")
        document = msgspec.json.decode(answer)
        return from_document(document) if document is not None else None

    async def delete(self, guild: GuildId) -> bool:
        return msgspec.json.decode(await self._ask("DELETE", f"/{guild}"), type=Deleted).deleted

    async def watch(self) -> AsyncIterator[Change]:
        backoff = Backoff()
        while True:
            try:
                async with aclosing(self._news()) as changes:
                    async for change in changes:
                        backoff.reset()
                        yield change
            except (*BROKEN, DatabaseError) as error:
                _log.warning("deployments_not_followed", error=str(error) or type(error).__name__)
            await backoff.pause()

    # ---------------------------------------------------------------- inside

    async def _news(self) -> AsyncGenerator[Change]:
        """One stream of it; raises one of BROKEN, or DatabaseError."""
        stream = read_stream(self._session, self._url, token=self._token, on_error=_bad_frame)
        async with aclosing(stream) as batches:  # pyright: ignore[reportArgumentType]
            async for lines in batches:
                for line in lines:
                    change = await self._read(line)
                    if change is not None:
                        yield change

    async def _read(self, line: bytes) -> Change | None:
        try:
            frame = news.decode(line)
        except WireError as error:
            _bad_frame(error)
            return None
        match frame:
            case Is(document):
                found, _ = from_document(document)
                if found.bundle is not None and found.manager == DEV_MANAGER:
                    await self._keep_bundle(found)
                return Put(found)
            case Was(guild, uid):
                return Gone(GuildId(guild), uid)
            case All(guilds):
                return Complete(frozenset(map(GuildId, guilds)))
            case _:
                return None

    async def _keep_bundle(self, found: Deployment) -> None:
        """A folder with npm packages is bundled beside it: keep that, so that it can be rolled back to."""
        assert found.bundle is not None
        if await self._bundles.get(found.bundle) is not None:
            return
        data = await self._ask("GET", f"/{found.guild}/bundle", missing=b"")
        try:
            bundle = Bundle.from_bytes(data)
        except (InvalidBundle, BundleTooLarge) as error:  # another has taken its place meanwhile
            _log.info("bundle_not_kept", guild_id=found.guild, error=str(error))
            return
        await self._bundles.put(bundle)

    async def _ask(
        self, method: str, path: str, body: bytes | None = None, *, missing: bytes | None = None
    ) -> bytes:
        """The answer; ``missing`` stands for 404. Raises StoreError."""
        try:
            async with self._session.request(
                method,
                self._url + path,
                data=body,
                headers=self._token.headers(),
                timeout=aiohttp.ClientTimeout(total=CALL_SECONDS),
            ) as response:
                answer = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise StoreGone(f"flora dev does not answer ({type(error).__name__})") from None
        if response.status == 404 and missing is not None:
            return missing
        if response.status == 400:
            raise Rejected(answer.decode(errors="replace").strip()[:1000])
        if response.status != 200:
            raise StoreGone(f"flora dev answered {response.status}")
        return answer


@asynccontextmanager
async def in_flora_dev(common: Common) -> AsyncGenerator[DevDeployments]:
    """See ``flora_api.parts.OpenStore``."""
    async with make_session() as session:
        yield DevDeployments(
            session, common.settings.control_url, token=common.token, bundles=Bundles(common.database)
        )


def _bad_frame(error: WireError) -> None:
    _log.warning("bad_frame", stream="deployments", error=str(error))
