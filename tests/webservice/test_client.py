"""What the two drivers send, how they retry, and what they show of secrets."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import logging
import socket
import subprocess
import sys

import httpx
import pytest

from airflow_provider_apscores import __version__
from airflow_provider_apscores.errors import (
    APScoresError,
    ConfigurationError,
    CredentialsRefused,
    ServiceUnavailable,
    UnexpectedReply,
)
from airflow_provider_apscores.sandbox import DEFAULT_EMAIL, DEFAULT_PASSWORD
from airflow_provider_apscores.webservice import AsyncClient, Credentials, Session
from tests.webservice.raw_server import LOGIN, NOTHING_NEW, RawServer, http, json_reply, offer

ENCODED = base64.b64encode(DEFAULT_PASSWORD.encode()).decode()
FILE = b"".join(b"%-950d\n" % number for number in range(60))
CAMPUS, ANOTHER, NOTHING_HERE = "0901", "9120", "9377"


def session_for(base_url, password=DEFAULT_PASSWORD):
    return Session(Credentials(DEFAULT_EMAIL, password), base_url=base_url)


def test_the_whole_conversation(client_of, waited):
    with RawServer() as server:
        server.scripts = [LOGIN, offer(f"{server.origin}/files/1?Expires=4102444800"), http(FILE), json_reply()]
        client = client_of(server.base_url)
        generated = client.order("4866", file_format="CSV", download_type="full")
        sink = io.BytesIO()
        transfer = client.download(generated, sink)
        client.record(transfer.generated.download_id, "CSV")

    assert sink.getvalue() == FILE
    assert (transfer.bytes, transfer.sha256) == (len(FILE), hashlib.sha256(FILE).hexdigest())
    assert transfer.generated == generated
    assert [(seen.method, seen.target) for seen in server.seen] == [
        ("POST", "/api/webServiceAuth"),
        ("POST", "/api/fileGeneration"),
        ("GET", "/files/1?Expires=4102444800"),
        ("POST", "/api/webServiceDownloaded"),
    ]
    assert [json.loads(seen.body or b"{}") for seen in server.seen] == [
        {"u": DEFAULT_EMAIL, "p": ENCODED},
        {"diCode": "4866", "format": "CSV", "downloadType": "full"},
        {},
        {"downloadId": "7300", "format": "CSV"},
    ]
    for seen in server.seen:
        assert seen.headers["user-agent"] == f"airflow-provider-apscores/{__version__}"
        assert seen.headers["accept-encoding"] == "identity"
        assert "cookie" not in seen.headers
    assert waited == []


CUT_REFUSAL = http(b'{"success": fal', 401, length=100)
GARBLED_REFUSAL = http(b"not gzip at all", 401, Content_Encoding="gzip")


@pytest.mark.parametrize(
    "reply",
    [CUT_REFUSAL, GARBLED_REFUSAL, http(b" " * 100_000, 200), http(b"", 200), http(b"x", 500, Content_Encoding="br")],
)
def test_a_login_that_was_answered_is_sent_once_however_garbled_the_answer(client_of, waited, reply):
    with RawServer(reply) as server, pytest.raises(APScoresError):
        client_of(server.base_url).order(CAMPUS)
    assert (len(server.seen), waited) == (1, [])


INVALID = {
    "another-protocol": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "bytes": b"\x16\x03\x01\xff\r\n\r\n",
    "two-lengths": b"HTTP/1.1 401 No\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    "negative-length": b"HTTP/1.1 401 No\r\nContent-Length: -1\r\n\r\n",
    "huge-length": b"HTTP/1.1 401 No\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "huge-header": b"HTTP/1.1 401 No\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
    "transfer-encoding": b"HTTP/1.1 401 No\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
}


@pytest.mark.parametrize("reply", INVALID)
def test_an_answer_that_is_not_valid_http(client_of, waited, reply):
    with RawServer(INVALID[reply]) as server:
        client = client_of(server.base_url)
        with pytest.raises(UnexpectedReply, match="not valid HTTP") as caught:
            client.order(CAMPUS)
    assert caught.value.transient
    assert (len(server.seen), waited) == (1, [])


def test_nothing_new_is_none_and_one_login_serves_all_campuses(sandbox, client):
    assert client.order(NOTHING_HERE) is None
    assert client.order(CAMPUS) is not None
    assert client.order(NOTHING_HERE) is None
    assert sandbox.counts["login"] == 1


def test_log_in_makes_no_other_call(sandbox, client):
    client.log_in()
    assert [call.kind for call in sandbox.calls] == ["login"]


def test_a_refused_login_is_sent_once_for_all_calls_of_a_client(sandbox, client, waited):
    sandbox.fail("login", "refuse=mfa")
    for call in (client.log_in, lambda: client.order(CAMPUS), client.log_in):
        with pytest.raises(CredentialsRefused, match="multifactor"):
            call()
    assert (sandbox.counts["login"], waited) == (1, [])


@pytest.mark.parametrize("kind", ["order", "download", "record"])
def test_a_lost_token_costs_one_login(sandbox, client, kind):
    generated = client.order(CAMPUS)
    sandbox.expire_tokens()
    {
        "order": lambda: client.order(ANOTHER),
        "download": lambda: client.download(generated, io.BytesIO()),
        "record": lambda: client.record(generated.download_id, "TXT"),
    }[kind]()
    assert sandbox.counts["login"] == 2
    assert sandbox.counts["order"] == (3 if kind == "order" else 1)


def test_only_campuses_of_the_account(sandbox, client_of):
    with pytest.raises(ConfigurationError, match="1234"):
        client_of(sandbox.base_url, di_codes=(CAMPUS,)).order("1234")
    assert sandbox.calls == []


def test_generation_is_waited_for_and_the_log_says_so(sandbox, client, waited, caplog):
    for fault in ("504", "504", "missing-url", "null-url"):
        sandbox.fail("order", fault)
    with caplog.at_level(logging.INFO, "airflow_provider_apscores"):
        assert client.order(CAMPUS) is not None
    assert waited == [2, 4, 8, 16]
    assert f"still generating the file for campus {CAMPUS} (HTTP 504); asking again in 4 s" in caplog.text


@pytest.mark.parametrize("fault", ["500", "html", "drop", "reset"])
def test_faults_that_stay(sandbox, client, waited, fault):
    sandbox.fail("order", fault, times=None)
    with pytest.raises((ServiceUnavailable, UnexpectedReply)) as caught:
        client.order(CAMPUS)
    assert caught.value.transient
    assert (sandbox.counts["order"], waited) == (4, [1, 2, 4])


def test_an_unreachable_host(client_of, waited):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ServiceUnavailable, match=r"no connection.*refused.*4 tries"):
        client_of(f"http://127.0.0.1:{port}").order(CAMPUS)
    assert waited == [1, 2, 4]


def test_a_host_without_an_address(client_of):
    with pytest.raises(ServiceUnavailable, match=r"nowhere\.invalid"):
        client_of("https://nowhere.invalid").log_in()


def test_retry_after_is_honoured(sandbox, client, waited):
    sandbox.fail("order", "rate-limit=17")
    client.order(CAMPUS)
    assert waited == [17]


def test_retry_after_past_the_patience_is_handed_on(sandbox, client_of, waited):
    sandbox.fail("order", "maintenance=61")
    with pytest.raises(ServiceUnavailable) as caught:
        client_of(sandbox.base_url, patience=60.0).order(CAMPUS)
    assert (caught.value.retry_after, waited) == (61.0, [])


@pytest.mark.parametrize("kind", ["login", "order", "record"])
@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_post_never_follows_a_redirect(sandbox, client, kind, code):
    sandbox.fail(kind, f"redirect={code}")
    with pytest.raises(APScoresError, match=r"redirect|30"):
        client.record("1", "TXT") if kind == "record" else client.order(CAMPUS)
    assert (sandbox.counts[kind], sandbox.audit().leaks) == (1, [])
    assert {call.kind for call in sandbox.calls} <= {"login", "order", "record"}


# --------------------------------------------------------------------------------------------------------- secrets


def test_no_log_error_or_repr_shows_a_secret(client_of, caplog):
    secrets = (DEFAULT_PASSWORD, ENCODED, "t0ken", "s1gnature", "c00kie", DEFAULT_EMAIL)
    reported: list[str] = []
    with RawServer() as server, RawServer(http(status=500), http(status=403), http(FILE)) as other:
        signed = f"{server.origin}/files/1?Signature=s1gnature"
        away = http(status=302, Location=f"{other.origin}/cdn?Signature=s1gnature-away", Set_Cookie="id=c00kie")
        server.scripts = [
            LOGIN, offer(signed), away, away, offer(signed), http(FILE[:500], length=951), http(FILE),
            json_reply(False, message=f"{DEFAULT_PASSWORD} {ENCODED} {DEFAULT_EMAIL} https://x/?s1gnature"),
        ]  # fmt: skip
        client = client_of(server.base_url, on_secret=lambda secret: reported.append(secret.reveal()))
        # httpx's own level too: Airflow 3 sets it, in a process where it was imported.
        with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, "httpx"):
            generated = client.order(CAMPUS)
            transfer = client.download(generated, io.BytesIO())
            with pytest.raises(APScoresError) as caught:
                client.record(transfer.generated.download_id, "TXT")
    shown = f"{caplog.text} {caught.value!r} {client!r} {transfer!r} {generated!r}"
    assert not [secret for secret in secrets if secret in shown]
    assert "HTTP Request: POST" in caplog.text  # httpx did log, and was not merely silent
    assert "receive_response_headers.complete" in caplog.text
    assert {DEFAULT_PASSWORD, ENCODED, "t0ken", generated.url.reveal(), "Signature=s1gnature-away"} <= set(reported)
    assert len(reported) == len(set(reported))


def test_no_error_has_another_librarys_error_behind_it(sandbox, client):
    sandbox.fail("download", "reset", times=None)
    generated = client.order(CAMPUS)
    with pytest.raises(ServiceUnavailable) as caught:
        client.download(generated, io.BytesIO())
    error: BaseException | None = caught.value
    while error is not None:
        assert isinstance(error, APScoresError)
        error = error.__cause__ or error.__context__


def test_httpx_logs_of_others_are_left_alone(sandbox, client, caplog):
    client.log_in()
    with caplog.at_level(logging.INFO, "httpx"):
        httpx.get(f"{sandbox.origin}/files/1?mine=visible", trust_env=False)
    assert "?mine=visible" in caplog.text


async def test_on_secret_may_be_async(sandbox):
    reported = []

    async def on_secret(secret):
        await asyncio.sleep(0)
        reported.append(secret.reveal())

    async with AsyncClient(session_for(sandbox.base_url), on_secret=on_secret) as client:
        generated = await client.order(CAMPUS)
    assert reported[:2] == [DEFAULT_PASSWORD, ENCODED]
    assert generated.url.reveal() in reported


def test_cookies_are_not_kept(client_of):
    login = LOGIN.replace(b"Connection", b"Set-Cookie: session=1; Path=/\r\nConnection", 1)
    with RawServer(login, NOTHING_NEW) as server:
        client_of(server.base_url).order(CAMPUS)
    assert b"Set-Cookie" in login
    assert "cookie" not in server.seen[-1].headers


def test_the_package_is_cheap_to_import():
    code = (
        "import sys, airflow_provider_apscores.webservice as package; package.Credentials; package.Session;"
        "assert 'httpx' not in sys.modules and 'airflow' not in sys.modules;"
        "package.Client; assert 'httpx' in sys.modules; assert set(package.__all__) <= set(dir(package));"
        "[getattr(package, name) for name in package.__all__]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
