"""What admission makes of GuildDeployments, good and bad, sent as ``kubectl apply --server-side`` sends them."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.api import TABLE, Api, Document
from cluster.errors import Refused
from flora_core.errors import InvalidInput
from flora_core.ids import parse_guild_id
from flora_core.manifest import parse_manifest
from flora_core.toolchain.paths import MAX_BYTES, MAX_FILES, check_files
from tests.cluster.conftest import ROOT

pytestmark = pytest.mark.usefixtures("crd")

GUILD = "123456789012345678"
OTHER = "876543210987654321"
SCRIPT = {"src/main.ts": "on('ready', () => {})"}
SHA256 = "ab" * 32


def deployment(
    source: Any = None, *, name: str = f"guild-{GUILD}", guild: Any = GUILD, **spec: Any
) -> Document:
    return {
        "apiVersion": "flora.uwu.network/v1alpha1",
        "kind": "GuildDeployment",
        "metadata": {"name": name},
        "spec": {"guildId": guild, "source": {"files": SCRIPT} if source is None else source, **spec},
    }


def secret(name: str = "KEY", **fields: Any) -> Document:
    return {"name": name, "secretKeyRef": {"name": "s", "key": "k"}, **fields}


def files(*paths: str) -> Document:
    return {"files": {**SCRIPT, **dict.fromkeys(paths, "")}}


def within(namespace: str, document: Document) -> Document:
    placed = deepcopy(document)
    placed["metadata"]["namespace"] = namespace
    return placed


GOOD = {
    "only what must be": deployment(),
    "a ConfigMap": deployment({"configMapRef": {"name": "bot"}}),
    "a bundle": deployment({"bundleRef": {"sha256": SHA256}}),
    "200 files": deployment(files(*(f"src/{number}.ts" for number in range(MAX_FILES - 1)))),
    "200 files with the longest paths": deployment(
        files(*(f"src/{number:0>248}.ts" for number in range(MAX_FILES - 1)))
    ),
    "1 MiB": deployment({"files": {"src/main.ts": "x" * MAX_BYTES}}),
    "two halves of 1 MiB": deployment(
        {"files": {"src/main.ts": "x" * (MAX_BYTES // 2), "b.ts": "x" * (MAX_BYTES // 2)}}
    ),
    "another entrypoint": deployment({"entrypoint": "bot.mjs", "files": {"bot.mjs": ""}}),
    "a path with spaces and umlauts": deployment(files("src/Grüße an alle.ts", "src/.hidden", "…/a.ts")),
    "the highest id": deployment(guild=str(2**64 - 1), name=f"guild-{2**64 - 1}"),
    "a simulated guild's id": deployment(guild="7", name="guild-7"),
    "all there is": deployment(
        secrets=[
            secret("A", allowedHosts=["api.example.com", "*.example.com", "http://localhost:8080"]),
            secret("B", allowedHosts=["[::1]:443"]),
        ],
        limits={"cpuMilliseconds": 10_000, "memoryMebibytes": 512},
        suspend=True,
        hibernation="Never",
    ),
}

BAD = {
    "no source": (deployment({}), "give exactly one of files, configMapRef and bundleRef"),
    "two sources": (deployment({"files": SCRIPT, "configMapRef": {"name": "bot"}}), "give exactly one of"),
    "three sources": (
        deployment({"files": SCRIPT, "configMapRef": {"name": "bot"}, "bundleRef": {"sha256": SHA256}}),
        "give exactly one of",
    ),
    "another name": (deployment(name="bot"), f"metadata.name must be guild-{GUILD}, so that"),
    "another guild's name": (deployment(name=f"guild-{OTHER}"), f"metadata.name must be guild-{GUILD}"),
    "no snowflake": (deployment(guild="me", name="guild-me"), "this is no Discord id; give its 15 to 20"),
    "an id with a zero in front": (deployment(guild="01", name="guild-01"), "this is no Discord id"),
    "an id above 64 bits": (deployment(guild=str(2**64), name=f"guild-{2**64}"), "this is no Discord id"),
    "a number for an id": (deployment(guild=int(GUILD)), "expected string"),
    "no guild": ({**deployment(), "spec": {"source": {"files": SCRIPT}}}, "spec.guildId: Required value"),
    "an entrypoint that is not there": (
        deployment({"entrypoint": "src/bot.ts", "files": SCRIPT}),
        "the entrypoint src/bot.ts is not among the files; set entrypoint to one of them, or add it",
    ),
    "the default entrypoint is not there": (
        deployment({"files": {"bot.ts": ""}}),
        "the entrypoint src/main.ts is not among the files",
    ),
    "an entrypoint that cannot be run": (
        deployment({"entrypoint": "types.d.ts", "files": {"types.d.ts": ""}}),
        "the entrypoint cannot be run; name a file that ends in .ts",
    ),
    "no files": (deployment({"files": {}}), "should have at least 1 properties"),
    "201 files": (
        deployment(files(*(f"src/{number}.ts" for number in range(MAX_FILES)))),
        "must have at most 200 items",
    ),
    "1.1 MiB": (
        deployment({"files": {"src/main.ts": "x" * 600_000, "src/b.ts": "x" * 550_000}}),
        "the sources have more than 1 MiB; leave out what is not needed",
    ),
    "1.1 MiB in one file": (
        deployment({"files": {"src/main.ts": "x" * 1_150_000}}),
        "Too long: may not be more than 1048576",
    ),
    "a path that leads out": (deployment(files("../x.ts")), 'the path "../x.ts" cannot be used; write it'),
    "a path that leads out later": (deployment(files("src/../../x.ts")), 'the path "src/../../x.ts" cannot'),
    "an absolute path": (deployment(files("/etc/passwd")), 'the path "/etc/passwd" cannot be used'),
    "a drive": (deployment(files("C:/bot.ts")), 'the path "C:/bot.ts" cannot be used'),
    "a backslash": (deployment(files("src\\a.ts")), "cannot be used; write it relative to the project"),
    "an empty path": (deployment(files("")), 'the path "" cannot be used'),
    "an empty segment": (deployment(files("src//a.ts")), 'the path "src//a.ts" cannot be used'),
    "a dot segment": (deployment(files("./a.ts")), 'the path "./a.ts" cannot be used'),
    "a line feed": (deployment(files("src/a\n.ts")), "cannot be used"),
    "a path that is read backwards": (deployment(files("src/\u202ets.a")), "cannot be used"),
    "a long path": (deployment(files("ü" * 128)), "a path is longer than 255 bytes; shorten it"),
    "a dependency": (deployment(files("node_modules/a/index.js")), "`flora deploy` brings a project's"),
    "a file that is no text": (deployment({"files": {"src/main.ts": 3}}), "expected string"),
    "no digest": (deployment({"bundleRef": {"sha256": "nope"}}), "give its 64 lower-case hexadecimal digits"),
    "a ConfigMap without a name": (deployment({"configMapRef": {}}), "configMapRef.name: Required value"),
    "too much memory": (
        deployment(limits={"memoryMebibytes": 513}),
        "spec.limits.memoryMebibytes in body should be less than or equal to 512",
    ),
    "too little memory": (deployment(limits={"memoryMebibytes": 15}), "greater than or equal to 16"),
    "no CPU": (deployment(limits={"cpuMilliseconds": 0}), "greater than or equal to 1"),
    "too much CPU": (deployment(limits={"cpuMilliseconds": 10_001}), "less than or equal to 10000"),
    "no such hibernation": (deployment(hibernation="Often"), 'supported values: "Auto", "Never"'),
    "a misspelt field": (deployment(suspended=True), ".spec.suspended: field not declared in schema"),
    "a misspelt limit": (deployment(limits={"memory": 64}), ".spec.limits.memory: field not declared"),
    "a misspelt source": (deployment({"file": SCRIPT}), ".spec.source.file: field not declared"),
    "a secret twice": (deployment(secrets=[secret(), secret()]), 'duplicate entries for key [name="KEY"]'),
    "a secret from nowhere": (deployment(secrets=[{"name": "KEY"}]), "secretKeyRef: Required value"),
    "a secret without a name": (deployment(secrets=[secret("")]), "should be at least 1 chars long"),
    "a secret to everywhere": (
        deployment(secrets=[secret(allowedHosts=["*"])]),
        "this is no host that a secret",
    ),
    "a secret to a page": (
        deployment(secrets=[secret(allowedHosts=["api.example.com/v1"])]),
        "write api.example.com, *.example.com, or http://localhost:8080",
    ),
}

CHANGES = {name: bad for name, (bad, _) in BAD.items() if bad["metadata"]["name"] == f"guild-{GUILD}"}
"""Those that go where the good one is."""


@pytest.mark.parametrize("good", GOOD.values(), ids=GOOD)
def test_a_good_document_is_accepted(api: Api, namespace: str, good: Document) -> None:
    taken = api.apply(within(namespace, good))
    assert taken["metadata"]["generation"] == 1


@pytest.mark.parametrize("good", GOOD.values(), ids=GOOD)
def test_what_is_accepted_reads_as_a_manifest(api: Api, namespace: str, good: Document) -> None:
    """The defaults that the API server fills in are those that the manifest has."""
    assert parse_manifest(api.apply(within(namespace, good))).spec == parse_manifest(good).spec


@pytest.mark.parametrize(("bad", "told"), BAD.values(), ids=BAD)
def test_a_bad_document_is_refused_and_told_what_to_do(
    api: Api, namespace: str, bad: Document, told: str
) -> None:
    document = within(namespace, bad)
    with pytest.raises(Refused) as refused:
        api.apply(document)
    assert told in refused.value.message
    assert refused.value.status in {400, 422, 500}
    with pytest.raises(Refused, match="404"):
        api.get(document)


@pytest.mark.parametrize("bad", CHANGES.values(), ids=CHANGES)
def test_a_bad_document_leaves_the_good_one_as_it_was(api: Api, namespace: str, bad: Document) -> None:
    before = api.apply(within(namespace, deployment()))
    with pytest.raises(Refused):
        api.apply(within(namespace, bad))
    assert api.get(before)["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


def test_the_example_is_accepted(api: Api, namespace: str) -> None:
    example = yaml.safe_load((ROOT / "examples/basic/guild.yaml").read_text())
    assert api.apply(within(namespace, example))["spec"]["source"] == example["spec"]["source"]


def test_a_guild_cannot_become_another(api: Api, namespace: str) -> None:
    api.apply(within(namespace, deployment()))
    with pytest.raises(Refused, match="guildId cannot be changed; apply another document"):
        api.apply(within(namespace, deployment(guild=OTHER)))


def test_the_same_guild_may_stand_in_two_namespaces(api: Api, namespace: str) -> None:
    """Admission sees one namespace; which of the two serves is the operator's to say."""
    api.apply(within(namespace, deployment()))
    api.apply(within("default", deployment()), dry_run=True)


