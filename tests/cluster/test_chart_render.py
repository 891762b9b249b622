"""What charts/flora makes of values, without asking a cluster."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tools.chart import OWN, SETTINGS, variables

from cluster.api import Document
from flora_simulator.settings import SimulatorSettings
from flora_simulator.world_spec import WorldSpec
from tests.cluster.charts import (
    CHART,
    EVERYTHING,
    EXISTING,
    MINIMAL,
    SETS,
    SIMULATED,
    WITH_API,
    Helm,
    HelmFailed,
    Values,
    named,
    pod_specs,
)

STORES = {"flora-postgres", "flora-redis"}


@pytest.fixture(scope="module")
def chart(helm: Path, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm(helm, tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="module", params=SETS)
def rendered(request: pytest.FixtureRequest, chart: Helm) -> list[Document]:
    return chart.template(SETS[request.param])


@pytest.mark.parametrize("name", SETS)
def test_helm_lint_finds_nothing(chart: Helm, name: str) -> None:
    assert "0 chart(s) failed" in chart.run("lint", str(CHART), "--strict", values=SETS[name])


def test_everything_has_the_labels_of_its_release(rendered: list[Document]) -> None:
    without = [
        (document["kind"], document["metadata"]["name"])
        for document in rendered
        if document["metadata"].get("labels", {}).get("app.kubernetes.io/instance") != "flora"
        and document["kind"] != "CustomResourceDefinition"  # belongs to all releases
    ]
    assert without == []


def test_selectors_find_their_pods_and_nobody_else_s(rendered: list[Document]) -> None:
    pods = {
        document["metadata"]["name"]: document["spec"]["template"]["metadata"]["labels"]
        for document in rendered
        if document["kind"] in ("Deployment", "StatefulSet")
    }
    for document in rendered:
        spec = document.get("spec", {})
        selector = spec.get("selector") if document["kind"] == "Service" else None
        if document["kind"] in ("Deployment", "StatefulSet", "PodDisruptionBudget"):
            selector = spec["selector"]["matchLabels"]
        if selector is not None:
            found = [name for name, labels in pods.items() if selector.items() <= labels.items()]
            assert found == [document["metadata"]["name"]]


# ---------------------------------------------------------------- locked up


def test_no_container_may_do_more_than_it_must(rendered: list[Document]) -> None:
    for name, spec in pod_specs(rendered):
        assert spec["securityContext"]["runAsNonRoot"], name
        assert spec["securityContext"]["runAsUser"] > 0, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys(), name
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys(), name
            assert "memory" in container["resources"]["limits"], name


def test_those_who_ask_kubernetes_have_a_token_for_it_and_no_others(rendered: list[Document]) -> None:
    mounting = {name for name, spec in pod_specs(rendered) if spec["automountServiceAccountToken"]}
    assert mounting - {"flora-api"} == {"flora-operator", "flora-gateway"}
    for document in rendered:
        if document["kind"] == "ServiceAccount":
            assert document["automountServiceAccountToken"] is False


def test_those_who_dial_others_have_a_token_for_flora_alone(rendered: list[Document]) -> None:
    for name, spec in pod_specs(rendered):
        projected = [volume["projected"] for volume in spec.get("volumes", []) if "projected" in volume]
        if name in ("flora-gateway", "flora-runtime", "flora-api"):
            (source,) = projected[0]["sources"]
            assert source["serviceAccountToken"] == {
                "path": "token",
                "audience": "flora",
                "expirationSeconds": 600,
            }
        else:
            assert projected == []


def test_services_are_not_told_by_variables(rendered: list[Document]) -> None:
    """FLORA_GATEWAY_PORT=tcp://… and its like would look like settings."""
    assert all(spec["enableServiceLinks"] is False for _, spec in pod_specs(rendered))


SECRETS: Values = {
    "discord": {"token": "SECRET-discord"},
    "database": {"url": "postgresql://flora:SECRET-database@db.example.com/flora"},
    "redis": {"url": "redis://:SECRET-redis@redis.example.com"},
    "api": {
        "enabled": True,
        "operatorSecret": "SECRET-operator",
        "discord": {"clientSecret": "SECRET-client"},
    },
}


@pytest.mark.parametrize(
    "values",
    [
        SECRETS,
        {**SIMULATED, "database": {"inCluster": {"enabled": True, "password": "SECRET-password"}}},
        {**SIMULATED, "discord": {"simulated": True, "token": "SECRET-simulated"}},
        {**WITH_API, "database": {"inCluster": {"enabled": True, "password": "SECRET-password"}}},
    ],
)
def test_credentials_are_in_secrets_alone(chart: Helm, values: Values) -> None:
    documents = chart.template(values)
    texts = {
        document["kind"]: msgspec.json.encode(document).decode()
        for document in documents
        if b"SECRET-" in msgspec.json.encode(document)
    }
    assert set(texts) == {"Secret"}


