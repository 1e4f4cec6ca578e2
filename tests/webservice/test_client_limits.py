"""Limits of time and size, for the blocking and the awaiting client."""

from __future__ import annotations

import contextlib
import gzip
import io
import socket
import sys
import time
import tracemalloc
import zlib

import pytest

from airflow_provider_apscores.errors import FileTooLarge, ServiceUnavailable, TransferBroken, UnexpectedReply
from airflow_provider_apscores.webservice import FileOrder, GeneratedFile, Secret
from tests.webservice.raw_server import LOGIN, NOTHING_NEW, RawServer, chunked, drip, http, json_reply

FILE = b"".join(b"%-950d\n" % number for number in range(60))
BLOB = b"7" * (1 << 20)

CALLS = {
    "login": lambda client: client.log_in(patience=0.3),
    "order": lambda client: client.order("4866", patience=0.3),
    "record": lambda client: client.record("7300", "TXT", patience=0.3),
}
#: The reply that each call would succeed with, if it were given the time.
REPLIES = {"login": LOGIN, "order": NOTHING_NEW, "record": json_reply()}


def fetch(client, server, sink=None, **settings):
    sink = io.BytesIO() if sink is None else sink
    generated = GeneratedFile(FileOrder("4866"), "7300", "scores.txt", Secret(f"{server.origin}/files/7300"))
    return client.download(generated, sink, **settings), sink


# ------------------------------------------------------------------------------------------------------ deadlines


def dripped(reply: bytes, where: str):
    body = reply.partition(b"\r\n\r\n")[2]
    match where:
        case "headers":
            return drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", reply.partition(b"\r\n")[2])
        case "body":
            return drip(http(length=10_000 + len(body)), b" ", b" " * 10_000 + body)
        case "chunk-size":
            return drip(http(length=None, Transfer_Encoding="chunked") + b"1;", b"x", b"\r\n \r\n0\r\n\r\n")
        case "interim":
            return drip(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", reply)
    return drip(b"", b"", reply)


@pytest.mark.parametrize("where", ["nothing", "headers", "interim", "body", "chunk-size"])
@pytest.mark.parametrize("call", CALLS)
def test_a_dripped_reply_ends_with_the_patience(client_of, call, where):
    scripts = [] if call == "login" else [LOGIN]
    with RawServer(*scripts, dripped(REPLIES[call], where)) as server:
        client = client_of(server.base_url, timeout=30.0)
        if call != "login":
            client.log_in()
        with pytest.raises(ServiceUnavailable, match=r"no complete answer within 0\.3 s"):
            CALLS[call](client)
    assert len(server.seen) == len(scripts) + 1


@pytest.mark.parametrize("where", ["nothing", "headers", "body"])
def test_a_dripped_reply_ends_with_the_time_out_too(client_of, where):
    with RawServer(dripped(LOGIN, where)) as server, pytest.raises(ServiceUnavailable, match="no complete answer"):
        client_of(server.base_url, timeout=0.2, patience=2.0).log_in()


def test_a_tls_handshake_that_is_not_answered_ends_with_the_patience(client_of):
    with RawServer(b"") as server, pytest.raises(ServiceUnavailable, match=r"in time|within"):
        # RawServer waits for a request that never ends.
        client_of(server.base_url.replace("http:", "https:"), timeout=30.0).log_in(patience=0.3)


@pytest.mark.parametrize("where", ["nothing", "headers", "interim"])
def test_the_headers_of_a_file_have_a_deadline(client_of, where):
    with RawServer(LOGIN, dripped(http(FILE), where), http(FILE)) as server:
        _, sink = fetch(client_of(server.base_url, timeout=0.3), server)
    assert sink.getvalue() == FILE
    assert len(server.seen) == 3


@pytest.mark.parametrize("where", ["body", "chunk-size"])
def test_a_file_that_drips_is_a_broken_transfer(client_of, where):
    with RawServer(LOGIN, dripped(http(FILE), where)) as server:
        client = client_of(server.base_url, timeout=0.2)
        with pytest.raises(TransferBroken, match=r"fewer than 1024 bytes a second came for 0\.2 s.*4 tries"):
            fetch(client, server)


def test_a_slow_file_has_no_total_limit(client_of):
    script = drip(http(length=50 * 500), b"7" * 500, b"", seconds=1.0)
    with RawServer(LOGIN, script) as server:
        transfer, sink = fetch(client_of(server.base_url, timeout=0.3, patience=0.5), server)
    assert sink.getvalue() == b"7" * 25_000
    assert len(server.seen) == 2
    assert transfer.bytes == 25_000


def test_a_slow_sink_is_not_taken_for_a_slow_service(client_of):
    class Slow(io.BytesIO):
        def write(self, data):
            time.sleep(0.2)
            return super().write(data)

    with RawServer(LOGIN, http(BLOB * 4)) as server:
        _, sink = fetch(client_of(server.base_url, timeout=0.15), server, Slow())
    assert sink.getvalue() == BLOB * 4
    assert len(server.seen) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="a full backlog is refused elsewhere")