def test_one_document_a_guild_in_a_namespace(api: Api, namespace: str) -> None:
    api.apply(within(namespace, deployment()))
    with pytest.raises(Refused, match="AlreadyExists"):
        api.create(within(namespace, deployment()))


# ---- Who owns what


def test_a_source_changes_hands_whole(api: Api, namespace: str) -> None:
    """From files that kubectl applied to a bundle of the API's: nothing of the files stays behind."""
    api.apply(within(namespace, deployment(files("src/a.ts"))), manager="kubectl")
    bundle = within(namespace, deployment({"bundleRef": {"sha256": SHA256}}))
    with pytest.raises(Refused, match=r'conflict with "kubectl": \.spec\.source'):
        api.apply(bundle, manager="flora-api")
    taken = api.apply(bundle, manager="flora-api", force=True)
    assert taken["spec"]["source"] == {"bundleRef": {"sha256": SHA256}, "entrypoint": "src/main.ts"}


def test_a_file_that_is_left_out_is_gone(api: Api, namespace: str) -> None:
    api.apply(within(namespace, deployment(files("src/a.ts"))))
    assert api.apply(within(namespace, deployment()))["spec"]["source"]["files"] == SCRIPT


def test_secrets_merge_by_name(api: Api, namespace: str) -> None:
    api.apply(within(namespace, deployment(secrets=[secret("A")])))
    addition = within(namespace, deployment(secrets=[secret("B")]))
    del addition["spec"]["source"]
    both = api.apply(addition, manager="somebody-else")
    assert {one["name"] for one in both["spec"]["secrets"]} == {"A", "B"}


