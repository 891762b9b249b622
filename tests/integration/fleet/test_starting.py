"""Components started wrongly: one clear line, exit code 2."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterator

import pytest

GATEWAY, RUNTIME = "flora_gateway.main", "flora_runtime.supervisor.main"


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


async def start(module: str, **environment: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        env={"FLORA_CONFIG": "", "PATH": "/usr/bin", **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(20):
        _, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, err.decode()


WRONG = {
    "a gateway without a token": (GATEWAY, {}, "DISCORD_TOKEN: is not set"),
    "a port that is none": (
        GATEWAY,
        {"DISCORD_TOKEN": "x", "GATEWAY_PORT": "http"},
        "GATEWAY_PORT: input should be",
    ),
    "a URL that is none": (
        GATEWAY,
        {"DISCORD_TOKEN": "x", "DISCORD_API_URL": "discord.com"},
        "DISCORD_API_URL: ",
    ),
    "tokens that are none": (
        GATEWAY,
        {"DISCORD_TOKEN": "x", "GATEWAY_PORT": "0", "GATEWAY_ACCEPT_TOKENS": "sesame"},
        "GATEWAY_ACCEPT_TOKENS: entry 1",
    ),
    "accounts that are none": (
        GATEWAY,
        {"DISCORD_TOKEN": "x", "GATEWAY_PORT": "0", "FLORA_SERVICE_ACCOUNTS": "runtime=flora-runtime"},
        "FLORA_SERVICE_ACCOUNTS: 'runtime=flora-runtime' should be role=namespace/name",
    ),
    "accounts without an API server": (
        GATEWAY,
        {"DISCORD_TOKEN": "x", "GATEWAY_PORT": "0", "FLORA_SERVICE_ACCOUNTS": "runtime=a/b"},
        "FLORA_SERVICE_ACCOUNTS",
    ),
    "too many workers": (RUNTIME, {"RUNTIME_MAX_WORKERS": "65"}, "RUNTIME_MAX_WORKERS: input should be less"),
    "a pod name that is none": (
        RUNTIME,
        {"RUNTIME_POD_NAME": "Pod 1"},
        "RUNTIME_POD_NAME: 'Pod 1' is not a pod name",
    ),
    "tools' tokens that are none": (
        RUNTIME,
        {"RUNTIME_PORT": "0", "RUNTIME_ACCEPT_TOKENS": "sesame=api sesame"},
        "RUNTIME_ACCEPT_TOKENS: entry 2",
    ),
    "no URL for the gateway": (RUNTIME, {"RUNTIME_GATEWAY_URL": "gateway:8401"}, "RUNTIME_GATEWAY_URL: "),
}


@pytest.mark.parametrize(("module", "environment", "text"), WRONG.values(), ids=WRONG)
async def test_a_wrong_setting_stops_the_start_and_names_its_variable(
    module: str, environment: dict[str, str], text: str
) -> None:
    code, err = await start(module, **environment)
    assert code == 2
    assert text in err
    assert "Traceback" not in err
    assert "sesame" not in err


async def test_a_port_in_use_is_one_clear_line(taken_port: int) -> None:
    port = str(taken_port)
    for module, environment, text in (
        (GATEWAY, {"DISCORD_TOKEN": "x", "GATEWAY_PORT": port, "GATEWAY_HOST": "127.0.0.1"}, "GATEWAY_PORT"),
        (RUNTIME, {"RUNTIME_PORT": port, "RUNTIME_HOST": "127.0.0.1"}, "RUNTIME_PORT"),
    ):
        code, err = await start(module, **environment)
        assert code == 2
        assert f"{text}: cannot listen on {port}" in err
        assert "Traceback" not in err
