"""The client against an API that fails in every way there is."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from flora_cli.api_access import ApiGuild
from flora_cli.client import Api, Broken
from flora_cli.config import Target
from flora_cli.errors import NotAllowed, NotLoggedIn, NotThere, Refused, Unavailable
from flora_cli.shapes import Put
from flora_core.errors import FloraError, InvalidInput
from tests.integration.cli.played_api import CUT, GUILD, TOKEN, Fault, PlayedApi, Stream, event, refusal


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def client(api: PlayedApi, pauses: list[float]) -> Iterator[Api]:
    with Api(Target(api.url, "--api", TOKEN), sleep=pauses.append, draw=lambda: 1.0) as client:
        yield client


@pytest.mark.parametrize("status", [429, 502, 503, 504, CUT])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_what_may_be_repeated_is_tried_again(
    api: PlayedApi, client: Api, pauses: list[float], method: str, status: int
) -> None:
    api.answers[f"{method} /x"] = {"fine": True}
    api.faults += [Fault(status), Fault(status)]
    assert client.call(method, "/x", dict[str, bool]) == {"fine": True}
    assert len(api.requests(method, "/x")) == 3
    assert pauses == [0.5, 1.0]


@pytest.mark.parametrize("status", [502, 503, 504])
def test_what_may_not_be_repeated_is_tried_once(api: PlayedApi, client: Api, status: int) -> None:
    api.answers["POST /x"] = {}
    api.faults.append(Fault(status))
    with pytest.raises(Unavailable):
        client.call("POST", "/x", dict[str, Any], body={})
    assert len(api.requests("POST", "/x")) == 1


def test_an_answer_that_broke_off_leaves_a_doubt(api: PlayedApi, client: Api) -> None:
    api.faults.append(Fault(CUT))
    with pytest.raises(Unavailable, match="it may have been done or not"):
        client.call("POST", "/x", dict[str, Any], body={})
    assert len(api.requests("POST", "/x")) == 1


def test_nothing_was_done_when_there_were_too_many(api: PlayedApi, client: Api, pauses: list[float]) -> None:
    api.answers["POST /x"] = {"fine": True}
    api.faults.append(Fault(429, headers={"Retry-After": "3"}))
    assert client.call("POST", "/x", dict[str, bool], body={}) == {"fine": True}
    assert pauses == [pytest.approx(3.3)]


def test_a_long_wait_is_told_and_not_waited(api: PlayedApi, client: Api, pauses: list[float]) -> None:
    api.faults_at["/x"] = Fault(503, b'{"message": "moving", "code": "GUILD_MOVING"}', {"Retry-After": "600"})
    with pytest.raises(Unavailable, match="moving; try again in 600 s") as caught:
        client.get("/x", dict[str, Any])
    assert (caught.value.code, pauses) == ("GUILD_MOVING", [])


def test_after_some_attempts_it_gives_up(api: PlayedApi, client: Api) -> None:
    api.faults_at["/x"] = refusal(503, "POD_UNREACHABLE", "its pod does not answer")
    with pytest.raises(Unavailable, match="its pod does not answer"):
        client.get("/x", dict[str, Any])
    assert len(api.requests("GET", "/x")) == 4


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidInput),
        (401, NotLoggedIn),
        (403, NotAllowed),
        (404, NotThere),
        (409, Refused),
        (500, Unavailable),
    ],
)
def test_a_no_is_a_no(api: PlayedApi, client: Api, status: int, kind: type[FloraError]) -> None:
    api.faults_at["/x"] = refusal(status, "NO", "because")
    with pytest.raises(kind, match="because"):
        client.get("/x", dict[str, Any])
    assert len(api.requests("GET", "/x")) == 1


def test_nobody_there_names_where_the_address_is_from(pauses: list[float]) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
    with (
        Api(Target(url, "flora.toml"), sleep=pauses.append) as client,
        pytest.raises(Unavailable, match=r"cannot be reached .*the address is from flora.toml"),
    ):
        client.call("POST", "/x", dict[str, Any])
    assert len(pauses) == 3, "it never left: that is tried again in any case"


def test_a_redirect_does_not_get_the_token(api: PlayedApi, client: Api) -> None:
    with PlayedApi().serving() as elsewhere:
        api.faults_at["/x"] = Fault(307, headers={"Location": f"{elsewhere.url}/api/x"})
        with pytest.raises(InvalidInput, match="answers with a redirect to"):
            client.get("/x", dict[str, Any])
        assert elsewhere.asked == []


def test_what_is_no_json_is_suspicious(api: PlayedApi, client: Api) -> None:
    api.answers["GET /x"] = b"<html>"
    with pytest.raises(Unavailable, match="something else than expected"):
        client.get("/x", dict[str, Any])


def test_names_travel_whole(api: PlayedApi, client: Api) -> None:
    guild = ApiGuild(client, GUILD)
    for key in ("a/b", "..", ".", "ümläut 😀", "100%", "a?b#c", " "):
        guild.put("s", Put(key, "v"))
        assert guild.get("s", key) is not None, key
        assert guild.delete("s", key)


# ---------------------------------------------------------------- streams


def lines(*places: str) -> str:
    return "".join(event({"n": place}, place=place) for place in places)


def test_a_stream_that_breaks_goes_on_where_it_was(api: PlayedApi, client: Api, pauses: list[float]) -> None:
    api.streams["/s"] = deque(
        [
            Stream(lines("1-0", "1-1"), ends=False),
            Stream(": nothing\n\n"),
            Stream(lines("1-1", "2-0") + "id: 3-0\ndata: half", ends=False),
            Stream(lines("3-0", "10-0"), ends=False),
        ]
    )
    why: list[str] = []
    following = client.follow("/s", {"level": "warn"}, last_id="0-5", on_break=why.append)
    seen = [next(following).id for _ in range(5)]
    assert seen == ["1-0", "1-1", "2-0", "3-0", "10-0"], "each once, none missing"
    asked = api.requests("GET", "/s")
    assert [each.headers.get("Last-Event-ID") for each in asked] == ["0-5", "1-1", "1-1", "2-0"]
    assert [each.query for each in asked] == 4 * [{"level": "warn"}]
    assert (len(why), pauses) == (3, [1.0, 2.0, 1.0])


def test_a_stream_that_ends_by_itself_is_no_break(api: PlayedApi, client: Api) -> None:
    """They do after some minutes; that it happens again at once is worth a word."""
    api.streams["/s"] = deque(
        [Stream(lines("1-0")), Stream(lines("2-0")), Stream(""), Stream(lines("3-0"), ends=False)]
    )
    why: list[str] = []
    following = client.follow("/s", {}, on_break=why.append)
    assert [next(following).id for _ in range(2)] == ["1-0", "2-0"]
    assert why == []
    assert next(following).id == "3-0"
    assert why == ["the stream ended"]


def test_following_ends_when_it_may_not_go_on(api: PlayedApi, client: Api) -> None:
    api.streams["/s"] = deque([Stream(lines("1-0"), ends=False), Stream("")])
    following = client.follow("/s", {}, on_break=lambda _why: None)
    assert next(following).id == "1-0"
    api.faults += [refusal(503, "GONE", "restarting"), refusal(401, "UNAUTHORIZED", "revoked")]
    with pytest.raises(NotLoggedIn, match="revoked"):
        next(following)


def test_a_cut_stream_is_broken_and_not_ended(api: PlayedApi, client: Api) -> None:
    api.streams["/s"] = deque([Stream(lines("1-0"), ends=False), Stream("", ends=False)])
    with pytest.raises(Broken):
        list(client.stream("/s", {}))


def test_an_endless_event_is_not_read(api: PlayedApi, client: Api) -> None:
    api.streams["/s"] = deque([Stream("data: " + "x" * (2 << 20))])
    with pytest.raises(Broken, match="over the limit"):
        list(client.stream("/s", {}))


# ---------------------------------------------------------------- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody trusts, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "played")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return folder / "cert.pem", folder / "key.pem"


def test_a_certificate_that_is_not_trusted_stops_it(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with PlayedApi().serving(tls=context) as api:
        target = Target(api.url, "--api", TOKEN)
        with (
            Api(target, sleep=pauses.append) as client,
            pytest.raises(Unavailable, match=r"its certificate is not trusted here.*SSL_CERT_FILE") as caught,
        ):
            client.get("/guilds", list[Any])
        assert (api.asked, pauses) == ([], []), "trying again would change nothing"
        assert TOKEN not in str(caught.value)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        with Api(target) as client:
            assert client.get("/guilds", list[Any])
