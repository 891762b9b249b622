"""The local controller: what the operator is in a cluster, for one runtime pod on this machine.

It bundles each guild's project, keeps the bundles, assigns the guilds to the pod and hears what became of
them. A project that does not bundle changes nothing that runs; neither does one that does not load.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from secrets import token_hex
from typing import Final, Protocol

import msgspec

from flora_core.control.state import DesiredState
from flora_core.errors import BundleFailed, FloraError, InvalidProject
from flora_core.ids import GuildId, PodName, Sha256
from flora_core.toolchain import Bundle, Diagnostic, Project, Toolchain
from flora_core.wire.control import (
    DEFAULT_LIMITS,
    SECRET_PREFIX,
    Assignment,
    Draining,
    Failed,
    GatewayNews,
    Guilds,
    Joined,
    Limits,
    Loaded,
    LogLine,
    PodReport,
    ScriptError,
    Secret,
)
from flora_dev.logbook import LogBook
from flora_dev.secrets import DevSecret

POD: Final = PodName("flora-runtime-0")


class Condition(StrEnum):
    """Why a guild is ready, or is not: reasons of the Ready condition."""

    BUNDLING = "Bundling"
    BUNDLE_FAILED = "BundleFailed"
    LOADING = "Loading"
    LOAD_FAILED = "LoadFailed"
    LOADED = "Loaded"
    QUARANTINED = "Quarantined"
    SUSPENDED = "Suspended"


@dataclass(slots=True)
class GuildStatus:
    """What is known of one guild's deployment."""

    guild: GuildId
    name: str
    reason: Condition = Condition.BUNDLING
    message: str = ""
    revision: int = 0
    since: float = field(default_factory=time.time)
    loaded: Loaded | None = None
    """What runs now."""
    error: ScriptError | None = None
    """Why what was last deployed does not."""

    @property
    def ready(self) -> bool:
        """Whether what was last deployed is what runs."""
        return self.reason is Condition.LOADED


class Audience(Protocol):
    """Hears of everything that happens to guilds."""

    def on_status(self, status: GuildStatus) -> None:
        """A guild's status changed."""
        ...

    def on_error(self, status: GuildStatus, error: ScriptError) -> None:
        """A deploy failed; ``status.loaded`` tells whether something runs on."""
        ...

    def on_diagnostics(self, guild: GuildId, diagnostics: Sequence[Diagnostic]) -> None:
        """What the bundler warns of, or the type checker finds; nothing of it stops a deploy."""
        ...

    def on_log(self, pod: PodName, line: LogLine) -> None: ...


StatusListener = Callable[[GuildStatus], None]


