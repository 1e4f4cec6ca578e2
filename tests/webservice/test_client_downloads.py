"""Transfers of files: retries, sinks, expired URLs, redirects."""

from __future__ import annotations

import hashlib
import io

import pytest

from airflow_provider_apscores.errors import (
    DownloadExpired,
    InsecureAddress,
    StorageUnavailable,
    TransferBroken,
)
from airflow_provider_apscores.webservice import FileOrder, GeneratedFile
from tests.webservice.raw_server import LOGIN, RawServer, http, offer

FILE = b"".join(b"%-950d\n" % number for number in range(60))
CAMPUS = "0901"


def fetch(client, di_code=CAMPUS):
    sink = io.BytesIO()
    return client.download(client.order(di_code), sink), sink.getvalue()


@pytest.mark.parametrize(
    "fault", ["truncate=0", "truncate=0.5", "truncate=0.999", "break=0.5", "html", "503", "500", "drop", "reset"]
)
def test_a_broken_transfer_starts_again(sandbox, client, fault, waited):
    sandbox.fail("download", fault, times=3)
    transfer, content = fetch(client)
    assert content.count(b"\n") == 40
    assert transfer.sha256 == hashlib.sha256(content).hexdigest()
    assert (sandbox.counts["download"], sandbox.counts["order"]) == (4, 1)
    assert waited == [1, 2, 4]


@pytest.mark.parametrize("fault", ["truncate", "break"])
def test_a_transfer_that_keeps_breaking(sandbox, client, fault):
    sandbox.fail("download", fault, times=None)
    with pytest.raises(TransferBroken, match=rf"campus {CAMPUS}.*4 tries"):
        fetch(client)


@pytest.mark.parametrize("failure", [StorageUnavailable("The disk is full."), TransferBroken("of its own"), OSError()])
def test_an_error_of_the_sink_ends_the_call_at_once(sandbox, client, failure, waited):
    class Full:
        def write(self, data):
            raise failure

        def restart(self):
            raise AssertionError

    generated = client.order(CAMPUS)
    with pytest.raises(type(failure)) as caught:
        client.download(generated, Full())
    assert caught.value is failure
    assert (sandbox.counts["download"], waited) == (1, [])


def test_an_expired_url_costs_a_fresh_order(sandbox, client):
    sandbox.fail("download", "403")
    transfer, content = fetch(client)
    assert content.count(b"\n") == 40
    assert transfer.generated.download_id == sandbox.calls[-1].download_id
    assert sandbox.counts["order"] == 2


def test_urls_that_keep_expiring(sandbox, client):
    sandbox.fail("download", "403", times=None)
    with pytest.raises(DownloadExpired):
        fetch(client)
    assert sandbox.counts["order"] == 4


def test_a_download_may_be_redirected_but_its_token_may_not(client_of):
    with RawServer() as server, RawServer(http(FILE)) as other:
        server.scripts = [
            LOGIN,
            offer(f"{server.origin}/files/1"),
            http(status=302, Location="/files/again?Signature=2"),
            http(status=307, Location=f"{other.origin}/cdn/1?Signature=3"),
        ]
        _, content = fetch(client_of(server.base_url))
    assert content == FILE
    assert [seen.target for seen in server.seen[2:]] == ["/files/1", "/files/again?Signature=2"]
    assert all("x-cb-catapult-authorization-token" in seen.headers for seen in server.seen)
    assert not [name for name in other.seen[0].headers if name.startswith("x-cb")]


def test_a_file_at_an_unsafe_address_is_not_fetched(client_of):
    with RawServer() as server:
        server.scripts = [LOGIN, offer("http://files.example/a?s1gnature")]
        with pytest.raises(InsecureAddress):
            client_of(server.base_url).order(CAMPUS)
        server.scripts = [LOGIN, offer(f"{server.origin}/a"), http(status=302, Location="http://files.example/?s1gn")]
        with pytest.raises(InsecureAddress) as caught:
            fetch(client_of(server.base_url))
    assert "s1gn" not in str(caught.value)


def test_a_download_handed_on_as_data_can_be_fetched_later(sandbox, client_of):
    found = client_of(sandbox.base_url).order(CAMPUS)
    again = GeneratedFile(FileOrder(CAMPUS), found.download_id, found.file_name, found.url)
    assert client_of(sandbox.base_url).download(again, io.BytesIO()).bytes == 40 * 951