# ---- Status


def ready(generation: int, **fields: Any) -> Document:
    return {
        "type": "Ready",
        "status": "True",
        "reason": "Loaded",
        "message": "serving on flora-runtime-0",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": generation,
        **fields,
    }


def status(document: Document, **fields: Any) -> Document:
    return {
        **{key: document[key] for key in ("apiVersion", "kind")},
        "metadata": {key: document["metadata"][key] for key in ("name", "namespace")},
        "status": fields,
    }


@pytest.fixture
def live(api: Api, namespace: str) -> Document:
    """A guild whose script is live, as the operator says it."""
    document = api.apply(within(namespace, deployment()))
    return api.apply_status(
        status(
            document,
            observedGeneration=1,
            conditions=[ready(1)],
            assignment={"pod": "flora-runtime-0", "worker": 1},
            bundle={"sha256": SHA256, "bytes": 18_231},
            revision=7,
            loadedAt="2026-01-01T00:00:00Z",
            subscribedEvents=["messageCreate"],
            cronJobs=1,
            lastError={"message": "no", "stack": "at ping (src/main.ts:1:2)", "at": "2026-01-01T00:00:00Z"},
        ),
        manager="flora-operator",
    )


def test_a_status_is_kept_and_is_no_new_generation(api: Api, live: Document) -> None:
    assert live["metadata"]["generation"] == 1
    assert api.get(live)["status"]["assignment"] == {"pod": "flora-runtime-0", "worker": 1}


