"""What the gateway's frames do to a link: each event once, each result once, whoever sends them again."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import Raw
from prometheus_client import REGISTRY

from flora_core.errors import FrameTooLarge, MalformedFrame, TruncatedStream, UnknownFrame, WireError
from flora_core.streams import Token
from flora_core.wire.gateway import Beat, Event, Hello, Op, Result, upstream
from flora_runtime.supervisor.link import GatewayLink
from flora_runtime.supervisor.upstream import Upstream


class Sink:
    """Remembers what came through."""

    def __init__(self) -> None:
        self.events: list[int] = []
        self.results: list[int] = []

    def on_event(self, event: Event) -> None:
        self.events.append(event.offset)

    def on_result(self, result: Result) -> None:
        self.results.append(result.offset)


class Wire:
    """Takes the lines that go up."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def write(self, line: bytes) -> None:
        self.lines.append(line)

    def discard(self) -> None:
        self.lines.clear()


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def link(sink: Sink, wire: Wire) -> GatewayLink:
    """A link that has been greeted by the gateway process ``a``."""

    def refuse(guild: str, op: int, error: object) -> None:
        raise AssertionError(f"{guild} {op} {error}")

    made = GatewayLink(
        "http://gateway.invalid",
        "pod-0",
        token=Token(),
        sink=sink,
        make_upstream=lambda _: Upstream(wire, refuse),
    )
    made._take(Hello("a", 1, 0), 0.0)
    return made


def event(offset: int, sequence: int = 0, session: str = "s") -> Event:
    return Event(offset, "MESSAGE_CREATE", "1", session, sequence, 0, Raw(b"{}"))


def result(offset: int, op: int = 1) -> Result:
    return Result(offset, "1", op, ok=True, value=Raw(b"null"))


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"flora_runtime_{name}_total", labels) or 0.0


def test_a_stream_begins_where_the_gateway_says(link: GatewayLink) -> None:
    link._take(Hello("b", 18, 0), 0.0)
    assert (link.acks.highest, link.acks.low_water) == (17, 17)
    assert link.acks.to_tell() is None, "what came before this pod is none of its business"


def test_events_and_results_share_one_numbering(link: GatewayLink, sink: Sink) -> None:
    link._take(event(1, 10), 0.0)
    link._take(result(2), 0.0)
    link._take(event(3, 11), 0.0)
    assert (sink.events, sink.results) == ([1, 3], [2])
    assert link.acks.low_water == 0
    link.acks.safe(1)
    assert link.acks.low_water == 2, "a result is safe as soon as it is here"


def test_frames_that_are_sent_again_are_taken_once(link: GatewayLink, sink: Sink) -> None:
    for _ in range(2):
        link._take(event(1, 10), 0.0)
        link._take(result(2), 0.0)
    assert (sink.events, sink.results) == ([1], [2])


def test_the_same_event_under_another_offset_is_taken_once_and_acknowledged(
    link: GatewayLink, sink: Sink
) -> None:
    before = counted("events_repeated")
    link._take(event(1, 10), 0.0)
    link.acks.safe(1)
    link._take(event(2, 10), 0.0)
    assert sink.events == [1]
    assert link.acks.low_water == 2
    assert counted("events_repeated") == before + 1


def test_a_replay_to_another_gateway_is_recognised_too(link: GatewayLink, sink: Sink) -> None:
    link._take(event(1, 10), 0.0)
    link._take(Hello("b", 1, 0), 0.0)
    link._take(event(1, 10), 0.0)
    link._take(event(2, 11), 0.0)
    assert sink.events == [1, 2]


def test_two_sessions_may_count_alike(link: GatewayLink, sink: Sink) -> None:
    link._take(event(1, 10, "one"), 0.0)
    link._take(event(2, 10, "two"), 0.0)
    assert sink.events == [1, 2]


def test_events_without_a_sequence_are_never_taken_for_repeated(link: GatewayLink, sink: Sink) -> None:
    link._take(event(1), 0.0)
    link._take(event(2), 0.0)
    assert sink.events == [1, 2]


def test_what_is_numbered_anew_is_new(link: GatewayLink, sink: Sink) -> None:
    link._take(event(1, 10), 0.0)
    link._take(result(2), 0.0)
    link._take(Hello("b", 1, 0), 0.0)
    link._take(result(1), 0.0)
    assert sink.results == [2, 1]
    link.acks.safe(1)  # the event of the old numbering
    assert link.acks.to_tell() == 1


def test_the_same_gateway_goes_on_where_it_was(link: GatewayLink, sink: Sink) -> None:
    link._take(event(1, 10), 0.0)
    link._take(Hello("a", 5, 0), 0.0)
    assert (link.acks.highest, link.acks.low_water) == (1, 0)
    link._take(event(1, 10), 0.0)
    link._take(event(2, 11), 0.0)
    assert sink.events == [1, 2]


def test_a_hello_brings_what_the_gateway_lacks(link: GatewayLink, wire: Wire) -> None:
    for id_ in (1, 2, 3):
        link.upstream.call("1", id_, "sendMessage", Raw(b"{}"), now=0.0)
    wire.lines.clear()
    link._take(Hello("a", 1, 2), 0.0)
    frames = [upstream.decode(line.strip()) for line in wire.lines]
    assert [frame.sequence for frame in frames if isinstance(frame, Op)] == [3]


def test_the_bot_is_remembered_when_a_gateway_does_not_know_it_yet(link: GatewayLink) -> None:
    assert link.bot == ""
    link._take(Hello("a", 1, 0, bot="42"), 0.0)
    link._take(Hello("b", 1, 0), 0.0)
    assert link.bot == "42"


def test_a_beat_changes_nothing(link: GatewayLink, sink: Sink, wire: Wire) -> None:
    wire.lines.clear()
    link._take(Beat(99, 99), 0.0)
    assert (link.acks.highest, sink.events, sink.results, wire.lines) == (0, [], [], [])


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MalformedFrame("x"), "malformed"),
        (UnknownFrame("x"), "unknown_kind"),
        (FrameTooLarge(2, limit=1), "too_large"),
        (TruncatedStream("x"), "truncated"),
    ],
)
async def test_frames_that_cannot_be_read_are_counted_by_reason(
    link: GatewayLink, error: WireError, reason: str
) -> None:
    before = counted("bad_frames", stream="gateway", reason=reason)
    link._bad_frame(error)
    assert counted("bad_frames", stream="gateway", reason=reason) == before + 1


async def test_every_pod_process_has_a_name_of_its_own(link: GatewayLink, sink: Sink, wire: Wire) -> None:
    other = GatewayLink(
        "http://gateway.invalid",
        "pod-0",
        token=Token(),
        sink=sink,
        make_upstream=lambda _: Upstream(wire, lambda *_: None),
    )
    assert link._ops_url.startswith("http://gateway.invalid/v1/pods/pod-0/ops?process=")
    assert link._ops_url != other._ops_url


def test_an_event_of_the_wire_is_the_event_that_was_sent() -> None:
    line = b'{"k":"event","o":3,"t":"READY","g":"","x":"s","s":1,"at":5,"d":{ "v" : 10 }}'
    decoded = msgspec.json.decode(line, type=Event)
    assert (decoded.offset, decoded.guild, bytes(decoded.data)) == (3, "", b'{ "v" : 10 }')