def test_all_addresses_of_a_host_share_one_deadline(client_of, mocker):
    with RawServer(LOGIN) as server, contextlib.closing(socket.create_server(("127.0.0.1", 0), backlog=0)) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]  # more than the backlog holds: further ones get no answer
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        known = socket.getaddrinfo

        def resolve(host, *arguments, **named):
            if host not in ("scores.test", b"scores.test"):
                return known(host, *arguments, **named)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", to)) for to in [port] * 5 + [server.port]]

        mocker.patch("socket.getaddrinfo", side_effect=resolve)
        with pytest.raises(ServiceUnavailable):
            client_of("https://scores.test", timeout=30.0).log_in(patience=0.4)
        for each in waiting:
            each.close()
    assert server.connections == 0


# ---------------------------------------------------------------------------------------------------------- sizes


class Count:
    def __init__(self):
        self.bytes = 0

    def write(self, data):
        self.bytes += len(data)

    def restart(self):
        self.bytes = 0


LIMIT = 1 << 20


@pytest.mark.parametrize(
    ("reply", "stored"),
    [
        (http(BLOB + b"7"), 0),  # announced: nothing of it is stored
        (http(b"7" * 1000, length=1 << 50), 0),
        (chunked([BLOB] * 3), LIMIT),
        (http(BLOB * 3, length=None), LIMIT),
        (http(gzip.compress(BLOB * 64), Content_Encoding="gzip"), LIMIT),
        (http(zlib.compress(BLOB * 64), Content_Encoding="deflate"), LIMIT),
        (
            http(gzip.compress(b"") * (LIMIT // 20 + 1), length=None, Content_Encoding="gzip"),
            0,
        ),  # nothing ever comes out
    ],
    ids=["length", "huge-length", "chunks", "unframed", "gzip-bomb", "deflate-bomb", "empty-members"],
)
def test_a_file_over_the_limit_is_refused_once(client_of, waited, reply, stored):
    sink = Count()
    with RawServer(LOGIN, reply) as server:
        client = client_of(server.base_url)
        with pytest.raises(FileTooLarge, match=r"max_bytes \(1048576 bytes\).*raise max_bytes") as caught:
            fetch(client, server, sink, max_bytes=LIMIT)
    assert not caught.value.transient
    assert sink.bytes <= stored
    assert (len(server.seen), waited) == (2, [])


def test_a_file_as_large_as_the_limit_lands(client_of):
    for reply in (http(BLOB), chunked([BLOB]), http(gzip.compress(BLOB), Content_Encoding="gzip")):
        with RawServer(LOGIN, reply) as server:
            transfer, _ = fetch(client_of(server.base_url), server, max_bytes=LIMIT)
        assert transfer.bytes == LIMIT


ENDLESS = {
    "blanks": ({}, b" " * 65536),
    "page": ({"Content_Type": "text/html"}, b"<html>" * 10_000),
    "bomb": ({"Content_Encoding": "gzip"}, gzip.compress(b"7" * (64 << 20))),
}


@pytest.mark.parametrize("body", ENDLESS)
@pytest.mark.parametrize(
    ("call", "status"), [("order", 200), ("order", 404), ("order", 503), ("download", 404), ("download", 503)]
)
def test_an_endless_reply_is_read_only_as_far_as_it_is_kept(client_of, call, status, body):
    headers, piece = ENDLESS[body]
    with RawServer(LOGIN, drip(http(b"", status, length=None, **headers), piece, b"")) as server:
        client = client_of(server.base_url, timeout=2.0)
        with pytest.raises((UnexpectedReply, ServiceUnavailable)) as caught:
            client.order("4866") if call == "order" else fetch(client, server)
    assert "no complete answer" not in str(caught.value)


def test_an_endless_page_in_place_of_a_file_is_not_read_to_its_end(client_of):
    headers, piece = ENDLESS["page"]
    with RawServer(LOGIN, drip(http(b"", length=None, **headers), piece, b"", seconds=20.0), http(FILE)) as server:
        _, sink = fetch(client_of(server.base_url), server)
    assert sink.getvalue() == FILE


def test_memory_does_not_grow_with_a_body(client_of):
    def large(connection):
        connection.sendall(http(length=64 << 20))
        for _ in range(64):
            connection.sendall(BLOB)

    with RawServer(LOGIN, large) as server:
        client, sink = client_of(server.base_url), Count()
        client.log_in()
        tracemalloc.start()
        try:
            transfer, _ = fetch(client, server, sink)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert sink.bytes == transfer.bytes == 64 << 20
    assert peak < 12 << 20
