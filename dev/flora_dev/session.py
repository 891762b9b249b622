"""``flora dev`` from start to end: components up, projects deployed and watched, the author heard.

Start: the local controller listens, then simulator, gateway and runtime pod come up in the order in which
they dial each other, while the projects are bundled beside. Stop: in the opposite order, each with a bound;
a component that dies by itself ends the session with its last words.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp
import msgspec

from flora_core.errors import FloraError
from flora_core.ids import GuildId
from flora_core.running import Running, register
from flora_core.telemetry import setup_logging
from flora_core.toolchain import Diagnostic, Toolchain
from flora_dev.api_side import Around, LocalApi
from flora_dev.asks import Ask, RunJob, ShowKv, read_kv, read_logs, run_job, the_guild
from flora_dev.control_app import LOCALHOST, ControlApp, Tokens
from flora_dev.controller import POD, Condition, LocalController
from flora_dev.deployments import Deployments
from flora_dev.pod_client import PodClient, PodRefused
from flora_dev.processes import Component
from flora_dev.sources import NOBODY, Source, Wanted, changes
from flora_dev.state import state_folder
from flora_dev.talk import Exchange, Said, speak
from flora_dev.view import View
from flora_simulator.client import SimulatorClient
from flora_simulator.world_spec import DEV_WORLD, WorldSpec, world_of

READY_SECONDS: Final = 30.0
COMMANDS_SECONDS: Final = 5.0
POLL_SECONDS: Final = 0.03


CLIENT_SECRET: Final = "simulated-client-secret"  # noqa: S105  it opens nothing


class NotReady(FloraError):
    """Something did not come up in time."""


@dataclass(slots=True, frozen=True)
class RealDiscord:
    """A Discord that is not simulated."""

    token: str
    api_url: str


@dataclass(slots=True)
class Options:
    """What ``flora dev`` was asked for."""

    source: Source
    real: RealDiscord | None = None
    says: list[Said | Ask] = field(default_factory=list[Said | Ask])
    """What to say and do before it ends; empty to go on until it is stopped."""
    guild: GuildId | None = None
    """Whose jobs and stores are meant, where there are several guilds."""
    timeout: float = 10.0
    workers: int = 1
    state_dir: Path | None = None
    log_level: str = "INFO"
    fetch_allow: str = ""
    """Address ranges that scripts may fetch from although they are not public."""
    api: bool = False
    """Whether there is an API beside the bot, once it is up and when it goes on."""
    log: bool = False
    """Whether this process writes its own log into the session's folder; standard output is the author's."""
    databases: Mapping[str, str] = field(default_factory=dict[str, str])
    """URLs of databases to be used instead of the API's own, by its variables."""

    @property
    def watch(self) -> bool:
        """Whether changed files are deployed again."""
        return not self.says


