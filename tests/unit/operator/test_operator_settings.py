"""Settings of the operator."""

from __future__ import annotations

import pytest

from flora_core.errors import InvalidSettings
from flora_core.settings import load
from flora_operator.kube.client import resource_of
from flora_operator.settings import OperatorSettings


def test_the_defaults_are_those_of_the_chart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLORA_CONFIG", "")
    settings = load(OperatorSettings)
    assert (settings.port, settings.statefulset, settings.namespaces) == (8402, "flora-runtime", [])
    assert (settings.bundlers, settings.handoffs, settings.retention_hours) == (2, 8, 168)


def test_namespaces_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPERATOR_WATCH_NAMESPACES", "team-a, team-b,")
    assert load(OperatorSettings).namespaces == ["team-a", "team-b"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OPERATOR_PORT", "99999"),
        ("OPERATOR_STATEFULSET", "Not a name"),
        ("OPERATOR_BUNDLERS", "0"),
        ("OPERATOR_STARTER_CONFIG_MAP", "starter"),
        ("OPERATOR_STARTER_CONFIG_MAP", "flora/"),
        ("OPERATOR_STARTER_CONFIG_MAP", "/starter"),
        ("OPERATOR_STARTER_CONFIG_MAP", "flora/starter/more"),
        ("OPERATOR_STARTER_CONFIG_MAP", "flora/Starter"),
    ],
)
def test_a_wrong_value_names_its_variable(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidSettings, match=variable):
        load(OperatorSettings)


def test_the_starter_is_off_unless_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(OperatorSettings).starter is None
    monkeypatch.setenv("OPERATOR_STARTER_CONFIG_MAP", "flora/starter.v2")
    assert load(OperatorSettings).starter == ("flora", "starter.v2")


def test_a_starter_that_no_watch_would_show_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be waited for without end."""
    monkeypatch.setenv("OPERATOR_STARTER_CONFIG_MAP", "flora/starter")
    monkeypatch.setenv("OPERATOR_WATCH_NAMESPACES", "team-a,team-b")
    with pytest.raises(InvalidSettings, match=r"OPERATOR_STARTER_CONFIG_MAP.*OPERATOR_WATCH_NAMESPACES"):
        load(OperatorSettings)
    monkeypatch.setenv("OPERATOR_WATCH_NAMESPACES", "team-a,flora")
    assert load(OperatorSettings).starter == ("flora", "starter")


def test_the_database_s_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPERATOR_DATABASE_URL", "postgresql://flora:hunter2@db/flora")
    assert "hunter2" not in repr(load(OperatorSettings))


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("/apis/flora.uwu.network/v1alpha1/guilddeployments", "guilddeployments"),
        ("/apis/flora.uwu.network/v1alpha1/namespaces/a/guilddeployments/guild-1", "guilddeployments"),
        (
            "/apis/flora.uwu.network/v1alpha1/namespaces/a/guilddeployments/guild-1/status",
            "guilddeployments/status",
        ),
        ("/api/v1/namespaces/a/configmaps/bot", "configmaps"),
        ("/api/v1/secrets", "secrets"),
        ("/apis/apps/v1/namespaces/a/statefulsets", "statefulsets"),
    ],
)
def test_requests_are_counted_by_resource_and_never_by_name(path: str, resource: str) -> None:
    assert resource_of(path) == resource