def test_a_status_in_an_applied_document_is_without_effect(api: Api, namespace: str, live: Document) -> None:
    api.apply({**within(namespace, deployment()), "status": {"revision": 99}})
    assert api.get(live)["status"] == live["status"]


def test_writing_the_status_does_not_change_the_spec(api: Api, live: Document) -> None:
    changed = status(live, observedGeneration=1) | {"spec": live["spec"] | {"suspend": True}}
    api.apply_status(changed, manager="flora-operator")
    assert api.get(live)["spec"]["suspend"] is False


def test_a_change_of_the_spec_is_a_new_generation_and_keeps_the_status(
    api: Api, namespace: str, live: Document
) -> None:
    """So that the conditions' observedGeneration says they are out of date."""
    after = api.apply(within(namespace, deployment(suspend=True)))
    assert after["metadata"]["generation"] == 2
    assert after["status"]["conditions"][0]["observedGeneration"] == 1


def test_conditions_of_two_writers_stand_side_by_side(api: Api, live: Document) -> None:
    api.apply_status(status(live, conditions=[ready(1, type="Example")]), manager="somebody")
    assert {one["type"] for one in api.get(live)["status"]["conditions"]} == {"Ready", "Example"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"conditions": [ready(1, status="Maybe")]},
        {"conditions": [ready(1, reason="two words")]},
        {"conditions": [{"type": "Example"}]},
        {"observedGeneration": -1},
        {"phase": "Running"},
    ],
    ids=["no status", "no reason", "half a condition", "no generation", "a phase"],
)
def test_a_wrong_status_is_refused(api: Api, live: Document, wrong: Document) -> None:
    with pytest.raises(Refused):
        api.apply_status(status(live, **wrong))


# ---- kubectl get


def test_kubectl_knows_it_by_its_short_name_and_category(api: Api) -> None:
    resources = api.call("GET", "/apis/flora.uwu.network/v1alpha1")["resources"]
    (kind,) = [one for one in resources if one["name"] == "guilddeployments"]
    assert (kind["shortNames"], kind["categories"]) == (["gd"], ["flora"])
    assert "guilddeployments/status" in {one["name"] for one in resources}


def test_kubectl_get_shows_the_columns(api: Api, live: Document) -> None:
    table = api.call("GET", api.path(live), accept=TABLE)
    wide = {column["name"] for column in table["columnDefinitions"] if column["priority"] > 0}
    shown = dict(
        zip((column["name"] for column in table["columnDefinitions"]), table["rows"][0]["cells"], strict=True)
    )
    assert list(shown) == ["Name", "Guild", "Ready", "Reason", "Pod", "Revision", "Age"]
    assert wide == {"Revision"}
    assert shown | {"Age": ""} == {
        "Name": f"guild-{GUILD}",
        "Guild": GUILD,
        "Ready": "True",
        "Reason": "Loaded",
        "Pod": "flora-runtime-0",
        "Revision": 7,
        "Age": "",
    }


def test_kubectl_explain_has_the_descriptions(api: Api) -> None:
    schemas = api.call("GET", "/openapi/v3/apis/flora.uwu.network/v1alpha1")["components"]["schemas"]
    (kind,) = [schema for name, schema in schemas.items() if name.endswith(".GuildDeployment")]
    assert "exactly one of" in kind["properties"]["spec"]["properties"]["source"]["description"]


# ---- The same verdict as where there is no API server

SEGMENTS = st.sampled_from(
    [
        "a",
        "src",
        "..",
        ".",
        "",
        "ü",
        "C:",
        "node_modules",
        "a\\b",
        "\u200b",
        "\u2028",
        "\u3000",
        " ",
        "x" * 130,
    ]
)
# Letters that both Unicode tables know: Python's and Go's are of different years.
TEXTS = st.text(st.characters(max_codepoint=0x7FF), max_size=8)
PATHS = st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join) | TEXTS
ONCE = settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])


@ONCE
@given(path=PATHS)
def test_admission_and_the_toolchain_agree_about_paths(api: Api, path: str) -> None:
    source = {"entrypoint": "main.ts", "files": {"main.ts": "", path: ""}}
    assert accepted(api, deployment(source)) == valid(lambda: check_files(source["files"]))


@ONCE
@given(text=st.from_regex(r"[0-9]{0,21}", fullmatch=True) | st.text("0123456789-+ x", max_size=20))
def test_admission_and_the_parser_agree_about_guild_ids(api: Api, text: str) -> None:
    document = deployment(guild=text, name=f"guild-{text}")
    assert accepted(api, document) == valid(lambda: parse_guild_id(text))


def accepted(api: Api, document: Document) -> bool:
    try:
        api.apply(document, dry_run=True)
    except Refused:
        return False
    return True


def valid(check: Any) -> bool:
    try:
        check()
    except InvalidInput:
        return False
    return True
