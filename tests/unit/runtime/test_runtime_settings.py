"""Settings of the runtime pod: every bound is kept, and a wrong value is told by its variable."""

from __future__ import annotations

from pathlib import Path

import pytest

from flora_core.errors import InvalidSettings
from flora_core.settings import load
from flora_runtime.supervisor.pod import _configure, _limits
from flora_runtime.supervisor.settings import RuntimeSettings


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in RuntimeSettings.model_fields:
        monkeypatch.delenv(f"RUNTIME_{name.upper()}", raising=False)
    monkeypatch.setenv("FLORA_CONFIG", "")


@pytest.mark.parity(46)
def test_a_pod_needs_no_settings_at_all() -> None:
    settings = load(RuntimeSettings)
    assert (settings.pod_name, settings.port, settings.max_workers) == ("flora-runtime-0", 8403, 4)
    assert settings.token.get_secret_value() == ""


BOUNDS = {
    "port": ("0", "65535", "-1", "65536"),
    "max_workers": ("1", "64", "0", "65"),
    "boot_timeout_secs": ("0", "60", "-0.1", "60.5"),
    "load_timeout_secs": ("0", "600", "-1", "601"),
    "dispatch_timeout_secs": ("0", "600", "-1", "600.1"),
    "dispatch_wall_timeout_secs": ("0", "3600", "-1", "3601"),
    "max_script_bytes": ("1024", "999999999", "1023", None),
    "backlog_limit": ("1", "1000000", "0", None),
    "worker_silence_secs": ("0.5", "100", "0.4", None),
    "worker_rss_mib": ("128", "100000", "127", None),
    "drain_secs": ("0", "86400", "-0.5", None),
    "worker_soft_rss_mib": ("64", "100000", "63", None),
    "hibernate_after_secs": ("0", "86400", "-1", None),
    "cpu_secs_per_minute": ("0", "600", "-1", "601"),
    "fetch_per_minute": ("1", "10000", "0", "10001"),
    "fetch_at_once": ("1", "64", "0", "65"),
}


@pytest.mark.parity(46)
@pytest.mark.parametrize("field", BOUNDS)
def test_values_at_the_bounds_are_taken(monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    lowest, highest, _, _ = BOUNDS[field]
    for value in (lowest, highest):
        monkeypatch.setenv(f"RUNTIME_{field.upper()}", value)
        assert float(getattr(load(RuntimeSettings), field)) == float(value)


@pytest.mark.parametrize("field", BOUNDS)
def test_values_beyond_the_bounds_stop_the_start_and_name_their_variable(
    monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    _, _, too_low, too_high = BOUNDS[field]
    for value, said in ((too_low, "greater than or equal to"), (too_high, "less than or equal to")):
        if value is not None:
            monkeypatch.setenv(f"RUNTIME_{field.upper()}", value)
            with pytest.raises(InvalidSettings, match=f"^RUNTIME_{field.upper()}: input should be {said}"):
                load(RuntimeSettings)


@pytest.mark.parametrize("field", BOUNDS)
@pytest.mark.parametrize("value", ["", "many", "1,5"])
def test_what_is_no_number_is_told_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, field: str, value: str
) -> None:
    monkeypatch.setenv(f"RUNTIME_{field.upper()}", value)
    with pytest.raises(InvalidSettings, match=f"^RUNTIME_{field.upper()}: input should be a valid"):
        load(RuntimeSettings)


@pytest.mark.parametrize("field", ["gateway_url", "control_url", "logs_url", "api_url"])
def test_urls_lose_their_last_slash_and_need_a_scheme(monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    variable = f"RUNTIME_{field.upper()}"
    monkeypatch.setenv(variable, "https://host:1/base/")
    assert getattr(load(RuntimeSettings), field) == "https://host:1/base"
    for wrong in ("host:1", "ftp://host", "//host", "HTTP"):
        monkeypatch.setenv(variable, wrong)
        with pytest.raises(InvalidSettings, match=f"^{variable}: .*should be a URL that starts with http://"):
            load(RuntimeSettings)


@pytest.mark.parametrize(("text", "value"), [("1", True), ("false", False), ("no", False), ("on", True)])
def test_switches_take_the_usual_words(monkeypatch: pytest.MonkeyPatch, text: str, value: bool) -> None:
    monkeypatch.setenv("RUNTIME_PIN_WORKERS", text)
    assert load(RuntimeSettings).pin_workers is value


@pytest.mark.parametrize(("field", "value"), [("pin_workers", "perhaps"), ("log_format", "xml")])
def test_words_that_mean_nothing_are_refused(monkeypatch: pytest.MonkeyPatch, field: str, value: str) -> None:
    monkeypatch.setenv(f"RUNTIME_{field.upper()}", value)
    with pytest.raises(InvalidSettings, match=f"^RUNTIME_{field.upper()}: input should be"):
        load(RuntimeSettings)


def test_every_wrong_setting_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RUNTIME_PORT", "RUNTIME_MAX_WORKERS", "RUNTIME_LOG_FORMAT"):
        monkeypatch.setenv(name, "wrong")
    with pytest.raises(InvalidSettings) as caught:
        load(RuntimeSettings)
    told = {line.partition(":")[0] for line in str(caught.value).splitlines()}
    assert told == {"RUNTIME_PORT", "RUNTIME_MAX_WORKERS", "RUNTIME_LOG_FORMAT"}


def test_the_token_is_shown_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_TOKEN", "sesame")
    settings = load(RuntimeSettings)
    assert "sesame" not in repr(settings)
    assert "sesame" not in settings.model_dump_json()
    assert settings.token.get_secret_value() == "sesame"


def test_workers_are_told_their_limits() -> None:
    settings = RuntimeSettings(
        pin_workers=False,
        boot_timeout_secs=1,
        load_timeout_secs=2,
        dispatch_timeout_secs=4,
        dispatch_wall_timeout_secs=5,
        show_internal_stack_frames=True,
        worker_silence_secs=6,
        worker_rss_mib=200,
    )
    configure = _configure(settings, 3)
    assert (configure.index, configure.cores, configure.show_internal_frames) == (3, [], True)
    assert (configure.boot_seconds, configure.load_seconds) == (1, 2)
    assert (configure.handler_seconds, configure.wall_seconds) == (4, 5)
    assert (_limits(settings).silence_seconds, _limits(settings).rss_bytes) == (6, 200 << 20)


def test_pinned_workers_share_the_cores_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = RuntimeSettings(pin_workers=True)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {2, 5}, raising=False)
    assert [_configure(settings, index).cores for index in range(3)] == [[2], [5], [2]]
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {5}, raising=False)
    assert _configure(settings, 0).cores == [], "with one core there is nothing to choose"
