"""A real worker process, driven as its supervisor drives it."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from flora_core.wire import pipe
from flora_core.wire.control import Limits
from flora_core.wire.pipe import (
    Configure,
    Deploy,
    FailedIn,
    Frame,
    Kind,
    LoadedIn,
    LogIn,
    Recycled,
    Turn,
)
from flora_runtime.supervisor.guild import _NUMBER
from flora_runtime.supervisor.process import Ended, WorkerProcess
from tests.waiting import until

PATIENCE = 10.0
S = msgspec.Struct


class WorkerUnderTest:
    """Frames that came, by kind; ``gone`` once the process is."""

    def __init__(self, **process: Any) -> None:
        self.frames: list[Frame] = []
        self.gone: tuple[Ended, str] | None = None
        self._slots: dict[str, int] = {}
        self._events = 0
        self.process = WorkerProcess(on_frame=self.frames.append, on_gone=self._on_gone, **process)

    def _on_gone(self, reason: Ended, detail: str) -> None:
        self.gone = (reason, detail)

    async def start(self, **configure: Any) -> None:
        await self.process.connect()
        self.send(Kind.CONFIGURE, Configure(index=0, **configure))
        await self.wait(lambda: self.of(Kind.READY))

    async def stop(self) -> None:
        self.process.kill(Ended.STOPPED, "the test is over")
        await self.process.reap()
        await asyncio.sleep(0)

    # ---------------------------------------------------------------- to the worker

    def send(self, kind: Kind, body: S, guild: str = "") -> None:
        self.process.send(kind, msgspec.json.encode(body), guild=guild)

    def slot(self, guild: str) -> int:
        return self._slots.setdefault(guild, len(self._slots))

    def start_deploy(
        self,
        code: str,
        *,
        guild: str = "1",
        revision: int = 1,
        limits: Limits | None = None,
        source_map: str = "",
    ) -> None:
        """``code`` runs inside the async function that the bundler makes."""
        bundle = f"(async () => {{\n{code}\n}})();\n//# sourceURL=bundle.js"
        deploy = Deploy(
            revision=revision,
            bundle=f"{revision:064x}",
            code=bundle,
            source_map=source_map,
            limits=limits or Limits(),
            seed="seed",
            slot=self.slot(guild),
        )
        self.send(Kind.DEPLOY, deploy, guild)

    async def deploy(self, code: str, *, guild: str = "1", revision: int = 1, **options: Any) -> LoadedIn:
        """Deploy and wait until it is live."""
        self.start_deploy(code, guild=guild, revision=revision, **options)
        return await self.wait_for(Kind.LOADED, LoadedIn, guild, lambda body: body.revision == revision)

    def event(self, content: str = "!ping", *, guild: str = "1", type_: str = "MESSAGE_CREATE") -> int:
        """Send one event; its number."""
        self._events += 1
        data = {
            "id": str(5_000 + self._events),
            "channel_id": "77",
            "guild_id": guild,
            "content": content,
            "author": {"id": "9", "username": "ann", "discriminator": "0"},
            "timestamp": "2026-01-01T00:00:00+00:00",
            "type": 0,
        }
        body = msgspec.json.encode({"t": type_, "d": data})
        self.process.send(Kind.EVENT, _NUMBER.pack(self._events) + body, guild=guild)
        return self._events

    def answer(self, op: int, value: Any = None, *, guild: str = "1", ok: bool = True) -> None:
        body = msgspec.json.encode([op, ok, value if value is not None else {"id": "1", "channel_id": "77"}])
        self.process.send(Kind.RESULT, body, guild=guild)

    # ---------------------------------------------------------------- from the worker

    def of(self, kind: Kind, guild: str | None = None) -> list[bytes]:
        return [f.body for f in self.frames if f.kind is kind and (guild is None or f.guild == guild)]

    def turns(self, guild: str = "1") -> list[Turn]:
        return [pipe.decode(body, Turn) for body in self.of(Kind.TURN, guild)]

    def ops(self, guild: str = "1") -> list[tuple[int, str, Any]]:
        """Every op so far: id, name, arguments."""
        calls = [call for turn in self.turns(guild) for call in turn.ops]
        return [(call.id, call.name, msgspec.json.decode(call.args)) for call in calls]

    def done(self, guild: str = "1") -> dict[int, str]:
        """Outcomes by event."""
        return {done.event: done.outcome for turn in self.turns(guild) for done in turn.done}

    def logs(self, guild: str = "1") -> list[LogIn]:
        return [pipe.decode(body, LogIn) for body in self.of(Kind.LOG, guild)]

    async def wait(self, ready: Any, *, seconds: float = PATIENCE) -> Any:
        """Wait until ``ready()`` is true; its value."""
        return await until(ready, seconds=seconds, pause=0.003)

    async def wait_for(
        self, kind: Kind, into: type[Any], guild: str = "1", wanted: Any = lambda _: True
    ) -> Any:
        def found() -> list[Any]:
            bodies = [pipe.decode(body, into) for body in self.of(kind, guild)]
            return [body for body in bodies if wanted(body)]

        return (await self.wait(found))[0]

    async def failed(self, guild: str = "1") -> FailedIn:
        return await self.wait_for(Kind.FAILED, FailedIn, guild)

    async def recycled(self, guild: str = "1") -> Recycled:
        return await self.wait_for(Kind.RECYCLED, Recycled, guild)

    async def wait_ops(self, count: int, guild: str = "1") -> list[tuple[int, str, Any]]:
        await self.wait(lambda: len(self.ops(guild)) >= count)
        return self.ops(guild)

    async def wait_log(self, text: str, guild: str = "1") -> LogIn:
        found = await self.wait(lambda: [line for line in self.logs(guild) if text in line.text])
        return found[0]
