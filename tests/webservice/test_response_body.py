"""How a response body is processed, in pieces of any size."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_apscores.errors import ServiceUnavailable, StorageUnavailable, TransferBroken, UnexpectedReply
from airflow_provider_apscores.webservice import Reply, Request
from airflow_provider_apscores.webservice.response_body import KEPT_BYTES, ResponseBody

FILE = b"".join(b"%-950d\n" % number for number in range(3000))
DOWNLOAD = Request("GET", "https://files.example/a", {}, None, "download", "fetching a file")
ORDER = Request("POST", "https://api.example/o", {}, b"", "order", "ordering a file")


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def receive(
    incoming: ResponseBody, body: bytes, headers: dict[str, str] | None = None, *, status: int = 200,
    request: Request = DOWNLOAD, size: int = 65536,
) -> Reply:  # fmt: skip
    incoming.begin(request, status, {"Content-Length": str(len(body)), **(headers or {})})
    for chunk in pieces(body, size):
        if work := incoming.take(chunk):
            work.result()
    if work := incoming.flush():
        work.result()
    return incoming.end()


@pytest.fixture
def sink() -> io.BytesIO:
    return io.BytesIO()


@pytest.fixture
def incoming(sink: io.BytesIO) -> Iterator[ResponseBody]:
    made = ResponseBody(sink)
    yield made
    made.close()


@pytest.mark.parametrize("size", [1 << 22, 65536, 1000, 951])
@pytest.mark.parametrize(
    ("encode", "encoding"),
    [
        (bytes, ""),
        (bytes, "identity"),
        (gzip.compress, "gzip"),
        (gzip.compress, "X-GZIP"),
        (zlib.compress, "deflate"),
    ],
)
def test_a_file_reaches_the_sink_whole(incoming, sink, encode, encoding, size):
    reply = receive(incoming, encode(FILE), {"content-encoding": encoding}, size=size)
    assert sink.getvalue() == FILE
    assert reply.received is not None
    assert (reply.received.bytes, reply.received.sha256) == (len(FILE), hashlib.sha256(FILE).hexdigest())
    assert reply.body == b""


@pytest.mark.parametrize("body", [b"", b"x", b"\n", b" " * 100, b"short\n", b'\xef\xbb\xbf"AP Number","x"\n'])
@pytest.mark.parametrize("size", [1, 1000])
def test_a_short_file_is_a_file_too(incoming, sink, body, size):
    reply = receive(incoming, body, size=size)
    assert (sink.getvalue(), reply.received.bytes) == (body, len(body))


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"<!DOCTYPE html><html>sorry</html>", {}),
        (b"\r\n  <HTML>" + b"x" * 3_000_000, {}),
        (b'\xef\xbb\xbf<?xml version="1.0"?><Error/>', {}),
        (b"Sorry, we are in maintenance", {"content-type": "text/html; charset=utf-8"}),
        (b'{"success": false, "message": "no"}', {}),
        (gzip.compress(b"<html>sorry</html>"), {"Content-Encoding": "gzip"}),
    ],
)
@pytest.mark.parametrize("size", [1, 100_000])
def test_a_page_in_place_of_a_file_never_reaches_the_sink(incoming, sink, body, headers, size):
    if size == 1 and len(body) > 10_000:
        body = body[:5000]
    reply = receive(incoming, body, headers, size=size)
    assert sink.getvalue() == b""
    assert reply.received is None
    assert 0 < len(reply.body) <= KEPT_BYTES


@pytest.mark.parametrize(("request_", "status"), [(ORDER, 200), (DOWNLOAD, 403), (DOWNLOAD, 206), (DOWNLOAD, 500)])
def test_other_replies_are_kept(incoming, sink, request_, status):
    reply = receive(incoming, b"what it says", {"X-Y": "z"}, status=status, request=request_)
    assert (reply.status, reply.body, reply.header("x-y"), reply.received) == (status, b"what it says", "z", None)
    assert sink.getvalue() == b""


@pytest.mark.parametrize("announced", [len(FILE) + 1, len(FILE) - 1, 0])
def test_a_file_of_another_length_than_announced_is_broken(incoming, announced):
    with pytest.raises(TransferBroken, match=f"{len(FILE)} bytes came of {announced}"):
        receive(incoming, FILE, {"Content-Length": str(announced)})


@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_compressed_data_that_ends_early_is_broken(incoming, share):
    whole = gzip.compress(FILE)
    part = whole[: int(len(whole) * share)]
    with pytest.raises(TransferBroken):
        receive(incoming, part, {"Content-Encoding": "gzip", "Content-Length": ""})


def test_damaged_compressed_data_is_broken(incoming):
    damaged = bytearray(gzip.compress(FILE))
    damaged[len(damaged) // 2] ^= 0xFF
    with pytest.raises(TransferBroken):
        receive(incoming, bytes(damaged), {"Content-Encoding": "gzip"})


def test_a_compressed_file_is_decoded_in_bounded_memory(incoming, sink):
    held: list[int] = []
    sink.write = lambda data: held.append(len(data))  # type: ignore[method-assign,assignment,func-returns-value]
    sink = io.BytesIO()
    receive(incoming, gzip.compress(b"7" * (64 << 20)), {"Content-Encoding": "gzip"})
    assert max(held) <= 1 << 20
    assert sum(held) == 64 << 20


def test_a_file_in_an_unknown_encoding_is_refused(incoming):
    with pytest.raises(UnexpectedReply, match="encoding"):
        receive(incoming, FILE, {"Content-Encoding": "br"})


@pytest.mark.parametrize(
    ("headers", "framed"),
    [
        ({"Content-Length": str(len(FILE))}, True),
        ({"content-length": str(len(FILE)), "Transfer-Encoding": "chunked"}, True),
        ({"Content-Length": "", "transfer-encoding": "Chunked"}, True),
        ({"Content-Length": "", "Connection": "close"}, False),
    ],
)
def test_a_file_says_whether_its_end_was_marked(incoming, headers, framed):
    received = receive(incoming, FILE, headers).received
    assert received is not None
    assert received.framed is framed


def test_a_second_transfer_is_hashed_and_not_stored(incoming, sink):
    received = receive(incoming, FILE, request=replace(DOWNLOAD, discard=True)).received
    assert sink.getvalue() == b""
    assert received is not None
    assert (received.bytes, received.sha256) == (len(FILE), hashlib.sha256(FILE).hexdigest())


def test_a_file_of_blanks_alone_is_stored_whole(incoming, sink):
    receive(incoming, b"\n" * 3_000_000)
    assert sink.getvalue() == b"\n" * 3_000_000


@pytest.mark.parametrize("encoding", ["br", "gzip"])
def test_a_reply_that_can_not_be_decoded_keeps_its_status(incoming, encoding):
    reply = receive(incoming, b"garbled", {"Content-Encoding": encoding}, status=401, request=ORDER)
    assert reply.status == 401


def test_a_json_reply_that_breaks_off_is_no_broken_transfer(incoming):
    with pytest.raises(ServiceUnavailable):
        receive(incoming, b'{"success"', {"Content-Length": "100"}, request=ORDER)


def fail_half_way(incoming: ResponseBody) -> TransferBroken:
    incoming.begin(DOWNLOAD, 200, {"Content-Length": str(len(FILE))})
    for chunk in pieces(FILE[: len(FILE) // 2], 65536):
        if work := incoming.take(chunk):
            work.result()
    fault = incoming.broken("the connection was closed too early")
    if work := incoming.pending:
        work.result()
    assert isinstance(fault, TransferBroken)
    return fault


class Restartable:
    def __init__(self) -> None:
        self.data = b""
        self.restarts = 0

    def write(self, data: bytes) -> None:
        self.data += data

    def restart(self) -> None:
        self.data, self.restarts = b"", self.restarts + 1


@pytest.mark.parametrize("make", [io.BytesIO, Restartable])
def test_a_broken_transfer_starts_again_in_an_empty_sink(make):
    sink: Any = make()
    incoming = ResponseBody(sink)
    incoming.check_retry(fail_half_way(incoming))
    reply = receive(incoming, FILE)
    incoming.close()
    assert (sink.data if make is Restartable else sink.getvalue()) == FILE
    assert reply.received is not None
    assert reply.received.sha256 == hashlib.sha256(FILE).hexdigest()


def test_what_was_in_the_sink_before_stays():
    sink = io.BytesIO()
    sink.write(b"header")
    incoming = ResponseBody(sink)
    incoming.check_retry(fail_half_way(incoming))
    receive(incoming, FILE)
    incoming.close()
    assert sink.getvalue() == b"header" + FILE


class OneWay:
    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data


def test_a_sink_that_can_not_go_back_ends_the_transfer():
    incoming = ResponseBody(OneWay())
    fault = fail_half_way(incoming)
    with pytest.raises(TransferBroken) as caught:
        incoming.check_retry(fault)
    assert caught.value is fault
    incoming.close()


def test_a_sink_that_can_not_go_back_is_fine_while_it_is_empty():
    sink = OneWay()
    incoming = ResponseBody(sink)
    receive(incoming, b"<html>maintenance</html>")
    incoming.check_retry(UnexpectedReply("a page"))
    receive(incoming, FILE)
    incoming.close()
    assert sink.data == FILE


def test_a_sink_that_takes_little_at_a_time_gets_all():
    class Slow(OneWay):
        def write(self, data: bytes) -> int:  # type: ignore[override]
            self.data += data[:100_000]
            return len(data[:100_000])

    sink = Slow()
    incoming = ResponseBody(sink)
    receive(incoming, FILE)
    incoming.close()
    assert sink.data == FILE


@pytest.mark.parametrize(
    "failure", [StorageUnavailable("disk full"), TransferBroken("the sink's own"), OSError(28, "x"), KeyError("x")]
)
@pytest.mark.parametrize("on", [1, 2, 3])
def test_an_error_of_the_sink_is_raised_unchanged(failure, on):
    class Failing(OneWay):
        def write(self, data: bytes) -> None:
            super().write(data)
            if len(self.data) > (on - 1) << 20:
                raise failure

    incoming = ResponseBody(Failing())
    with pytest.raises(type(failure)) as caught:
        receive(incoming, FILE)
    assert caught.value is failure
    with pytest.raises(type(failure)):
        incoming.check_retry(TransferBroken("the wire's"))
    incoming.close()