class DevSession:
    """``async with DevSession.start(…)``; then ``say``, ``watch`` or ``prompt``."""

    def __init__(
        self,
        options: Options,
        view: View,
        controller: LocalController,
        toolchain: Toolchain,
        folder: Path,
    ) -> None:
        self._options = options
        self._view = view
        self.controller: Final = controller
        self.deployments: Final = Deployments(controller, toolchain, folder / "deployments")
        self.deployments.on_undeployed = self._tell_undeployed
        self._folder = folder
        self._components: list[Component] = []
        self._known: dict[GuildId, str] = {}
        self._checking: asyncio.Task[None] | None = None
        self._unchecked: list[GuildId] = []
        self._changes: AsyncIterator[None] | None = None
        self._next_change: asyncio.Task[None] | None = None
        self._tokens = Tokens()
        self._control: ControlApp | None = None
        self._running: Running | None = None
        self._registered: Path | None = None
        self._login: dict[str, str] = {}
        self._pod: PodClient | None = None
        self.people: SimulatorClient | None = None
        """Speaks as the members of the simulated Discord; None in a real one."""
        self.last_message: str | None = None
        """Id of the newest message of the bot that was an answer."""

    # ---------------------------------------------------------------- life

    @classmethod
    @asynccontextmanager
    async def start(cls, options: Options, view: View) -> AsyncIterator[DevSession]:
        """A session that is up; raises NotReady or ComponentFailed."""
        started = time.monotonic()
        async with contextlib.AsyncExitStack() as stack:
            folder = stack.enter_context(state_folder(options.state_dir))
            if options.log:
                out = stack.enter_context((folder / "dev.log").open("w"))
                setup_logging("dev", level=options.log_level, style="json", stream=out)
            toolchain = await stack.enter_async_context(Toolchain())
            session = cls(options, view, LocalController(toolchain, view), toolchain, folder)
            stack.push_async_callback(session.deployments.close)
            view.source_line = session.controller.source_line
            stack.push_async_callback(session._stop_components)
            if options.watch:
                session._begin_watching()
                stack.callback(session._stop_watching)
            deploying = asyncio.create_task(session.deploy_all())
            stack.callback(deploying.cancel)
            await session._start_components(stack)
            await deploying
            await session._wait_until_ready()
            stack.push_async_callback(session._stop_checking)
            if options.watch:
                session._announce(stack)
            view.ready(time.monotonic() - started, guilds=len(session.controller.statuses))
            if options.watch and options.api:
                accompanying = asyncio.create_task(session._serve_api())
                stack.push_async_callback(_end, accompanying)
            yield session

    async def deploy_all(self) -> None:
        """Read the sources and deploy what they want; forget what they no longer have."""
        wanted = self._options.source.wanted()
        ids = {entry.guild for entry in wanted}
        for guild in [guild for guild in self._known if guild not in ids]:
            self.deployments.drop(guild)
            del self._known[guild]
        await asyncio.gather(*(self._deploy(entry) for entry in wanted))
        await self.deployments.go_on()
        self._unchecked = [entry.guild for entry in wanted if entry.read is not None]
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._check_all())

    async def finish_checks(self) -> None:
        """Wait for the type checker's verdict on what was last deployed."""
        if self._checking is not None:
            await self._checking

    async def watch(self) -> None:
        """Deploy again after every change since the start, until cancelled; raises ComponentFailed."""
        async with asyncio.TaskGroup() as tasks:
            for component in self._components:
                tasks.create_task(component.ended())
            while self._next_change is not None:
                await self._next_change
                self._next_change = self._ask_for_change()
                await self.deploy_all()

    # ---------------------------------------------------------------- talking

    async def say(self, said: Said, *, channel: str = "general") -> bool:
        """Say something and show what comes back; whether anything did."""
        exchange = await self.exchange(said, channel=channel, longest=self._options.timeout)
        return exchange.answered

    async def exchange(self, said: Said, *, channel: str, longest: float) -> Exchange:
        """The same, with what came back within ``longest`` seconds."""
        assert self.people is not None
        exchange = await speak(self.people, said, channel=channel, longest=longest)
        for action in exchange.answers:
            if action.message is not None:
                self.last_message = str(action.message.get("id") or "") or None
        self._view.exchange(exchange, timeout=longest)
        return exchange

    async def do(self, ask: Said | Ask) -> bool:
        """Say or do something and show what comes of it; whether it worked."""
        if isinstance(ask, Said):
            return await self.say(ask)
        assert self._pod is not None
        try:
            return await self._do(ask, self._pod)
        except PodRefused as refused:
            self._view.refused(str(ask), str(refused))
            return False

    async def _do(self, ask: Ask, pod: PodClient) -> bool:
        guild = the_guild(self.controller.statuses, self._options.guild)
        if isinstance(ask, RunJob):
            run = await run_job(pod, guild, ask.name, people=self.people, book=self.controller.book)
            self._view.job(run)
            return run.worked
        if isinstance(ask, ShowKv):
            self._view.kv(await read_kv(pod, guild, ask))
        else:
            self._view.logs(read_logs(self.controller.book, guild, ask))
        return True

    @property
    def any_ready(self) -> bool:
        """Whether at least one guild runs what was last deployed."""
        return any(status.ready for status in self.controller.statuses)

    # ---------------------------------------------------------------- inside

    async def _deploy(self, entry: Wanted) -> None:
        self._known[entry.guild] = entry.name
        if entry.problem:
            self.deployments.refuse(entry.guild, entry.name, entry.problem)
        elif entry.read is None:
            self.deployments.suspend(entry.guild, entry.name)
        else:
            if entry.secrets.notes:
                notes = [Diagnostic(note, severity="warning") for note in entry.secrets.notes]
                self._view.on_diagnostics(entry.guild, notes)
            self.controller.know_secrets(entry.guild, entry.secrets.known)
            await self.deployments.save(entry)

    def _begin_watching(self) -> None:
        """From now on no change is missed, though the first deploy is still to come."""
        self._changes = changes(self._options.source.folder)
        self._next_change = self._ask_for_change()

    def _ask_for_change(self) -> asyncio.Task[None]:
        assert self._changes is not None
        return asyncio.ensure_future(anext(self._changes))

    def _stop_watching(self) -> None:
        if self._next_change is not None:
            self._next_change.cancel()

    async def _check_all(self) -> None:
        """One after the other, until none is left; what is deployed meanwhile comes instead of the rest."""
        while self._unchecked:
            await self.controller.check(self._unchecked.pop(0))

    async def _stop_checking(self) -> None:
        if self._checking is not None:
            await _end(self._checking)

    async def _start_components(self, stack: contextlib.AsyncExitStack) -> None:
        tokens = self._tokens
        self._control = control = await ControlApp.start(stack, self.controller, self.deployments, tokens)
        real = self._options.real or await self._simulate(stack)
        control.saying.speaker = self if self.people is not None else None
        common = {"LOG_LEVEL": self._options.log_level, "LOG_FORMAT": "json", "HOST": LOCALHOST, "PORT": "0"}
        gateway = await self._start(
            "gateway",
            {
                **{f"GATEWAY_{name}": value for name, value in common.items()},
                "DISCORD_TOKEN": real.token,
                "DISCORD_API_URL": real.api_url,
                "GATEWAY_CONTROL_URL": control.url,
                "GATEWAY_TOKEN": tokens.gateway,
                "GATEWAY_ACCEPT_TOKENS": f"{tokens.runtime}=runtime/{POD},{tokens.api}=api",
                "GATEWAY_STATE_DIR": str(self._folder / "gateway"),
            },
        )
        runtime = await self._start(
            "runtime",
            {
                **{f"RUNTIME_{name}": value for name, value in common.items()},
                "RUNTIME_POD_NAME": POD,
                "RUNTIME_GATEWAY_URL": gateway.url,
                "RUNTIME_CONTROL_URL": control.url,
                "RUNTIME_LOGS_URL": control.url,
                "RUNTIME_TOKEN": tokens.runtime,
                "RUNTIME_ACCEPT_TOKENS": f"{tokens.api}=api",
                "RUNTIME_DATA_DIR": str(self._folder / "runtime"),
                "RUNTIME_MAX_WORKERS": str(self._options.workers),
                "RUNTIME_RETIRE_SECS": "0",  # there is no other pod that could have its guilds
                "RUNTIME_FETCH_ALLOW": self._options.fetch_allow,
            },
        )
        session = await stack.enter_async_context(aiohttp.ClientSession())
        self._pod = PodClient(session, runtime.url, tokens.api)

    def _announce(self, stack: contextlib.AsyncExitStack) -> None:
        """Let other commands find this session until ``stack`` is left."""
        folder = str(self._options.source.folder.resolve())
        why = "" if self._options.api else "it was started with --no-api"
        assert self._control is not None
        running = Running(
            os.getpid(), folder, no_api=why, control=self._control.url, control_token=self._tokens.api
        )
        self._register(running)
        stack.callback(self._unregister)

    def _register(self, running: Running) -> None:
        self._running = running
        try:
            self._registered = register(running)
        except OSError as error:
            self._view.say(f"other commands of flora will not find this: {error}", style="yellow")

    def _unregister(self) -> None:
        if self._registered is not None:
            self._registered.unlink(missing_ok=True)

    async def _serve_api(self) -> None:
        """Have an API until cancelled; what is in its way is told once, and the bot goes on without."""
        assert self._control is not None
        assert self._running is not None
        self._view.say("the API starts …")
        urls = {component.name: component.url for component in self._components}
        around = Around(
            folder=self._folder,
            kept=self._options.state_dir is not None,
            control_url=self._control.url,
            gateway_url=urls["gateway"],
            runtime_url=urls["runtime"],
            tokens=self._tokens,
            guilds=[status.guild for status in self.controller.statuses if status.guild != NOBODY],
            discord=self._login,
            databases=self._options.databases,
            log_level=self._options.log_level,
        )
        api: LocalApi | None = None
        try:
            started = time.monotonic()
            api = await LocalApi.start(around)
            self._register(msgspec.structs.replace(self._running, api=api.url, api_token=api.token))
            self._view.api(api.url, seconds=time.monotonic() - started)
            await api.accompany(self.controller, around)
        except* (FloraError, OSError) as group:
            why = str(group.exceptions[0])
            gone = msgspec.structs.replace(self._running, api="", api_token="", no_api=why)
            self._register(gone)
            self._view.no_api(why)
        finally:
            if api is not None:
                await api.stop()

    def _tell_undeployed(self, name: str) -> None:
        self._view.say(f"○ {name} is undeployed; saving something new in it deploys it again", style="yellow")

    async def _start(self, name: str, environment: dict[str, str]) -> Component:
        component = await Component.start(name, environment, logs=self._folder)
        self._components.append(component)
        return component

    async def _simulate(self, stack: contextlib.AsyncExitStack) -> RealDiscord:
        """A simulated Discord with a guild for everything that wants one."""
        wanted = [entry.guild for entry in self._options.source.wanted() if entry.guild != NOBODY]
        world = _world(list(dict.fromkeys([*wanted, *self.deployments.guilds])))
        shutil.rmtree(self._folder / "gateway", ignore_errors=True)  # its sessions were another Discord's
        path = self._folder / "world.json"
        path.write_bytes(msgspec.json.encode(world))
        simulator = await self._start(
            "simulator",
            {
                "SIMULATOR_PORT": "0",
                "SIMULATOR_WORLD": str(path),
                "SIMULATOR_HOST": LOCALHOST,
                "SIMULATOR_CLIENT_SECRET": CLIENT_SECRET,
            },
        )
        self.people = await stack.enter_async_context(SimulatorClient(simulator.url))
        self._login = {
            "API_DISCORD_URL": simulator.url,
            "API_DISCORD_CLIENT_ID": world.bot.id,
            "API_DISCORD_CLIENT_SECRET": CLIENT_SECRET,
        }
        return RealDiscord(world.token, f"{simulator.url}/api/v10")

    async def _wait_until_ready(self) -> None:
        """Components ready, and every guild's first deploy decided one way or the other.

        Raises ComponentFailed at once when one ends instead.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                watching = [tasks.create_task(component.ended()) for component in self._components]
                await self._all_ready()
                for task in watching:
                    task.cancel()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None

    async def _all_ready(self) -> None:
        async with aiohttp.ClientSession() as session:
            for component in self._components:
                if component.name != "simulator":
                    await _until(lambda url=component.url: _is_ready(session, url), component.name)
        undecided = (Condition.BUNDLING, Condition.LOADING)

        async def decided() -> bool:
            return all(status.reason not in undecided for status in self.controller.statuses)

        await _until(decided, "the script")
        if self.people is not None:
            await self._wait_for_commands(self.people)

    async def _wait_for_commands(self, people: SimulatorClient) -> None:
        """Slash commands are pushed after a load; wait until Discord has them, so that they can be run."""
        deadline = time.monotonic() + COMMANDS_SECONDS
        for status in self.controller.statuses:
            count = status.loaded.commands if status.loaded else 0
            while count and len(await people.commands(guild=status.guild)) < count:
                if time.monotonic() > deadline:
                    return
                await asyncio.sleep(POLL_SECONDS)

    async def _stop_components(self) -> None:
        for component in reversed(self._components):
            await component.stop()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _world(guilds: list[GuildId]) -> WorldSpec:
    """One guild, #general and "you" for each; the simulator's own default world for its one guild."""
    return DEV_WORLD if guilds == [DEV_WORLD.guilds[0].id] else world_of(guilds)


async def _until(check: Callable[[], Awaitable[bool]], what: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not await check():
        if time.monotonic() > deadline:
            raise NotReady(f"{what} was not ready within {READY_SECONDS:g} s")
        await asyncio.sleep(POLL_SECONDS)


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/readyz") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False
