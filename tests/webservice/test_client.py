"""One client test, two runs: blocking and awaiting, against a server that behaves and misbehaves."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import itertools
import logging
import socket
import threading

import pytest

from airflow_provider_apscores import __version__
from airflow_provider_apscores.errors import (
    APScoresError,
    CampusRefused,
    ConfigurationError,
    CredentialsRefused,
    DownloadExpired,
    InsecureAddress,
    RequestRefused,
    ServiceUnavailable,
    StorageUnavailable,
    TransferBroken,
    UnexpectedReply,
)
from airflow_provider_apscores.webservice import (
    AsyncClient,
    Client,
    Credentials,
    FileOrder,
    GeneratedFile,
    Session,
)
from tests.webservice.fake_college_board import (
    EMAIL,
    NEWS,
    PASSWORD,
    cut,
    cut_chunks,
    hang_up,
    page,
    redirect,
    refuse,
    reset,
    silence,
    status,
    succeed,
)

ENCODED = base64.b64encode(PASSWORD.encode()).decode()


def fetch(client, di_code="4866"):
    sink = io.BytesIO()
    return client.download(client.order(di_code), sink), sink.getvalue()


def test_the_whole_conversation(college_board, client_of, waited):
    client = client_of(college_board.base_url)
    generated = client.order("4866", file_format="CSV", download_type="full")
    sink = io.BytesIO()
    transfer = client.download(generated, sink)
    client.record(transfer.generated.download_id, "CSV")

    assert sink.getvalue() == NEWS["4866"]
    assert (transfer.bytes, transfer.sha256) == (len(NEWS["4866"]), hashlib.sha256(NEWS["4866"]).hexdigest())
    assert transfer.generated == generated
    assert [seen.kind for seen in college_board.seen] == ["login", "order", "download", "record"]
    assert [seen.body for seen in college_board.seen] == [
        {"u": EMAIL, "p": ENCODED},
        {"diCode": "4866", "format": "CSV", "downloadType": "full"},
        {},
        {"downloadId": "7300", "format": "CSV"},
    ]
    for seen in college_board.seen:
        assert seen.headers["user-agent"] == f"airflow-provider-apscores/{__version__}"
        assert seen.headers["accept-encoding"] == "identity"
        assert "cookie" not in seen.headers
    assert waited == []


def test_nothing_new_is_none_and_the_login_serves_all_campuses(college_board, client_of):
    client = client_of(college_board.base_url)
    assert client.order("9377") is None
    assert client.order("0901").download_id == "7300"
    assert client.order("9377") is None
    assert college_board.count("login") == 1


def test_logging_in_is_only_that(college_board, client_of):
    client_of(college_board.base_url).log_in()
    assert [seen.kind for seen in college_board.seen] == ["login"]


@pytest.mark.parametrize("answer", [refuse("MFA is enabled"), status(401), status(403, b"<html>")])
def test_a_refused_login_is_sent_once(college_board, client_of, answer, waited):
    college_board.play("login", answer)
    client = client_of(college_board.base_url)
    for call in (client.log_in, lambda: client.order("4866"), client.log_in):
        with pytest.raises(CredentialsRefused, match="multifactor"):
            call()
    assert (college_board.count("login"), waited) == (1, [])


def test_a_wrong_password_is_sent_once_also_when_it_was_stored_encoded(college_board, client_of):
    wrong = Credentials.from_base64(EMAIL, base64.b64encode(b"wr0ng").decode())
    client = client_of(college_board.base_url, credentials=wrong)
    with pytest.raises(CredentialsRefused) as caught:
        client.order("4866")
    assert college_board.count("login") == 1
    assert "wr0ng" not in str(caught.value)


@pytest.mark.parametrize("kind", ["order", "download", "record"])
def test_a_lost_token_costs_one_login(college_board, client_of, kind):
    client = client_of(college_board.base_url)
    generated = client.order("4866")
    college_board.expire_tokens()
    {
        "order": lambda: client.order("0901"),
        "download": lambda: client.download(generated, io.BytesIO()),
        "record": lambda: client.record("7300", "TXT"),
    }[kind]()
    assert college_board.count("login") == 2
    assert college_board.count("order") == (3 if kind == "order" else 1)


def test_a_refused_campus_is_not_asked_for_again(college_board, client_of, waited):
    college_board.play("order", refuse("You do not have access to this institution."))
    with pytest.raises(CampusRefused, match=r"4866.*do not have access"):
        client_of(college_board.base_url).order("4866")
    assert (college_board.count("order"), waited) == (1, [])


def test_only_campuses_of_the_account(college_board, client_of):
    with pytest.raises(ConfigurationError, match="1234"):
        client_of(college_board.base_url, di_codes=("4866",)).order("1234")
    assert college_board.seen == []


def test_generation_is_waited_for_and_the_log_says_so(college_board, client_of, waited, caplog):
    college_board.play("order", status(504), page(504), succeed(downloadId=1), succeed(url=None))
    with caplog.at_level(logging.INFO, "airflow_provider_apscores"):
        assert client_of(college_board.base_url).order("4866") is not None
    assert waited == [2, 4, 8, 16]
    assert "still generating the file for campus 4866 (HTTP 504); asking again in 4 s" in caplog.text


FAULTS = {
    "500": status(500),
    "503": page(503),
    "429": status(429),
    "html": page(),
    "empty": status(200),
    "bad-json": status(200, b'{"success": tr'),
    "hang-up": hang_up,
    "reset": reset,
    "silence": silence,
}


#: The service did not answer: so a login, too, is sent again.
UNANSWERED = ("hang-up", "reset", "silence")


@pytest.mark.parametrize(
    ("kind", "fault"),
    [*itertools.product(("order", "record"), FAULTS), *itertools.product(("login",), UNANSWERED)],
)
def test_faults_that_pass(college_board, client_of, waited, kind, fault):
    college_board.play(kind, FAULTS[fault], FAULTS[fault])
    client = client_of(college_board.base_url, timeout=0.3)
    client.order("0901")
    client.record("7300", "TXT")
    assert (college_board.count(kind), waited) == (3, [1, 2])


@pytest.mark.parametrize("fault", [*(FAULTS.keys() - UNANSWERED), "cut"])
def test_a_login_that_was_answered_is_sent_once(college_board, client_of, waited, fault):
    cut_refusal = status(401, b'{"success": fal', Content_Length="100")
    college_board.play("login", *[{**FAULTS, "cut": cut_refusal}[fault]] * 4)
    with pytest.raises((ServiceUnavailable, CredentialsRefused)):
        client_of(college_board.base_url).order("0901")
    assert (college_board.count("login"), waited) == (1, [])


@pytest.mark.parametrize("fault", ["500", "html", "hang-up", "reset"])
def test_faults_that_stay(college_board, client_of, waited, fault):
    college_board.play("order", *[FAULTS[fault]] * 4)
    with pytest.raises((ServiceUnavailable, UnexpectedReply)) as caught:
        client_of(college_board.base_url).order("4866")
    assert caught.value.transient
    assert (college_board.count("order"), waited) == (4, [1, 2, 4])


def test_an_unreachable_host_is_given_up_soon(client_of, waited):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ServiceUnavailable, match=r"no connection.*refused.*4 tries"):
        client_of(f"http://127.0.0.1:{port}").order("4866")
    assert waited == [1, 2, 4]


def test_a_host_without_an_address_is_told_so(client_of):
    with pytest.raises(ServiceUnavailable, match=r"nowhere\.invalid"):
        client_of("https://nowhere.invalid").log_in()


def test_retry_after_is_honoured(college_board, client_of, waited):
    college_board.play("order", status(429, Retry_After="17"))
    client_of(college_board.base_url).order("4866")
    assert waited == [17]


def test_retry_after_past_the_patience_is_handed_on(college_board, client_of, waited):
    college_board.play("order", status(503, Retry_After="61"))
    with pytest.raises(ServiceUnavailable) as caught:
        client_of(college_board.base_url, patience=60.0).order("4866")
    assert (caught.value.retry_after, waited) == (61.0, [])


@pytest.mark.parametrize("kind", ["login", "order", "record"])
@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_post_never_follows_a_redirect(college_board, elsewhere, client_of, kind, code):
    college_board.play(kind, redirect(f"{elsewhere.base_url}/webServiceAuth", code))
    client = client_of(college_board.base_url)
    with pytest.raises(CredentialsRefused if kind == "login" else UnexpectedReply, match=f"HTTP {code}"):
        client.record("1", "TXT") if kind == "record" else client.order("4866")
    assert elsewhere.seen == []
    assert college_board.count(kind) == 1


def test_a_lost_answer_to_a_record_is_made_good(college_board, client_of):
    college_board.play("record", hang_up, refuse("This download is already recorded."))
    client_of(college_board.base_url).record("7300", "TXT")
    assert college_board.count("record") == 2


def test_a_refused_record(college_board, client_of):
    college_board.play("record", refuse("The download was not found."))
    with pytest.raises(RequestRefused, match="not found"):
        client_of(college_board.base_url).record("7300", "TXT")
    assert college_board.count("record") == 1


# ------------------------------------------------------------------------------------------------- downloads


@pytest.mark.parametrize(
    "fault",
    [cut(0), cut(0.5), cut(0.999), cut(0.5, rudely=True), cut_chunks, page(), page(503), status(500), hang_up, reset],
)
def test_a_broken_transfer_begins_again(college_board, client_of, fault, waited):
    college_board.play("download", fault, fault, fault)
    transfer, content = fetch(client_of(college_board.base_url))
    assert content == NEWS["4866"]
    assert transfer.sha256 == hashlib.sha256(content).hexdigest()
    assert (college_board.count("download"), college_board.count("order")) == (4, 1)
    assert waited == [1, 2, 4]


@pytest.mark.parametrize("fault", [cut(0.5), cut(0.5, rudely=True), cut_chunks])
def test_a_transfer_that_keeps_breaking(college_board, client_of, fault):
    college_board.play("download", *[fault] * 4)
    with pytest.raises(TransferBroken, match=r"campus 4866.*4 tries"):
        fetch(client_of(college_board.base_url))


def test_a_transfer_that_stalls_is_broken(college_board, client_of):
    def stall(handler):
        handler.reply(200, NEWS["4866"], sent=50_000)
        silence(handler)

    college_board.play("download", stall)
    _, content = fetch(client_of(college_board.base_url, timeout=0.3))
    assert content == NEWS["4866"]
    assert college_board.count("download") == 2


def test_a_broken_transfer_into_a_pipe_is_not_begun_again(college_board, client_of, waited):
    class Pipe:
        taken = 0

        def write(self, data):
            self.taken += len(data)

    college_board.news["4866"] = NEWS["4866"] * 12
    college_board.play("download", cut(0.5))
    client, sink = client_of(college_board.base_url), Pipe()
    generated = client.order("4866")
    with pytest.raises(TransferBroken):
        client.download(generated, sink)
    assert 0 < sink.taken < len(NEWS["4866"]) * 12
    assert (college_board.count("download"), waited) == (1, [])


@pytest.mark.parametrize("failure", [StorageUnavailable("The disk is full."), TransferBroken("of its own"), OSError()])
def test_what_the_sink_raises_ends_the_call_at_once(college_board, client_of, failure, waited):
    class Full:
        def write(self, data):
            raise failure

        def restart(self):
            raise AssertionError

    client = client_of(college_board.base_url)
    generated = client.order("4866")
    with pytest.raises(type(failure)) as caught:
        client.download(generated, Full())
    assert caught.value is failure
    assert (college_board.count("download"), waited) == (1, [])


def test_an_expired_url_costs_a_fresh_order(college_board, client_of):
    college_board.play("download", status(403, b"<?xml version='1.0'?><Error/>", Content_Type="application/xml"))
    transfer, content = fetch(client_of(college_board.base_url))
    assert content == NEWS["4866"]
    assert transfer.generated.download_id == "7301"
    assert college_board.count("order") == 2


def test_urls_that_keep_expiring(college_board, client_of):
    college_board.play("download", *[status(403)] * 4)
    with pytest.raises(DownloadExpired):
        fetch(client_of(college_board.base_url))
    assert college_board.count("order") == 4


def test_a_download_may_be_redirected_but_its_token_may_not(college_board, elsewhere, client_of):
    elsewhere.play("download", status(200, b"x" * 950 + b"\n"))
    college_board.play(
        "download",
        redirect("/files/again?Signature=2"),
        redirect(f"{elsewhere.origin}/cdn/7300?Signature=3", 307),
    )
    _, content = fetch(client_of(college_board.base_url))
    assert content == b"x" * 950 + b"\n"
    assert [seen.path for seen in college_board.requests("download")] == ["/files/7300", "/files/again"]
    assert all("x-cb-catapult-authorization-token" in seen.headers for seen in college_board.requests("download"))
    (abroad,) = elsewhere.seen
    assert not [name for name in abroad.headers if name.startswith("x-cb")]


def test_a_file_at_an_unsafe_address_is_not_fetched(college_board, client_of):
    college_board.play("order", succeed(url="http://files.example/a?s1gnature", downloadId=1, fileName="a"))
    with pytest.raises(InsecureAddress) as caught:
        client_of(college_board.base_url).order("4866")
    college_board.play("download", redirect("http://files.example/a?s1gnature"))
    with pytest.raises(InsecureAddress):
        fetch(client_of(college_board.base_url))
    assert "s1gnature" not in str(caught.value)


def test_memory_does_not_grow_with_the_file(college_board, client_of):
    import tracemalloc

    class Count:
        bytes = 0

        def write(self, data):
            self.bytes += len(data)

    block, blocks = b"7" * (1 << 20), 64

    def large(handler):
        handler.reply(200, b"", {"Content-Length": str(len(block) * blocks)})
        for _ in range(blocks):
            handler.wfile.write(block)

    college_board.play("download", large)
    client, sink = client_of(college_board.base_url), Count()
    generated = client.order("4866")
    tracemalloc.start()
    try:
        transfer = client.download(generated, sink)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sink.bytes == transfer.bytes == len(block) * blocks
    assert peak < 12 << 20


# ---------------------------------------------------------------------------------------------- at the same time


async def test_many_awaited_orders_share_one_login_and_do_not_queue(college_board):
    campuses = [f"{number:04}" for number in range(20)]
    college_board.news = dict.fromkeys(campuses, NEWS["0901"])
    college_board.takes = 0.2
    session = Session(Credentials(EMAIL, PASSWORD), base_url=college_board.base_url)
    async with AsyncClient(session) as client:
        started = asyncio.get_running_loop().time()
        found = await asyncio.gather(*(client.order(campus) for campus in campuses))
        took = asyncio.get_running_loop().time() - started
        assert [generated.order.di_code for generated in found] == campuses
        assert college_board.count("login") == 1
        assert took < 20 * 0.2 / 2

        college_board.takes = 0.0
        college_board.expire_tokens()
        await asyncio.gather(*(client.order(campus) for campus in campuses))
        assert college_board.count("login") == 2


async def test_many_awaited_orders_send_a_bad_password_once(college_board):
    session = Session(Credentials(EMAIL, "wr0ng"), base_url=college_board.base_url)
    async with AsyncClient(session) as client:
        outcomes = await asyncio.gather(*(client.order("4866") for _ in range(20)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {CredentialsRefused}
    assert college_board.count("login") == 1


@pytest.mark.parametrize(("fault", "logins"), [(status(503), 4), (status(500), 1)])
async def test_many_awaited_orders_share_the_tries_of_a_broken_login(college_board, fault, logins):
    async def at_once(seconds):
        await asyncio.sleep(0)

    college_board.play("login", *[fault] * 40)
    session = Session(Credentials(EMAIL, PASSWORD), base_url=college_board.base_url)
    async with AsyncClient(session, sleep=at_once) as client:
        outcomes = await asyncio.gather(*(client.order("4866") for _ in range(10)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {ServiceUnavailable}
    assert college_board.count("login") == logins


def test_threads_may_share_a_client(college_board):
    found = []
    session = Session(Credentials(EMAIL, PASSWORD), base_url=college_board.base_url)
    with Client(session) as client:
        threads = [threading.Thread(target=lambda: found.append(client.order("4866"))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 8
    assert college_board.count("login") == 1


async def test_a_slow_sink_does_not_hold_up_the_loop(college_board):
    import time

    class Slow(io.BytesIO):
        def write(self, data):
            time.sleep(0.3)
            return super().write(data)

    session = Session(Credentials(EMAIL, PASSWORD), base_url=college_board.base_url)
    async with AsyncClient(session) as client:
        generated = await client.order("4866")
        download = asyncio.create_task(client.download(generated, Slow()))
        longest = 0.0
        while not download.done():
            before = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - before)
    assert (await download).bytes == len(NEWS["4866"])
    assert longest < 0.2


async def test_a_cancelled_download_leaves_the_client_usable(college_board):
    def endless(handler):
        handler.reply(200, NEWS["4866"], sent=100_000)
        silence(handler)

    college_board.play("download", endless)
    session = Session(Credentials(EMAIL, PASSWORD), base_url=college_board.base_url)
    async with AsyncClient(session) as client:
        generated = await client.order("4866")
        download = asyncio.create_task(client.download(generated, io.BytesIO()))
        await asyncio.sleep(0.1)
        download.cancel()
        with pytest.raises(asyncio.CancelledError):
            await download
        sink = io.BytesIO()
        await client.download(generated, sink)
    assert sink.getvalue() == NEWS["4866"]


# --------------------------------------------------------------------------------------------------- secrets


def test_no_log_error_or_repr_shows_a_secret(college_board, elsewhere, client_of, caplog):
    told: list[str] = []
    client = client_of(college_board.base_url, on_secret=lambda secret: told.append(secret.reveal()))
    elsewhere.play("download", status(500), status(403))
    abroad = status(302, Location=f"{elsewhere.origin}/cdn?Signature=s1gnature-abroad", Set_Cookie="id=c00kie")
    college_board.play("download", abroad, abroad, cut(0.5))
    college_board.play("record", refuse(f"{PASSWORD} {ENCODED} {EMAIL} https://x/?s1gnature"))
    # httpx's own level too: Airflow 3 sets it, in a process where it was imported.
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, "httpx"):
        generated = client.order("4866")
        sink = io.BytesIO()
        transfer = client.download(generated, sink)
        with pytest.raises(APScoresError) as caught:
            client.record(transfer.generated.download_id, "TXT")
    token = college_board.tokens[0]
    shown = f"{caplog.text} {caught.value!r} {client!r} {transfer!r} {generated!r}"
    assert not [secret for secret in (PASSWORD, ENCODED, token, "s1gnature", "c00kie", EMAIL) if secret in shown]
    assert "HTTP Request: POST" in caplog.text  # httpx did log, and was not merely silent
    assert "receive_response_headers.complete" in caplog.text
    assert {PASSWORD, ENCODED, token, generated.url.reveal(), "Signature=s1gnature-abroad"} <= set(told)
    assert len(told) == len(set(told))


def test_no_error_has_another_librarys_error_behind_it(college_board, client_of):
    college_board.play("download", *[reset] * 4)
    client = client_of(college_board.base_url)
    generated = client.order("4866")
    with pytest.raises(ServiceUnavailable) as caught:
        client.download(generated, io.BytesIO())
    error: BaseException | None = caught.value
    while error is not None:
        assert isinstance(error, APScoresError)
        error = error.__cause__ or error.__context__


def test_other_peoples_httpx_logs_are_left_alone(college_board, client_of, caplog):
    import httpx

    client_of(college_board.base_url).log_in()
    with caplog.at_level(logging.INFO, "httpx"):
        httpx.get(f"{college_board.origin}/files/1?mine=visible")
    assert "?mine=visible" in caplog.text


async def test_secrets_may_be_told_to_an_async_function(college_board):
    told = []

    async def on_secret(secret):
        await asyncio.sleep(0)
        told.append(secret.reveal())

    session = Session(Credentials(EMAIL, PASSWORD), base_url=college_board.base_url)
    async with AsyncClient(session, on_secret=on_secret) as client:
        generated = await client.order("4866")
    assert told[:3] == [PASSWORD, ENCODED, college_board.tokens[0]]
    assert generated.url.reveal() in told


def test_cookies_are_not_kept(college_board, client_of):
    college_board.play("login", status(200, b'{"success": true, "authToken": "x"}', Set_Cookie="session=1; Path=/"))
    college_board.tokens.append("x")
    client_of(college_board.base_url).order("4866")
    assert "cookie" not in college_board.seen[-1].headers


def test_the_room_is_cheap_to_enter():
    import subprocess
    import sys

    code = (
        "import sys, airflow_provider_apscores.webservice as room; room.Credentials; room.Session;"
        "assert 'httpx' not in sys.modules and 'airflow' not in sys.modules;"
        "room.Client; assert 'httpx' in sys.modules; assert set(room.__all__) <= set(dir(room));"
        "[getattr(room, name) for name in room.__all__]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_download_handed_on_as_data_can_be_fetched_later(college_board, client_of):
    found = client_of(college_board.base_url).order("4866")
    again = GeneratedFile(FileOrder("4866"), found.download_id, found.file_name, found.url)
    sink = io.BytesIO()
    assert client_of(college_board.base_url).download(again, sink).bytes == len(NEWS["4866"])
