"""examples/weather, with a weather service of the test's own; and what its author sees of secrets."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from flora_core.ids import GuildId
from flora_dev import talk
from flora_dev.session import DevSession, Options
from flora_dev.sources import FolderSource
from flora_dev.talk import speak
from flora_dev.view import View
from flora_simulator.world_spec import DEV_GUILD
from tests.integration.loopback import listening
from tests.waiting import until

EXAMPLE = Path(__file__).parents[3] / "examples" / "weather"
REAL = "https://api.weatherapi.com"


class Service:
    """As much of weatherapi.com as the example uses."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.keys.append(request.query["key"])
        if request.query["q"] == "nowhere":
            return web.json_response(
                {"error": {"code": 1006, "message": "No matching location found."}}, status=400
            )
        if request.query["q"] == "trouble":
            return web.json_response({"oops": request.query["key"]}, status=500)
        place = {"name": request.query["q"].title(), "country": "Norway"}
        return web.json_response(
            {"location": place, "current": {"temp_c": 5.5, "condition": {"text": "Snow"}}}
        )


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    app = web.Application()
    app.router.add_get("/v1/current.json", service.answer)
    async with listening(app) as service.url:
        yield service


@pytest.fixture
def project(tmp_path: Path, service: Service) -> Path:
    """The example, pointed at the test's service."""
    folder = tmp_path / "weather"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(".flora", ".env"))
    for name, old in (("src/service.ts", REAL), ("flora.toml", "api.weatherapi.com")):
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, service.url))
    (folder / ".env").write_text("WEATHER_KEY=first-key\n")
    return folder


class Bot:
    def __init__(self, session: DevSession, folder: Path) -> None:
        self.session = session
        self.folder = folder

    async def weather(self, city: str) -> dict[str, Any]:
        assert self.session.people is not None
        said = talk.slash(f'/weather city:"{city}"')
        exchange = await speak(self.session.people, said, channel="general", longest=10)
        messages = [action.message for action in exchange.answers if action.message is not None]
        assert messages, exchange
        return messages[-1]


@asynccontextmanager
async def running(project: Path, **given: str) -> AsyncIterator[Bot]:
    state = project.parent / "state"
    source = FolderSource(project, GuildId(DEV_GUILD), secrets=given)
    options = Options(source, state_dir=state, fetch_allow="127.0.0.1")
    async with DevSession.start(options, View(as_json=True, many_guilds=False)) as session:
        await session.finish_checks()
        yield Bot(session, state)


async def test_the_weather_is_told_and_kept_for_a_while(project: Path, service: Service) -> None:
    async with running(project) as bot:
        (embed,) = (await bot.weather("oslo"))["embeds"]
        assert (embed["title"], embed["description"]) == ("Oslo, Norway", "Snow")
        assert embed["fields"][0]["value"] == "5.5 °C (42 °F)"
        assert (await bot.weather(" Oslo "))["embeds"] == [embed]
        assert service.keys == ["first-key"]
        assert (await bot.weather("nowhere"))["content"] == "I know no city called nowhere."
        assert "does not answer" in (await bot.weather("trouble"))["content"]


@pytest.mark.parity(54)
async def test_a_changed_key_is_live_without_a_deploy(
    project: Path, service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(project) as bot:
        await bot.weather("bergen")
        (project / ".env").write_text("WEATHER_KEY=second-key\n")
        await bot.session.deploy_all()  # what a change in the folder does

        async def asked_with_the_new_key() -> bool:
            await bot.weather(f"city {len(service.keys)}")
            return service.keys[-1] == "second-key"

        for _ in range(20):
            if await asked_with_the_new_key():
                break
        assert service.keys[0] == "first-key"
        assert service.keys[-1] == "second-key"
        revisions = [status.revision for status in bot.session.controller.statuses]
        assert revisions == [1]
        everything = "".join(
            file.read_text(errors="replace") for file in bot.folder.rglob("*") if file.is_file()
        )
    assert "first-key" not in everything
    assert "second-key" not in everything + capsys.readouterr().out


async def test_a_value_of_the_command_line_wins(project: Path, service: Service) -> None:
    async with running(project, WEATHER_KEY="given-key") as bot:
        await bot.weather("oslo")
    assert service.keys == ["given-key"]


async def test_without_a_value_the_author_is_told(
    project: Path, service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / ".env").unlink()
    async with running(project) as bot:
        await bot.weather("oslo")
    assert service.keys == [""]
    assert "the secret WEATHER_KEY has no value: write WEATHER_KEY=… into .env" in capsys.readouterr().out


async def test_a_host_that_is_not_allowed_never_sees_the_key(
    project: Path, service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "flora.toml").write_text('[secrets.WEATHER_KEY]\nallowed_hosts = ["api.example.com"]\n')
    async with running(project) as bot:
        assert "does not answer" in (await bot.weather("oslo"))["content"]
        text = ""

        def told() -> bool:
            nonlocal text
            text += capsys.readouterr().out
            return "that is none of its allowed hosts" in text

        await until(told)
    assert service.keys == []


async def test_a_flora_toml_that_is_wrong_is_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "flora.toml").write_text("[secrets.KEY]\nhosts = 1\n")
    async with running(project) as bot:
        assert not bot.session.any_ready
    assert "flora.toml: Object contains unknown field `hosts`" in capsys.readouterr().out
