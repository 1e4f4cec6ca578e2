"""The four calls as tables: what is sent, and what each kind of answer means."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from airflow_provider_apscores.errors import (
    CampusRefused,
    CredentialsRefused,
    InsecureAddress,
    RequestRefused,
    ServiceUnavailable,
    UnexpectedReply,
    WebServiceError,
)
from airflow_provider_apscores.webservice import Credentials, FileOrder, GeneratedFile, Received, Reply, protocol

BASE = "https://api.example/prod"
ORDER = FileOrder("4866")
URL = "https://files.example/a.txt?Expires=1767225600&Signature=s3cret"
FILE = GeneratedFile(ORDER, "73", "a.txt", URL)
HTML = b"<!DOCTYPE html><html>Down for maintenance</html>"
XML = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'


def reply(status: int = 200, /, headers: dict[str, str] | None = None, **fields: object) -> Reply:
    return Reply(status, json.dumps(fields).encode(), headers or {})


def no(message: str = "", status: int = 200) -> Reply:
    return reply(status, success=False, message=message)


def test_all_calls_carry_the_headers_of_the_reference():
    requests = [
        (protocol.build_log_in(BASE, Credentials("a@b.edu", "secret")), "CBLogin"),
        (protocol.build_order(BASE, "tok", ORDER), "tok"),
        (protocol.build_download("tok", FILE), "tok"),
        (protocol.build_record(BASE, "tok", "73", "TXT"), "tok"),
    ]
    for request, token in requests:
        assert dict(request.headers) == {
            "X-CB-Catapult-Authentication-Token": "CBLogin Web Service",
            "X-CB-Catapult-Authorization-Token": token,
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }


@pytest.mark.parametrize(
    ("request_", "method", "url", "body"),
    [
        (
            protocol.build_log_in(BASE, Credentials("a@b.edu", "pä")),
            "POST",
            f"{BASE}/webServiceAuth",
            {"u": "a@b.edu", "p": "cMOk"},
        ),
        (
            protocol.build_order(BASE, "tok", FileOrder("0007", "CSV", "full")),
            "POST",
            f"{BASE}/fileGeneration",
            {"diCode": "0007", "format": "CSV", "downloadType": "full"},
        ),
        (protocol.build_download("tok", FILE), "GET", URL, None),
        (
            protocol.build_record(BASE, "tok", "73", "TXT"),
            "POST",
            f"{BASE}/webServiceDownloaded",
            {"downloadId": "73", "format": "TXT"},
        ),
    ],
    ids=["login", "order", "download", "record"],
)
def test_each_call_is_sent_as_the_reference_says(request_, method, url, body):
    assert (request_.method, request_.url) == (method, url)
    assert (None if request_.body is None else json.loads(request_.body)) == body


# ------------------------------------------------------------------------------------------------------ login


@pytest.mark.parametrize("success", [True, "true", " TRUE "])
def test_a_login_gives_a_token(success):
    assert protocol.read_log_in(reply(success=success, message="ok", authToken="tok")) == "tok"


@pytest.mark.parametrize(
    "answer",
    [
        no("Invalid username or password"),
        no("anything at all"),
        no("try again later"),
        reply(success="false", message="x"),
        Reply(401, b""),
        Reply(403, HTML),
        no("MFA", 403),
        no("no", 400),
    ],
)
def test_a_refused_login_names_the_four_causes(answer):
    with pytest.raises(CredentialsRefused) as caught:
        protocol.read_log_in(answer)
    said = str(caught.value)
    assert all(cause in said for cause in ("expired", "multifactor", "site terms", "role"))
    assert "not tried again" in said


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (reply(success=True), UnexpectedReply, "no usable token"),
        (reply(success=True, authToken=""), UnexpectedReply, "no usable token"),
        (reply(success=True, authToken=7), UnexpectedReply, "no usable token"),
        (reply(success=True, authToken="a\r\nX-Evil: b"), UnexpectedReply, "no usable token"),
        (reply(success=True, authToken="tökén"), UnexpectedReply, "no usable token"),
        (reply(authToken="tok"), UnexpectedReply, "does not say success"),
        (Reply(200, HTML), UnexpectedReply, "an HTML page"),
        (Reply(200, b""), UnexpectedReply, "an empty body"),
        (Reply(200, b'{"success": tr'), UnexpectedReply, "JSON"),
        (Reply(200, b"[1]"), UnexpectedReply, "something else"),
        (Reply(200, b"[" * 100_000), UnexpectedReply, "something else"),
        (Reply(404, HTML), UnexpectedReply, "HTTP 404.*base URL may be wrong"),
        (reply(404, message="Not Found"), UnexpectedReply, "base URL may be wrong"),
        (Reply(302, b"", {"Location": "https://x.example"}), UnexpectedReply, "redirect"),
        (Reply(500, HTML), ServiceUnavailable, "HTTP 500"),
        (no("boom", 503), ServiceUnavailable, 'HTTP 503: "boom"'),
        (Reply(504, b""), ServiceUnavailable, "HTTP 504"),
        (no("slow down", 429), ServiceUnavailable, "HTTP 429"),
        (Reply(408, b""), ServiceUnavailable, "HTTP 408"),
    ],
)
def test_other_answers_to_a_login(answer, error, says):
    with pytest.raises(error, match=says) as caught:
        protocol.read_log_in(answer)
    assert type(caught.value) is error


# ------------------------------------------------------------------------------------------------------ order


@pytest.mark.parametrize(("sent", "kept"), [(7300001, "7300001"), ("7300001", "7300001"), (" a-b ", "a-b"), (0, "0")])
def test_a_download_id_is_a_string(sent, kept):
    found = protocol.read_order(reply(success=True, url=URL, fileName="../x.txt", downloadId=sent), ORDER)
    assert found == GeneratedFile(ORDER, kept, "x.txt", URL, datetime(2026, 1, 1, tzinfo=UTC))


def test_a_file_without_a_name_gets_one():
    found = protocol.read_order(reply(success="true", url=URL, downloadId=1), ORDER)
    assert found is not None
    assert found.file_name == "AP_HED_Scores_4866.txt"


@pytest.mark.parametrize(
    "answer",
    [
        no("There were no score orders found"),
        no("  there were  NO score orders found for 4866. "),
        no("There were no score orders found", 404),
        reply(success=True, message="There were no score orders found", url=None),
        reply(message="There were no score orders found"),
    ],
)
def test_nothing_new_is_none(answer):
    assert protocol.read_order(answer, ORDER) is None
    assert protocol.still_generating(answer, ORDER) is None


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (no("You do not have access to this institution."), CampusRefused, "4866.*do not have access"),
        (no("whatever"), CampusRefused, "whatever"),
        (no("Access denied"), CampusRefused, "Access denied"),
        (no("Service temporarily unavailable"), ServiceUnavailable, "temporarily"),
        (no(""), CampusRefused, "HTTP 200"),
        (no("Invalid DI code", 400), CampusRefused, "4866"),
        (Reply(403, b""), CampusRefused, "HTTP 403"),
        (Reply(403, XML), CampusRefused, "HTTP 403"),
        (no("campus: role missing", 403), CampusRefused, "4866"),
        (Reply(401, b""), UnexpectedReply, "refused its token .HTTP 401"),
        (no("MFA is enabled"), CredentialsRefused, "MFA is enabled"),
        (no("role missing", 401), CredentialsRefused, "role missing"),
        (no("Please accept the site terms"), CredentialsRefused, "4866"),
        (no("Your password has expired", 403), CredentialsRefused, "password"),
        (no("The token is invalid"), UnexpectedReply, "refused its token"),
        (reply(success=True, url=URL), UnexpectedReply, "downloadId"),
        (reply(success=True, url=URL, downloadId=None), UnexpectedReply, "downloadId"),
        (reply(success=True, url=URL, downloadId=True), UnexpectedReply, "downloadId"),
        (reply(success=True, url=URL, downloadId=" "), UnexpectedReply, "downloadId"),
        (reply(success=True, url="files/1", downloadId=1), UnexpectedReply, "not an address"),
        (reply(success=True, url="http://files.example/1?s3cret", downloadId=1), InsecureAddress, "not https"),
        (reply(success=True, url=["x"], downloadId=1), UnexpectedReply, "not an address"),
        (reply(url=URL, downloadId=1), UnexpectedReply, "does not say success"),
        (Reply(200, HTML), UnexpectedReply, "an HTML page"),
        (Reply(404, b"<html>"), UnexpectedReply, "base URL may be wrong"),
        (Reply(307, b"", {"Location": "http://evil.example"}), UnexpectedReply, "redirect"),
        (Reply(504, b""), ServiceUnavailable, "still generating"),
        (reply(success=True), ServiceUnavailable, "still generating"),
        (reply(success=True, url=""), ServiceUnavailable, "still generating"),
        (reply(success=True, url=None), ServiceUnavailable, "still generating"),
        (Reply(502, HTML), ServiceUnavailable, "HTTP 502"),
        (no("busy", 503), ServiceUnavailable, "busy"),
    ],
)
def test_other_answers_to_an_order(answer, error, says):
    with pytest.raises(error, match=says) as caught:
        protocol.read_order(answer, ORDER)
    assert type(caught.value) is error
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "generating"),
    [
        (Reply(504, b""), True),
        (Reply(504, HTML), True),
        (reply(success=True), True),
        (reply(success="true", url=None), True),
        (reply(success=True, url=URL), False),
        (no("x"), False),
        (reply(500, success=True), False),
        (Reply(200, HTML), False),
        (Reply(503, b""), False),
    ],
)
def test_which_answers_mean_that_the_file_is_not_there_yet(answer, generating):
    reason = protocol.still_generating(answer, ORDER)
    assert (reason is not None) is generating
    assert reason is None or "campus 4866" in reason


# --------------------------------------------------------------------------------------------------- download


def test_what_was_received_is_the_answer():
    received = Received(951, "ab" * 32)
    assert protocol.read_download(Reply(200, b"", {}, received), FILE) is received


@pytest.mark.parametrize(
    "answer",
    [
        Reply(403, XML),
        Reply(401, b""),
        Reply(404, b""),
        Reply(410, b""),
        Reply(400, b"<Error><Code>ExpiredToken</Code></Error>"),
    ],
)
def test_a_url_that_is_no_longer_good_is_none(answer):
    assert protocol.read_download(answer, FILE) is None


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (Reply(200, HTML), UnexpectedReply, "an HTML page"),
        (Reply(200, b"  Sorry", {"Content-Type": "text/html"}), UnexpectedReply, "an HTML page"),
        (Reply(200, b"\xef\xbb\xbf" + XML), UnexpectedReply, "an XML document"),
        (no("x"), UnexpectedReply, "a JSON answer"),
        (Reply(204, b""), UnexpectedReply, "an empty body"),
        (Reply(206, b"half"), UnexpectedReply, "HTTP 206"),
        (Reply(400, XML), UnexpectedReply, "HTTP 400"),
        (Reply(500, XML), ServiceUnavailable, "HTTP 500"),
        (Reply(503, HTML), ServiceUnavailable, "HTTP 503"),
        (Reply(429, b""), ServiceUnavailable, "HTTP 429"),
    ],
)
def test_other_answers_to_a_download(answer, error, says):
    with pytest.raises(error, match=says):
        protocol.read_download(answer, FILE)


REQUEST = protocol.build_download("tok", FILE)


@pytest.mark.parametrize(
    ("location", "url", "with_token"),
    [
        ("/b?Signature=2", "https://files.example/b?Signature=2", True),
        ("https://files.example:443/b", "https://files.example:443/b", True),
        ("https://files.example:8443/b", "https://files.example:8443/b", False),
        ("https://other.example/b", "https://other.example/b", False),
        ("//other.example/b", "https://other.example/b", False),
    ],
)
def test_a_token_stays_with_its_origin(location, url, with_token):
    after = protocol.build_redirected_download(REQUEST, Reply(302, b"", {"location": location}))
    assert after.url == url
    assert (protocol.TOKEN in after.headers, protocol.SERVICE in after.headers) == (with_token, with_token)


def test_a_token_does_not_come_back_once_its_origin_was_left():
    away = protocol.build_redirected_download(REQUEST, Reply(302, b"", {"Location": "https://other.example/"}))
    back = protocol.build_redirected_download(away, Reply(302, b"", {"Location": URL}))
    again = protocol.build_redirected_download(back, Reply(302, b"", {"Location": URL}))
    assert protocol.TOKEN not in {*back.headers, *again.headers}


@pytest.mark.parametrize(
    ("location", "error"),
    [
        ("http://files.example/b?s3cret", InsecureAddress),
        ("http://127.0.0.1/b", InsecureAddress),  # from https to http, be it on this machine
        ("ftp://files.example/b", UnexpectedReply),
        ("https://[broken", UnexpectedReply),
        ("", UnexpectedReply),
    ],
)
def test_a_redirect_to_nowhere_good_is_not_followed(location, error):
    with pytest.raises(error) as caught:
        protocol.build_redirected_download(REQUEST, Reply(302, b"", {"Location": location}))
    assert type(caught.value) is error
    assert "s3cret" not in str(caught.value)


# ----------------------------------------------------------------------------------------------------- record


@pytest.mark.parametrize(
    "answer",
    [
        reply(success=True, message="ok"),
        reply(success="true"),
        no("This download was already recorded"),
        no("already marked as downloaded", 409),
    ],
)
def test_a_recorded_download_is_recorded(answer):
    protocol.read_record(answer, "73")


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (no("The download was not found"), RequestRefused, "73.*not found.*stay new"),
        (no("bad id", 400), RequestRefused, "bad id"),
        (Reply(403, b""), RequestRefused, "HTTP 403"),
        (Reply(401, b""), UnexpectedReply, "refused its token"),
        (no("MFA is on"), CredentialsRefused, "MFA"),
        (Reply(200, HTML), UnexpectedReply, "HTML"),
        (reply(message="ok"), UnexpectedReply, "success"),
        (Reply(504, b""), ServiceUnavailable, "HTTP 504"),
        (no("already recorded", 500), ServiceUnavailable, "HTTP 500"),
        (no("Internal error, try again later"), ServiceUnavailable, "try again"),
    ],
)
def test_other_answers_to_a_record(answer, error, says):
    with pytest.raises(error, match=says) as caught:
        protocol.read_record(answer, "73")
    assert type(caught.value) is error


# ------------------------------------------------------------------------------------------------ what they share


@pytest.mark.parametrize(
    ("answer", "kind", "lost"),
    [
        (Reply(401, b""), "order", True),
        (Reply(401, b""), "download", True),
        (Reply(401, HTML), "record", True),
        (Reply(403, b""), "order", True),
        (Reply(403, b""), "record", True),
        (Reply(403, XML), "download", False),
        (no("MFA is on", 401), "order", False),
        (no("no access to this institution", 403), "order", False),
        (no("no access to this institution"), "order", False),
        (no("Your token has expired"), "order", True),
        (no("Invalid session"), "record", True),
        (no("Unauthorized"), "record", True),
        (no("Access denied"), "order", True),
        (no("Invalid session"), "download", True),
        (no("Your password has expired"), "order", False),
        (reply(success=True, message="token expired soon"), "order", False),
        (Reply(500, b""), "order", False),
    ],
)
def test_when_a_new_login_may_help(answer, kind, lost):
    assert protocol.token_lost(answer, kind) is lost


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"Retry-After": "7"}, 7.0),
        (503, {"retry-after": " 120 "}, 120.0),
        (429, {"Retry-After": "Thu, 01 Jan 2026 00:01:00 GMT"}, 60.0),
        (429, {"Retry-After": "Thu, 01 Jan 2026 09:01:00 GMT", "Date": "Thu, 01 Jan 2026 09:00:30 GMT"}, 30.0),
        (429, {"Retry-After": "Wed, 31 Dec 2025 00:00:00 GMT"}, 0.0),
        (429, {"Retry-After": "soon"}, None),
        (429, {"Retry-After": "-5"}, None),
        (429, {}, None),
        (500, {"Retry-After": "7"}, None),
    ],
)
def test_how_long_the_service_asks_to_wait(status, headers, seconds):
    assert protocol.retry_after(Reply(status, b"", headers), datetime(2026, 1, 1, tzinfo=UTC)) == seconds


@pytest.mark.parametrize(
    "read",
    [
        lambda answer, secrets: protocol.read_log_in(answer, secrets=secrets),
        lambda answer, secrets: protocol.read_order(answer, ORDER, secrets=secrets),
        lambda answer, secrets: protocol.read_record(answer, "73", secrets=secrets),
    ],
    ids=["login", "order", "record"],
)
@pytest.mark.parametrize("status", [200, 400, 401, 403, 500])
def test_what_the_service_says_is_quoted_without_secrets(read, status):
    message = "Odd 'hunter2' (aHVudGVyMg==) of pat@student.edu, see https://x.example/?token=abc, " + "blah " * 100
    with pytest.raises(WebServiceError) as caught:
        read(no(message, status), ("hunter2", "aHVudGVyMg=="))
    said = str(caught.value)
    assert "Odd '•••' (•••) of •••, see https://x.example/?•••" in said
    assert not any(secret in said for secret in ("hunter2", "aHVud", "pat@", "token=abc"))
    assert len(said) < 900
