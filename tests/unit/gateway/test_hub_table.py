"""Every event of the table in the hub: sent to who wants it, kept from who does not, learned from all the same."""

from __future__ import annotations

import json

import pytest

from flora_core.events import INTERACTION, READY, TABLE, EventKind
from flora_core.wire.gateway import Event, Subscribe
from tests.event_samples import KINDS, Samples
from tests.unit.gateway.test_hub import HubUnderTest, dropped

GUILD, CHANNEL = "1", "5"
SAMPLES = Samples(guild=GUILD, channel=CHANNEL, user="4")
ROUTED = pytest.mark.parametrize(
    "kind", [kind for kind in TABLE if kind.type != READY], ids=lambda kind: kind.name
)
OF_CHANNELS = ["channelCreate", "channelUpdate", "threadCreate", "threadUpdate"]


@pytest.fixture
def under_test() -> HubUnderTest:
    return HubUnderTest()


def emit(under_test: HubUnderTest, kind: EventKind) -> int:
    return under_test.raw(kind.type, json.dumps(SAMPLES.of(kind)).encode())


@ROUTED
def test_an_event_goes_to_the_pod_of_a_guild_that_handles_it(
    under_test: HubUnderTest, kind: EventKind
) -> None:
    under_test.hub.subscribe("pod-0", Subscribe(GUILD, [kind.name]))
    emit(under_test, kind)
    (event,) = under_test.sent("pod-0")
    assert isinstance(event, Event)
    assert (event.type, event.guild) == (kind.type, GUILD)
    assert json.loads(bytes(event.data)) == SAMPLES.of(kind)
    assert under_test.sent("pod-1") == []


@ROUTED
def test_an_event_that_a_guild_does_not_handle_never_leaves_the_gateway(
    under_test: HubUnderTest, kind: EventKind
) -> None:
    others = [other for other in KINDS if other != kind.name]
    under_test.hub.subscribe("pod-0", Subscribe(GUILD, others, own=True))
    before = dropped(kind.type, "not_subscribed")
    sequence = emit(under_test, kind)
    assert under_test.sent("pod-0") == []
    assert dropped(kind.type, "not_subscribed") == before + 1
    assert under_test.low_water.mark == sequence, "it is not asked of Discord again"


@ROUTED
def test_an_event_of_a_guild_without_a_route_goes_nowhere(under_test: HubUnderTest, kind: EventKind) -> None:
    elsewhere = Samples(guild="9", channel=CHANNEL, user="4").of(kind)
    under_test.raw(kind.type, json.dumps(elsewhere).encode())
    assert under_test.sent("pod-0") == []


@pytest.mark.parametrize("name", OF_CHANNELS)
@pytest.mark.parametrize("wanted", [True, False])
def test_the_gateway_learns_whose_a_channel_is_whoever_handles_it(
    under_test: HubUnderTest, name: str, wanted: bool
) -> None:
    under_test.hub.subscribe("pod-0", Subscribe(GUILD, [name] if wanted else []))
    emit(under_test, KINDS[name])
    assert under_test.scope.guild_of_channel(SAMPLES.of(KINDS[name])["id"]) == GUILD


@pytest.mark.parametrize(
    ("made", "gone"), [("channelCreate", "channelDelete"), ("threadCreate", "threadDelete")]
)
def test_the_gateway_forgets_what_was_deleted(under_test: HubUnderTest, made: str, gone: str) -> None:
    thing = SAMPLES.of(KINDS[made])["id"]
    emit(under_test, KINDS[made])
    deleted = SAMPLES.of(KINDS[gone]) | {"id": thing}
    under_test.raw(KINDS[gone].type, json.dumps(deleted).encode())
    assert under_test.scope.guild_of_channel(thing) is None


@pytest.mark.parametrize("name", [kind.name for kind in TABLE if kind.droppable])
def test_droppable_events_are_left_out_when_a_guild_does_not_keep_up(name: str) -> None:
    under_test = HubUnderTest(guild_limit=2)
    for _ in range(3):
        emit(under_test, KINDS[name])
    assert len(under_test.sent("pod-0")) == 2


@pytest.mark.parametrize("name", [kind.name for kind in TABLE if not kind.droppable and kind.type != READY])
def test_the_others_are_kept(name: str) -> None:
    under_test = HubUnderTest(guild_limit=2)
    for _ in range(3):
        emit(under_test, KINDS[name])
    assert len(under_test.sent("pod-0")) == 3


@pytest.mark.parametrize("name", [kind.name for kind in TABLE if kind.type == INTERACTION])
def test_interactions_are_known_by_their_token(under_test: HubUnderTest, name: str) -> None:
    emit(under_test, KINDS[name])
    token = SAMPLES.of(KINDS[name])["token"]
    assert under_test.scope.interaction_age(GUILD, token) is not None
    assert under_test.scope.interaction_age("2", token) is None


def test_a_direct_channel_is_nobodys(under_test: HubUnderTest) -> None:
    before = dropped("CHANNEL_CREATE", "no_guild")
    under_test.event("CHANNEL_CREATE", id="77", type=1, recipients=[])
    assert dropped("CHANNEL_CREATE", "no_guild") == before + 1
    assert under_test.scope.guild_of_channel("77") is None
