"""Content encodings and ends that are not marked, for the blocking and the awaiting client."""

from __future__ import annotations

import gzip
import io
import zlib

import pytest

from airflow_provider_apscores.errors import ServiceUnavailable, TransferBroken, UnexpectedReply
from airflow_provider_apscores.webservice import FileOrder, GeneratedFile, Secret
from tests.webservice.raw_server import LOGIN, RawServer, chunked, http

FILE = b"".join(b"%-950d\n" % number for number in range(60))


def fetch(client, server, sink=None, **settings):
    sink = io.BytesIO() if sink is None else sink
    generated = GeneratedFile(FileOrder("4866"), "7300", "scores.txt", Secret(f"{server.origin}/files/7300"))
    return client.download(generated, sink, **settings), sink


# ------------------------------------------------------------------------------------------------------ encodings


def members(*parts: bytes) -> bytes:
    return b"".join(gzip.compress(part) for part in parts)


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(FILE), "gzip"),
        (members(FILE[:1902], FILE[1902:5000], FILE[5000:]), "gzip"),
        (members(b"", FILE, b""), "x-gzip"),
        (b"".join(gzip.compress(FILE[at : at + 951]) for at in range(0, len(FILE), 951)), "gzip"),
        (zlib.compress(FILE), "deflate"),
    ],
    ids=["one", "three", "empty-members", "a-member-a-record", "deflate"],
)
@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_every_member_of_an_encoded_file_lands(client_of, body, encoding, framing):
    pieces = [body[at : at + 777] for at in range(0, len(body), 777)]
    reply = http(body, Content_Encoding=encoding) if framing == "length" else chunked(pieces, Content_Encoding=encoding)
    with RawServer(LOGIN, reply) as server:
        transfer, sink = fetch(client_of(server.base_url), server)
    assert sink.getvalue() == FILE
    assert transfer.bytes == len(FILE)


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(FILE) + b"\0", "gzip"),
        (gzip.compress(FILE) + FILE[:951], "gzip"),
        (members(FILE, FILE)[:-4], "gzip"),
        (members(FILE) + gzip.compress(FILE)[:1], "gzip"),
        (zlib.compress(FILE) + b"x", "deflate"),
        (zlib.compress(FILE) + zlib.compress(FILE), "deflate"),
        (zlib.compress(FILE) + gzip.compress(FILE), "deflate"),
        (zlib.compress(FILE)[:-1], "deflate"),
        (zlib.compress(FILE, wbits=-15), "deflate"),
        (gzip.compress(FILE), "deflate"),
        (zlib.compress(FILE), "gzip"),
        (FILE, "gzip"),
    ],
)
def test_an_encoding_that_leaves_bytes_over_or_ends_early_is_a_broken_transfer(client_of, body, encoding):
    with RawServer(LOGIN, http(body, Content_Encoding=encoding)) as server:
        client = client_of(server.base_url)
        with pytest.raises(TransferBroken, match="4 tries"):
            fetch(client, server)


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress", "gzip;q=1"])
def test_a_file_in_another_encoding_is_refused(client_of, encoding):
    sink = io.BytesIO()
    with RawServer(LOGIN, http(FILE, Content_Encoding=encoding)) as server:
        client = client_of(server.base_url)
        with pytest.raises(UnexpectedReply, match="encoding other than gzip and deflate"):
            fetch(client, server, sink)
    assert sink.getvalue() == b""


# ----------------------------------------------------------------------------------------- ends that are not marked


def unframed(body: bytes, **headers: str) -> bytes:
    return http(body, length=None, **headers)


CUT = FILE[: 951 * 20]


def test_a_file_without_length_or_chunks_is_fetched_twice_and_lands_once(client_of):
    with RawServer(LOGIN, unframed(FILE)) as server:
        transfer, sink = fetch(client_of(server.base_url), server)
    assert sink.getvalue() == FILE
    assert transfer.bytes == len(FILE)
    assert [seen.target for seen in server.seen] == ["/api/webServiceAuth", "/files/7300", "/files/7300"]


@pytest.mark.parametrize("order", [(CUT, FILE), (FILE, CUT)], ids=["first-cut", "second-cut"])
@pytest.mark.parametrize("encode", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_cut_between_two_records_is_seen_by_the_second_transfer(client_of, waited, order, encode):
    headers = {"Content_Encoding": "gzip"} if encode is gzip.compress else {}
    first, second = (unframed(encode(body), **headers) for body in order)
    with RawServer(LOGIN, first, second, unframed(FILE)) as server:
        _, sink = fetch(client_of(server.base_url), server)
    assert sink.getvalue() == FILE
    assert (len(server.seen), waited) == (5, [1])


def test_transfers_that_never_agree_are_a_transient_error_that_says_so(client_of):
    replies = [unframed(FILE[: 951 * number]) for number in range(8, 0, -1)]
    with RawServer(LOGIN, *replies) as server:
        client = client_of(server.base_url)
        with pytest.raises(TransferBroken, match=r"Two transfers differ.*neither a length nor chunks") as caught:
            fetch(client, server)
    assert caught.value.transient
    assert len(server.seen) == 9


def test_a_second_transfer_that_is_no_file_settles_nothing(client_of, waited):
    page = http(b"<html>maintenance</html>", Content_Type="text/html")
    with RawServer(LOGIN, unframed(CUT), page, http(FILE)) as server:
        _, sink = fetch(client_of(server.base_url), server)
    assert sink.getvalue() == FILE
    assert (len(server.seen), waited) == (4, [1])


def test_a_sink_that_can_not_go_back_ends_a_transfer_that_differs(client_of):
    class Pipe:
        data = b""

        def write(self, data):
            self.data += data

    with RawServer(LOGIN, unframed(CUT), unframed(FILE), unframed(FILE)) as server:
        client, pipe = client_of(server.base_url), Pipe()
        with pytest.raises(TransferBroken, match="can't go back"):
            fetch(client, server, pipe)
    assert pipe.data == CUT


def test_a_file_with_a_length_or_in_chunks_is_fetched_once(client_of):
    for reply in (http(FILE), chunked([FILE[:5000], FILE[5000:]])):
        with RawServer(LOGIN, reply) as server:
            _, sink = fetch(client_of(server.base_url), server)
        assert sink.getvalue() == FILE
        assert len(server.seen) == 2


# ------------------------------------------------------------------------------------------- what is not HTTP at all


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example", "xn--zzzzzz.example"])
def test_a_host_that_is_no_valid_name_is_unavailable(client_of, host):
    generated = GeneratedFile(FileOrder("4866"), "7300", "scores.txt", Secret(f"https://{host}/files/7300"))
    with RawServer(LOGIN) as server, pytest.raises(ServiceUnavailable, match="No answer from"):
        client_of(server.base_url).download(generated, io.BytesIO())


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 401 No\r\nX : connection closed\r\n\r\n", b"HTP/1.1 401 disconnected\r\n\r\n"]
)
def test_words_of_an_answer_that_is_not_valid_http_repeat_no_login(client_of, answer):
    with RawServer(answer) as server, pytest.raises(UnexpectedReply, match="not valid HTTP"):
        client_of(server.base_url).log_in()
    assert len(server.seen) == 1
