"""Logs, counters and probes: one line an event with its context, and nothing that should stay secret."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry, Counter
from pydantic import SecretStr

from flora_core.streams import Token
from flora_core.telemetry import Series, add_telemetry_routes, logger, setup_logging


@pytest.fixture(autouse=True)
def other_tests_logging() -> Iterator[None]:
    """Logging belongs to the whole process; leave it as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in ("aiohttp.access", "discord")}
    configured = structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, earlier in levels.items():
        logging.getLogger(name).setLevel(earlier)
    structlog.configure(**configured)
    structlog.contextvars.clear_contextvars()


class Lines:
    """What went to standard error."""

    def __init__(self, output: pytest.CaptureFixture[str]) -> None:
        self._output = output

    @property
    def text(self) -> str:
        out, err = self._output.readouterr()
        assert out == "", "standard output belongs to whoever started the process"
        return err

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    return Lines(capsys)


def test_an_event_is_one_object_with_where_it_comes_from(lines: Lines) -> None:
    setup_logging("gateway", style="json")
    logger("flora.test").warning("shard_lost", shard=3, text="a\nb 🌱")
    (line,) = lines.objects
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "shard_lost", "shard": 3, "text": "a\nb 🌱",
        "logger": "flora.test", "level": "warning", "component": "gateway",
    }  # fmt: skip


def test_the_standard_librarys_logs_look_the_same(lines: Lines) -> None:
    setup_logging("gateway", style="json")
    logging.getLogger("somebody.elses").error("it %s", "broke")
    (line,) = lines.objects
    assert (line["event"], line["logger"], line["level"]) == ("it broke", "somebody.elses", "error")
    assert line["component"] == "gateway"


def test_context_bound_at_the_edge_is_in_every_line(lines: Lines) -> None:
    setup_logging("runtime", style="json")
    with structlog.contextvars.bound_contextvars(guild_id="1", event_id="s:5"):
        logger("a").info("inside")
        logging.getLogger("b").warning("too")
    logger("a").info("outside")
    inside, too, outside = lines.objects
    assert inside["guild_id"] == too["guild_id"] == "1"
    assert "guild_id" not in outside


def test_an_exception_is_a_text_in_the_one_line(lines: Lines) -> None:
    setup_logging("runtime", style="json")
    try:
        int("no such thing")
    except ValueError:
        logger("a").exception("failed")
    (line,) = lines.objects
    assert "ValueError: invalid literal" in line["exception"]
    assert "exc_info" not in line


@pytest.mark.parametrize("style", ["json", "console"])
def test_secrets_are_not_shown_even_when_they_are_logged(lines: Lines, style: Any) -> None:
    setup_logging("gateway", style=style)
    logger("a").info("dialling", token=Token("sesame"), discord=SecretStr("sesame"))
    logging.getLogger("b").warning("with %s", Token("sesame"))
    text = lines.text
    assert "dialling" in text
    assert "sesame" not in text


@pytest.mark.parametrize(("terminal", "is_json"), [(False, True), (True, False)])
def test_auto_is_json_unless_a_person_looks(
    lines: Lines, monkeypatch: pytest.MonkeyPatch, terminal: bool, is_json: bool
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    setup_logging("gateway")
    logger("a").info("hello")
    assert lines.text.startswith("{") is is_json


@pytest.mark.parametrize(
    ("level", "shown"), [("debug", ["d", "i", "w"]), ("INFO", ["i", "w"]), ("Warning", ["w"]), ("ERROR", [])]
)
def test_what_is_below_the_level_is_not_written(lines: Lines, level: str, shown: list[str]) -> None:
    setup_logging("gateway", style="json", level=level)
    log = logger("a")
    log.debug("d")
    log.info("i")
    log.warning("w")
    assert [line["event"] for line in lines.objects] == shown


def test_libraries_that_log_every_request_are_quiet_and_never_louder_than_asked(lines: Lines) -> None:
    setup_logging("gateway", style="json", level="DEBUG")
    for name in ("aiohttp.access", "discord.gateway"):
        logging.getLogger(name).info("a request")
    assert lines.objects == []
    setup_logging("gateway", style="json", level="ERROR")
    logging.getLogger("discord").warning("a warning")
    assert lines.objects == []


def test_setting_up_twice_does_not_write_twice(lines: Lines) -> None:
    setup_logging("gateway", style="json")
    setup_logging("gateway", style="json")
    logging.getLogger("a").warning("once")
    assert len(lines.objects) == 1


# ---------------------------------------------------------------- counters and probes


def test_a_series_is_the_counter_of_its_labels() -> None:
    registry = CollectorRegistry()
    one = Series(Counter("events", "…", ["type"], registry=registry))
    two = Series(Counter("drops", "…", ["type", "reason"], registry=registry))
    one["READY"].inc()
    one["READY"].inc(2)
    two["READY", "backlog"].inc()
    assert registry.get_sample_value("events_total", {"type": "READY"}) == 3
    assert registry.get_sample_value("drops_total", {"type": "READY", "reason": "backlog"}) == 1
    assert one["READY"] is one["READY"]


def test_a_series_with_the_wrong_labels_is_an_error_and_is_not_kept() -> None:
    series = Series(Counter("events", "…", ["type"], registry=CollectorRegistry()))
    with pytest.raises(ValueError, match="label"):
        series["READY", "too many"]
    assert dict(series) == {}


async def test_probes_say_what_is_not_well_as_it_is_now() -> None:
    app, trouble = web.Application(), {"healthy": None, "ready": "2 shards are not connected"}
    add_telemetry_routes(app, healthy=lambda: trouble["healthy"], ready=lambda: trouble["ready"])
    async with TestClient(TestServer(app)) as client:

        async def get(path: str) -> tuple[int, str]:
            answer = await client.get(path)
            return answer.status, await answer.text()

        assert await get("/healthz") == (200, "ok\n")
        assert await get("/readyz") == (503, "2 shards are not connected\n")
        trouble["ready"] = None
        assert await get("/readyz") == (200, "ok\n")
        status, text = await get("/metrics")
        assert status == 200
        assert "# TYPE" in text
