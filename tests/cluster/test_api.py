"""The client that the tests of this folder speak through."""

from __future__ import annotations

import http.client

import pytest

from cluster import api as client
from cluster.api import Api
from cluster.control_plane import Cluster
from cluster.errors import Refused
from cluster.kubeconfig import Access, read


def test_a_connection_that_was_quiet_is_opened_anew(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server hangs up on those, and a call on one would fail."""
    with cluster.api() as api:
        assert api.ready()
        hang_up(api)
        monkeypatch.setattr(client, "IDLE_SECONDS", 0.0)
        assert api.ready()


def test_after_a_broken_connection_the_next_call_works(cluster: Cluster) -> None:
    with cluster.api() as api:
        assert api.ready()
        hang_up(api)
        with pytest.raises((OSError, http.client.HTTPException)):
            api.call("GET", "/version")
        assert api.ready()


def hang_up(api: Api) -> None:
    api._connection.sock.close()


def test_nobody_there_is_not_ready() -> None:
    with Api(Access(server="https://127.0.0.1:1")) as api:
        assert not api.ready()


def test_the_kubeconfig_leads_to_the_cluster(cluster: Cluster) -> None:
    with Api(read(cluster.kubeconfig)) as api:
        assert api.ready()


def test_what_is_refused_has_status_reason_and_message(api: Api) -> None:
    with pytest.raises(Refused) as refused:
        api.call("GET", "/api/v1/namespaces/nowhere")
    assert (refused.value.status, refused.value.reason) == (404, "NotFound")
    assert refused.value.message == 'namespaces "nowhere" not found'


def test_a_kind_that_is_not_known_is_refused(api: Api) -> None:
    with pytest.raises(Refused, match="/api/v1 has no Nonsense"):
        api.get({"apiVersion": "v1", "kind": "Nonsense", "metadata": {"name": "a"}})