def test_existing_secrets_are_used_and_none_is_made(chart: Helm) -> None:
    documents = chart.template(EXISTING)
    assert [document for document in documents if document["kind"] == "Secret"] == []
    refs = {
        variable["name"]: variable["valueFrom"]["secretKeyRef"]
        for _, spec in pod_specs(documents)
        for variable in spec["containers"][0]["env"]
        if "secretKeyRef" in variable["valueFrom"]
    }
    assert refs == {
        "DISCORD_TOKEN": {"name": "mine", "key": "bot-token"},
        "OPERATOR_DATABASE_URL": {"name": "mine", "key": "postgres"},
        "GATEWAY_REDIS_URL": {"name": "mine", "key": "redis"},
        "API_DATABASE_URL": {"name": "mine", "key": "postgres"},
        "API_REDIS_URL": {"name": "mine", "key": "redis"},
        "API_SECRET_KEYS": {"name": "mine", "key": "secret-keys"},
        "API_OPERATOR_SECRET": {"name": "mine", "key": "operator-secret"},
        "API_DISCORD_CLIENT_SECRET": {"name": "mine", "key": "discord-client-secret"},
    }


def test_keys_of_the_api_are_made_and_kept(chart: Helm) -> None:
    made = named(chart.template(WITH_API), "Secret", "flora-api")
    assert made["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    name, key = made["stringData"]["secret-keys"].split(":")
    assert (name, len(base64.b64decode(key, validate=True))) == ("k1", 32)
    assert len(made["stringData"]["operator-secret"]) == 40


def test_people_can_log_in_to_a_simulated_discord(chart: Helm) -> None:
    documents = chart.template(WITH_API)
    config = named(documents, "ConfigMap", "flora-api")["data"]
    assert config["API_DISCORD_CLIENT_ID"] == WorldSpec().bot.id
    assert config["API_DISCORD_BROWSER_URL"] == f"http://127.0.0.1:{SimulatorSettings().port}"
    secret = named(documents, "Secret", "flora-api")["stringData"]
    assert secret["discord-client-secret"] == SimulatorSettings().client_secret


@pytest.mark.parametrize(
    ("api", "url"),
    [
        ({}, ""),
        ({"publicUrl": "https://a.example.com"}, "https://a.example.com"),
        ({"ingress": {"enabled": True, "host": "b.example.com"}}, "http://b.example.com"),
        ({"ingress": {"enabled": True, "host": "b.example.com", "tlsSecret": "t"}}, "https://b.example.com"),
    ],
)
def test_the_api_knows_where_people_reach_it(chart: Helm, api: Values, url: str) -> None:
    documents = chart.template({**WITH_API, "api": {"enabled": True, **api}})
    assert named(documents, "ConfigMap", "flora-api")["data"]["API_PUBLIC_URL"] == url
    assert [d["kind"] for d in documents if d["kind"] == "Ingress"] == ["Ingress"] * ("ingress" in api)


def test_only_the_gateway_has_the_bot_s_token(chart: Helm) -> None:
    having = {
        name
        for name, spec in pod_specs(chart.template(MINIMAL))
        if any(variable["name"] == "DISCORD_TOKEN" for variable in spec["containers"][0].get("env", []))
    }
    assert having == {"flora-gateway"}


# ---------------------------------------------------------------- settings


def environment(documents: list[Document], component: str) -> dict[str, str | None]:
    """The variables of a component's container; None for values that are not in the manifest."""
    specs = dict(pod_specs(documents))
    (container,) = specs[f"flora-{component}"]["containers"]
    found: dict[str, str | None] = {}
    for source in container["envFrom"]:
        found |= named(documents, "ConfigMap", source["configMapRef"]["name"])["data"]
    return found | {variable["name"]: variable.get("value") for variable in container["env"]}


@pytest.mark.parametrize("component", SETTINGS)
def test_every_variable_is_a_setting(chart: Helm, component: str) -> None:
    known = {variable.name for variable in variables(component)}
    assert environment(chart.template(EVERYTHING), component).keys() <= known


@pytest.mark.parametrize("component", SETTINGS)
def test_the_chart_s_own_variables_are_settings(component: str) -> None:
    prefixes = tuple({variable.name.partition("_")[0] + "_" for variable in variables(component)})
    known = {variable.name for variable in variables(component)}
    assert {name for name in OWN if name.startswith(prefixes)} <= known


@pytest.mark.parametrize("component", SETTINGS)
def test_the_component_starts_with_them(chart: Helm, component: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the ConfigMap is what its settings take."""
    for name, value in environment(chart.template(EVERYTHING), component).items():
        monkeypatch.setenv(name, "given" if value is None else value)
    monkeypatch.delenv("GATEWAY_REDIS_URL", raising=False)
    monkeypatch.setenv("FLORA_CONFIG", "")
    for settings in SETTINGS[component]:
        settings()


def test_config_becomes_variables(chart: Helm) -> None:
    documents = chart.template(EVERYTHING)
    gateway, runtime = environment(documents, "gateway"), environment(documents, "runtime")
    assert (gateway["GATEWAY_BUFFER_MIB"], gateway["DISCORD_PRIVILEGED_INTENTS"]) == ("128", "false")
    assert (runtime["RUNTIME_MAX_WORKERS"], runtime["RUNTIME_DRAIN_SECS"]) == ("8", "0.5")


@pytest.mark.parametrize(
    ("grace", "drain", "retire"),
    [(300, None, "275"), (60, None, "35"), (60, 0.5, "44"), (20, 10, "0")],
)
def test_a_pod_waits_for_its_guilds_to_move_as_long_as_its_grace_allows(
    chart: Helm, grace: int, drain: float | None, retire: str
) -> None:
    config = {} if drain is None else {"RUNTIME_DRAIN_SECS": drain}
    runtime = {"terminationGracePeriodSeconds": grace, "config": config}
    documents = chart.template({**MINIMAL, "runtime": runtime})
    assert named(documents, "ConfigMap", "flora-runtime")["data"]["RUNTIME_RETIRE_SECS"] == retire


def test_a_starter_script_is_where_the_operator_may_read_it(chart: Helm) -> None:
    starter = {"starter": {"files": {"src/main.ts": "1", "src/a.ts": "2"}}}
    documents = chart.template({**MINIMAL, "operator": starter, "watchNamespaces": ["guilds", "others"]})
    made = named(documents, "ConfigMap", "flora-starter")
    assert (made["metadata"]["namespace"], made["data"]) == (
        "guilds",
        {"src__main.ts": "1", "src__a.ts": "2"},
    )
    operator = named(documents, "ConfigMap", "flora-operator")["data"]
    assert operator["OPERATOR_STARTER_CONFIG_MAP"] == "guilds/flora-starter"


def test_parts_find_each_other(chart: Helm) -> None:
    documents = chart.template(WITH_API, release="prod", namespace="there")
    services = {
        f"http://{document['metadata']['name']}:{port['port']}"
        for document in documents
        if document["kind"] == "Service"
        for port in document["spec"]["ports"]
    }
    parts = ("gateway", "runtime", "api")
    data = {name: named(documents, "ConfigMap", f"prod-flora-{name}")["data"] for name in parts}
    asked = {
        data["gateway"]["GATEWAY_CONTROL_URL"],
        data["gateway"]["DISCORD_API_URL"],
        data["runtime"]["RUNTIME_GATEWAY_URL"],
        data["runtime"]["RUNTIME_CONTROL_URL"],
        data["runtime"]["RUNTIME_API_URL"],
        data["api"]["API_CONTROL_URL"],
        data["api"]["API_GATEWAY_URL"],
        data["api"]["API_DISCORD_URL"],
        data["api"]["API_RUNTIME_URL"].replace("{pod}.", ""),
    }
    assert asked <= services
    assert data["gateway"]["FLORA_SERVICE_ACCOUNTS"].split(",") == [
        "gateway=there/prod-flora-gateway",
        "runtime=there/prod-flora-runtime",
        "operator=there/prod-flora-operator",
        "api=there/prod-flora-api",
    ]


# ---------------------------------------------------------------- changes


def checksums(documents: list[Document]) -> dict[str, Any]:
    return {
        document["metadata"]["name"]: document["spec"]["template"]["metadata"].get("annotations")
        for document in documents
        if document["kind"] in ("Deployment", "StatefulSet")
    }


def changed(chart: Helm, before: Values, after: Values) -> set[str]:
    """Whose pods are replaced."""
    old, new = checksums(chart.template(before)), checksums(chart.template(after))
    return {name for name in old | new if old.get(name) != new.get(name)}


@pytest.mark.parametrize(
    ("change", "replaced"),
    [
        ({"gateway": {"config": {"GATEWAY_BUFFER_MIB": 32}}}, {"flora-gateway"}),
        ({"runtime": {"config": {"RUNTIME_MAX_WORKERS": 2}}}, {"flora-runtime"}),
        ({"watchNamespaces": ["a"]}, {"flora-operator"}),
        ({"discord": {"simulated": True, "token": "another"}}, {"flora-gateway", "flora-simulator"}),
        ({"simulator": {"world": '[[guilds]]\nname = "two"'}}, {"flora-simulator"}),
        (
            {"database": {"inCluster": {"enabled": True, "password": "other"}}},
            {"flora-operator", "flora-postgres"},
        ),
        ({"runtime": {"replicas": 5}}, set()),
        ({"metrics": {"dashboard": {"enabled": True}}}, set()),
    ],
)
def test_a_change_replaces_the_pods_that_it_is_about(chart: Helm, change: Values, replaced: set[str]) -> None:
    assert changed(chart, SIMULATED, {**SIMULATED, **change}) == replaced


def test_the_same_values_replace_nothing(chart: Helm) -> None:
    assert changed(chart, EVERYTHING, EVERYTHING) == set()


def test_an_autoscaler_decides_on_replicas_alone(chart: Helm) -> None:
    for kind in ("hpa", "keda"):
        values = {**MINIMAL, "runtime": {"autoscaling": {"type": kind}}}
        assert "replicas" not in named(chart.template(values), "StatefulSet", "flora-runtime")["spec"]


def test_a_guild_for_helm_test_is_where_guilds_count(chart: Helm) -> None:
    documents = chart.template({**SIMULATED, "watchNamespaces": ["guilds", "others"]})
    (guild,) = [document for document in documents if document["kind"] == "GuildDeployment"]
    assert guild["metadata"]["namespace"] == "guilds"


# ---------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "discord.token is not set: give --set discord.token=…"),
        ({"discord": {"token": "x"}}, "database.url is not set: give the URL of a Postgres"),
        ({**MINIMAL, "api": {"enabled": True}}, "api.enabled needs a Redis"),
        ({**WITH_API, "api": {"enabled": True, "ingress": {"enabled": True}}}, "needs api.ingress.host"),
        (
            {**WITH_API, "api": {"enabled": True, "existingSecret": "a", "operatorSecret": "b"}},
            "api.existingSecret and api.secretKeys, api.operatorSecret",
        ),
        (
            {**WITH_API, "api": {"enabled": True, "autoscaling": {"minReplicas": 9}}},
            "api.autoscaling.minReplicas is more than",
        ),
        (
            {**MINIMAL, "redis": {"url": "redis://a", "existingSecret": "b"}},
            "redis.url and redis.existingSecret say different things",
        ),
        (
            {**MINIMAL, "discord": {"token": "x", "existingSecret": "b"}},
            "discord.token and discord.existingSecret say different things",
        ),
        (
            {**MINIMAL, "metrics": {"podMonitor": {"enabled": True}, "serviceMonitor": {"enabled": True}}},
            "choose one, or everything is counted twice",
        ),
        (
            {
                **MINIMAL,
                "runtime": {"autoscaling": {"type": "hpa", "minReplicas": 3, "maxReplicas": 2}},
            },
            "minReplicas is more than",
        ),
        (
            {**MINIMAL, "operator": {"starter": {"existingConfigMap": "a", "files": {"src/main.ts": ""}}}},
            "operator.starter.files and operator.starter.existingConfigMap",
        ),
    ],
)
def test_values_that_do_not_go_together_are_refused(chart: Helm, values: Values, said: str) -> None:
    with pytest.raises(HelmFailed) as refused:
        chart.template(values)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"replicas": 3}, "additional properties 'replicas' not allowed"),
        ({"runtime": {"replica": 3}}, "at '/runtime': additional properties 'replica' not allowed"),
        (
            {"runtime": {"config": {"RUNTIME_MAX_WORKER": 3}}},
            "at '/runtime/config': additional properties 'RUNTIME_MAX_WORKER' not allowed",
        ),
        (
            {"runtime": {"config": {"RUNTIME_MAX_WORKERS": 65}}},
            "at '/runtime/config/RUNTIME_MAX_WORKERS': maximum: got 65, want 64",
        ),
        (
            {"gateway": {"config": {"GATEWAY_PORT": 1}}},
            "additional properties 'GATEWAY_PORT' not allowed",
        ),
        ({"image": {"pullPolicy": "Sometimes"}}, "value must be one of 'Always', 'IfNotPresent', 'Never'"),
        ({"database": {"url": "mysql://x"}}, "at '/database/url'"),
        ({"identity": {"tokenSeconds": 60}}, "minimum: got 60, want 600"),
        ({"watchNamespaces": "one"}, "at '/watchNamespaces': got string, want array"),
        ({"tests": {"guildId": 123}}, "at '/tests/guildId': got number, want string"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(chart: Helm, values: Values, said: str) -> None:
    with pytest.raises(HelmFailed) as refused:
        chart.template({**MINIMAL, **values})
    assert said in str(refused.value)
