"""The API beside a session: started once the bot runs, given its logs, asked for secrets.

It is a child with a Postgres and a Redis of its own (``flora_dev.local_api``), and nothing waits for it: what
it lacks to start is told, and everything but its commands goes on. Logs go to it from here, because they are
shown here too; secrets that it has come from here to the pod, with those of the folder.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flora_core.streams import Token, make_session
from flora_dev.control_app import LOCALHOST, Tokens
from flora_dev.controller import POD, LocalController
from flora_dev.processes import Component

START_SECONDS: Final = 120.0
"""The first start makes a database."""


@dataclass(frozen=True, slots=True)
class Around:
    """What an API is started for."""

    folder: Path
    """For its databases, and its log beside them."""
    kept: bool
    """Whether the folder is there again next time."""
    control_url: str
    gateway_url: str
    runtime_url: str
    tokens: Tokens
    guilds: list[str]
    discord: Mapping[str, str]
    """How people log in: settings of the API; empty where that is not set up."""
    databases: Mapping[str, str]
    """URLs of databases that are there already, by the API's variables."""
    log_level: str = "INFO"


class LocalApi:
    """A running one."""

    def __init__(self, component: Component, token: str) -> None:
        self._component = component
        self.url = component.url
        self.token = token
        """The developer's."""

    def __repr__(self) -> str:
        return f"LocalApi({self.url!r})"

    @classmethod
    async def start(cls, around: Around) -> LocalApi:
        """Raises ComponentFailed."""
        component = await Component.start(
            "api", environment(around), logs=around.folder, seconds=START_SECONDS
        )
        try:
            token = await asyncio.to_thread((around.folder / "api" / "token").read_text)
        except BaseException:
            await component.stop()
            raise
        return cls(component, token)

    async def accompany(self, controller: LocalController, around: Around) -> None:
        """Pass logs and secrets on for as long as it runs; raises ComponentFailed when it ends."""
        # Here, because it takes a moment, and the bot was there before.
        from flora_runtime.supervisor.logs import Logs  # noqa: PLC0415
        from flora_runtime.supervisor.secret_link import SecretLink  # noqa: PLC0415

        token = Token(around.tokens.runtime)
        logs = Logs(self._component.internal, POD, token=token)
        secrets = SecretLink(
            self._component.internal, POD, around.folder / "api", token=token, sink=controller
        )
        controller.book.pass_on(logs.pass_on)
        async with make_session() as session, asyncio.TaskGroup() as tasks:
            tasks.create_task(logs.run(session))
            tasks.create_task(secrets.run(session))
            tasks.create_task(self._component.ended())

    async def stop(self) -> None:
        """End it, and its databases with it."""
        await self._component.stop()


def environment(around: Around) -> dict[str, str]:
    """What the API is told. Pure."""
    return {
        "API_HOST": LOCALHOST,
        "API_PORT": "0",
        "API_INTERNAL_PORT": "0",
        "API_CONTROL_URL": around.control_url,
        "API_GATEWAY_URL": around.gateway_url,
        "API_RUNTIME_URL": around.runtime_url,
        "API_TOKEN": around.tokens.api,
        "API_ACCEPT_TOKENS": f"{around.tokens.runtime}=runtime/{POD}",
        "API_DRAIN_SECONDS": "0",
        "API_STOP_SECONDS": "2",
        "API_LOG_LEVEL": around.log_level,
        "API_LOG_FORMAT": "json",
        "LOCAL_FOLDER": str(around.folder.resolve() / "api"),
        "LOCAL_KEPT": str(around.kept).lower(),
        "LOCAL_GUILDS": ",".join(around.guilds),
        **around.discord,
        **around.databases,
    }