class LocalController:
    """Implements ``flora_core.control.server.Controller``, and takes secrets from the API."""

    def __init__(self, toolchain: Toolchain, audience: Audience) -> None:
        self.state: Final = DesiredState()
        self.book: Final = LogBook()
        self._toolchain = toolchain
        self._audience = audience
        self._bundles: dict[Sha256, bytes] = {}
        self._statuses: dict[GuildId, GuildStatus] = {}
        self._projects: dict[GuildId, Project] = {}
        self._placeholders: dict[tuple[GuildId, str], str] = {}
        self._own_secrets: dict[GuildId, list[Secret]] = {}
        self._api_secrets: dict[GuildId, list[Secret]] = {}
        self._listeners: list[StatusListener] = []
        self._members: set[str] | None = None
        """The guilds the bot is in, as soon as the gateway has told."""

    @property
    def statuses(self) -> list[GuildStatus]:
        """Every guild's status, by guild id."""
        return [self._statuses[guild] for guild in sorted(self._statuses, key=int)]

    def listen(self, listener: StatusListener) -> None:
        """Tell ``listener`` of each status too, before the audience hears of it."""
        self._listeners.append(listener)

    def source_line(self, guild: GuildId, file: str, line: int) -> str | None:
        """A line of what was last deployed, 1-based."""
        project = self._projects.get(guild)
        lines = project.files.get(file, "").splitlines() if project is not None else []
        return lines[line - 1] if 0 < line <= len(lines) else None

    async def deploy(
        self,
        guild: GuildId,
        name: str,
        script: Project | Bundle,
        *,
        limits: Limits = DEFAULT_LIMITS,
        hibernates: bool = True,
        sources: Project | None = None,
    ) -> None:
        """Bundle ``script``, unless it is, and assign it; what goes wrong is told to the audience.

        ``sources`` are what a bundle was made from, where they are known.
        """
        status = self._statuses.setdefault(guild, GuildStatus(guild, name))
        self._set(status, Condition.BUNDLING)
        self._projects.pop(guild, None)
        known = script if isinstance(script, Project) else sources
        if known is not None:
            self._projects[guild] = known
        bundle = script if isinstance(script, Bundle) else await self._bundled(status, script)
        if bundle is None:
            return
        sha256 = self._keep(bundle)
        before = self.state.assignment(guild)
        wanted = Assignment(guild, status.revision, sha256, limits, hibernates)
        if before == wanted and status.loaded and status.loaded.revision == status.revision:
            self._set(status, Condition.LOADED)
            return
        status.revision += 1
        self._set(status, Condition.LOADING)
        self.state.assign(POD, msgspec.structs.replace(wanted, revision=status.revision))
        self._warn_of_absence(guild)

    def know_secrets(self, guild: GuildId, secrets: Sequence[DevSecret]) -> None:
        """Hand the guild's secrets to its pod; a placeholder stays the same as long as this runs."""
        self._own_secrets[guild] = [
            Secret(secret.name, self._placeholder(guild, secret.name), secret.value, secret.allowed_hosts)
            for secret in secrets
        ]
        self._hand_out_secrets(guild)

    def know_api_secrets(self, guild: str, secrets: list[Secret]) -> None:
        """The same with those that were set through the API; where both have one of a name, the folder's
        counts, as that of Kubernetes does in a cluster."""
        self._api_secrets[GuildId(guild)] = secrets
        self._hand_out_secrets(GuildId(guild))

    def has_guild(self, guild: str) -> bool:
        """Whether it is served here."""
        return guild in self._statuses

    async def check(self, guild: GuildId) -> None:
        """Type check what was last deployed; errors in types do not keep a script from running."""
        project, status = self._projects.get(guild), self._statuses.get(guild)
        if project is None or status is None or status.reason is Condition.BUNDLE_FAILED:
            return
        try:
            diagnostics = await self._toolchain.check(project)
        except FloraError as error:
            diagnostics = [Diagnostic(f"the type checker failed: {error}", severity="warning")]
        if diagnostics and self._projects.get(guild) is project:
            self._audience.on_diagnostics(guild, diagnostics)

    def refuse(self, guild: GuildId, name: str, text: str) -> None:
        """The guild's document or folder cannot be used."""
        status = self._statuses.setdefault(guild, GuildStatus(guild, name))
        self._refuse(status, ScriptError(text))

    def suspend(self, guild: GuildId, name: str) -> None:
        """Run nothing for the guild, though it has a document."""
        status = self._statuses.setdefault(guild, GuildStatus(guild, name))
        status.loaded = None
        self.state.release(guild)
        self._set(status, Condition.SUSPENDED)

    def remove(self, guild: GuildId) -> None:
        """The guild's document is gone."""
        self.state.release(guild)
        self._own_secrets.pop(guild, None)
        self._api_secrets.pop(guild, None)
        self._hand_out_secrets(guild)
        self._statuses.pop(guild, None)
        self._projects.pop(guild, None)
        self.book.forget(guild)

    # ---------------------------------------------------------------- Controller

    async def bundle(self, sha256: Sha256) -> bytes | None:
        return self._bundles.get(sha256)

    def on_report(self, pod: PodName, report: PodReport) -> None:
        if isinstance(report, Draining):  # there is no other pod that could have its guilds
            self.state.retire(pod)
            return
        if not isinstance(report, Loaded | Failed):
            return  # no guild moves: there is one pod
        guild = GuildId(report.guild)
        status = self._statuses.get(guild)
        if status is None or report.revision != status.revision:
            return
        if status.reason is Condition.BUNDLING:  # it is of what is about to be replaced
            status.loaded = report if isinstance(report, Loaded) else status.loaded
        elif isinstance(report, Loaded):
            status.loaded = report
            self._set(status, Condition.LOADED)
        elif report.quarantined:  # its log says why
            status.error = report.error
            self._set(status, Condition.QUARANTINED, report.error.message)
        else:
            status.error = report.error
            self._set(status, Condition.LOAD_FAILED, report.error.message)
            self._tell_error(status, report.error)

    def on_gateway_report(self, report: GatewayNews) -> None:
        if isinstance(report, Guilds):
            self._members = set(report.guilds)
            for guild in self._statuses:
                self._warn_of_absence(guild)
        elif self._members is not None and isinstance(report, Joined):
            self._members.add(report.guild)
        elif self._members is not None:
            self._members.discard(report.guild)
            self._warn_of_absence(GuildId(report.guild))

    def on_log(self, pod: PodName, line: LogLine) -> None:
        self.book.add(line)
        self._audience.on_log(pod, line)

    # ---------------------------------------------------------------- inside

    def _warn_of_absence(self, guild: GuildId) -> None:
        """A script of a guild that the bot is not in loads, and never hears of anything."""
        if self._members is not None and guild in self._statuses and guild not in self._members:
            text = f"the bot is not in guild {guild}; invite it, or the script will see no event"
            self._audience.on_diagnostics(guild, [Diagnostic(text, severity="warning")])

    async def _bundled(self, status: GuildStatus, project: Project) -> Bundle | None:
        """None when that failed, and was told."""
        try:
            built = await self._toolchain.bundle(project)
        except (BundleFailed, InvalidProject) as error:
            self._refuse(status, ScriptError(str(error)))
            return None
        except FloraError as error:
            self._refuse(status, ScriptError(f"the bundler failed: {error}"))
            return None
        if built.warnings:
            self._audience.on_diagnostics(status.guild, built.warnings)
        return built.bundle

    def _hand_out_secrets(self, guild: GuildId) -> None:
        layers = (*self._api_secrets.get(guild, ()), *self._own_secrets.get(guild, ()))
        by_name = {secret.name: secret for secret in layers}
        self.state.know_secrets(guild, [by_name[name] for name in sorted(by_name)])

    def _placeholder(self, guild: GuildId, name: str) -> str:
        return self._placeholders.setdefault((guild, name), SECRET_PREFIX + token_hex(16))

    def _keep(self, bundle: Bundle) -> Sha256:
        self._bundles[bundle.sha256] = bundle.to_bytes()
        return bundle.sha256

    def _refuse(self, status: GuildStatus, error: ScriptError) -> None:
        status.error = error
        self._set(status, Condition.BUNDLE_FAILED, error.message)
        self._tell_error(status, error)

    def _tell_error(self, status: GuildStatus, error: ScriptError) -> None:
        text = f"not deployed: {error.message}"
        self.book.note(
            LogLine(
                status.guild,
                0,
                "error",
                text,
                source="runtime",
                stack=error.stack,
                revision=status.revision,
            )
        )
        self._audience.on_error(status, error)

    def _set(self, status: GuildStatus, reason: Condition, message: str = "") -> None:
        status.reason = reason
        status.message = message
        status.since = time.time()
        if status.ready:
            status.error = None
        for listener in self._listeners:
            listener(status)
        self._audience.on_status(status)
