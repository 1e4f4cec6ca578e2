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
from airflow_provider_apscores.webservice import (
    Credentials,
    FileOrder,
    GeneratedFile,
    Received,
    Reply,
    Secret,
    protocol,
)
from airflow_provider_apscores.webservice.addresses import FileAddresses
from airflow_provider_apscores.webservice.retries import may_repeat, token_lost

BASE = "https://api.example/prod"
ORDER = FileOrder("4866")
URL = "https://files.example/a.txt?Expires=1767225600&Signature=s3cret"
FILE = GeneratedFile(ORDER, "73", "a.txt", Secret(URL))
FILES = FileAddresses(BASE)
TOKEN = Secret("tok")
HTML = b"<!DOCTYPE html><html>Down for maintenance</html>"
XML = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'


def reply(status: int = 200, /, headers: dict[str, str] | None = None, **fields: object) -> Reply:
    return Reply(status, json.dumps(fields).encode(), headers or {})


def read_order(answer: Reply) -> GeneratedFile | None:
    return protocol.read_order(answer, ORDER, FILES)


def no(message: str = "", status: int = 200) -> Reply:
    return reply(status, success=False, message=message)


def test_all_calls_carry_the_headers_of_the_reference():
    requests = [
        (protocol.build_log_in(BASE, Credentials("a@b.edu", "secret")), "CBLogin"),
        (protocol.build_order(BASE, TOKEN, ORDER), "tok"),
        (protocol.build_download(TOKEN, FILE, FILES), "tok"),
        (protocol.build_record(BASE, TOKEN, "73", "TXT"), "tok"),
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
            protocol.build_order(BASE, TOKEN, FileOrder("0007", "CSV", "full")),
            "POST",
            f"{BASE}/fileGeneration",
            {"diCode": "0007", "format": "CSV", "downloadType": "full"},
        ),
        (protocol.build_download(TOKEN, FILE, FILES), "GET", URL, None),
        (
            protocol.build_record(BASE, TOKEN, "73", "TXT"),
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
@pytest.mark.parametrize("token", ["tok", " tok "])
def test_a_login_gives_a_token(success, token):
    answer = reply(success=success, message="Your password expires soon", authToken=token)
    assert protocol.read_log_in(answer) == Secret("tok")


@pytest.mark.parametrize(
    ("answer", "quoted"),
    [
        (no("Your account is locked"), 'HTTP 200: "Your account is locked"'),
        (Reply(423, b'{"error": {"code": 7, "detail": "Account", "cause": ["locked"]}}'), 'HTTP 423: "Account locked"'),
        (Reply(423, b'["Account locked"]'), 'HTTP 423: "Account locked"'),
        (Reply(423, b"Account locked for Rosalind"), 'HTTP 423: "Account locked for …"'),
        (Reply(423, b"<html>Account locked</html>"), "HTTP 423"),
    ],
)
def test_a_refused_login_quotes_the_known_words_of_any_answer(answer, quoted):
    with pytest.raises(CredentialsRefused) as caught:
        protocol.read_log_in(answer)
    assert f"({quoted})" in str(caught.value)


LOCKED_PAGE = b"<html><body>This account is locked</body></html>"


@pytest.mark.parametrize("status", [200, 201, 400, 401, 403, 404, 408, 409, 422, 423, 425, 429, 500, 502, 503, 504])
@pytest.mark.parametrize(
    "message",
    ["Your account is locked", "Account disabled", "The password has expired", "Wrong password", "Invalid credentials"],
)
def test_a_login_refused_in_words_is_final_at_any_status(status, message):
    bodies = [
        {"success": False, "message": message},
        {"success": True, "message": message},
        {"message": message},
        {"error": {"detail": message}},
        [message],
        message,
    ]
    answers = [Reply(status, json.dumps(body).encode()) for body in bodies]
    for answer in [*answers, Reply(status, message.encode(), {"Content-Type": "text/plain"})]:
        with pytest.raises(CredentialsRefused):
            protocol.read_log_in(answer)
        assert not may_repeat(CredentialsRefused(""), answer, "login")


@pytest.mark.parametrize("status", [408, 425, 429, 500, 501, 502, 503, 504, 520])
@pytest.mark.parametrize(
    ("body", "is_answer"),
    [
        (b"", False),
        (b"Bad gateway", False),
        (b'{"success": tr', True),
        (b'{"message": "Internal server error"}', True),
        (b'{"message": "Something went wrong, try again"}', True),
        (b'{"success": false, "message": "Service unavailable"}', True),
        (b'{"success": true, "authToken": "tok"}', True),
        (b"[]", True),
        (b'"busy"', True),
        (b"<html>Down for maintenance</html>", True),
        (LOCKED_PAGE, True),
        (b'<?xml version="1.0"?><Error/>', True),
    ],
)
def test_a_login_that_meets_a_temporary_failure_is_left_to_airflow(status, body, is_answer):
    answer = Reply(status, body)
    with pytest.raises(ServiceUnavailable) as caught:
        protocol.read_log_in(answer)
    assert caught.value.status == status
    assert may_repeat(caught.value, answer, "login") is (status in (502, 503, 504) and not is_answer)


@pytest.mark.parametrize(
    "answer",
    [
        no("Invalid username or password"),
        no("any other text"),
        no("try again later"),
        no(""),
        reply(success="false", message="x"),
        reply(success=None),
        reply(authToken="tok"),
        reply(message="ok"),
        Reply(401, b""),
        Reply(403, HTML),
        no("MFA", 403),
        no("no", 400),
        Reply(200, HTML),
        Reply(200, LOCKED_PAGE),
        Reply(200, b""),
        Reply(200, b"OK"),
        Reply(200, b'{"success": tr'),
        Reply(200, b"[1]"),
        Reply(200, b"null"),
        Reply(200, b"[" * 100_000),
        Reply(204, b""),
        Reply(302, b"", {"Location": "https://x.example"}),
        Reply(307, b"", {"Location": "https://x.example"}),
        Reply(304, b""),
        reply(400, success=True, authToken="tok"),
        Reply(400, HTML),
        Reply(404, HTML),
        reply(404, message="Not Found"),
        Reply(410, b""),
        Reply(422, b"{}"),
        Reply(423, LOCKED_PAGE),
        Reply(451, b"unavailable for legal reasons"),
    ],
    ids=repr,
)
def test_any_other_answer_to_a_login_is_final_and_names_the_four_causes(answer):
    with pytest.raises(CredentialsRefused) as caught:
        protocol.read_log_in(answer)
    text = str(caught.value)
    assert f"HTTP {answer.status}" in text
    assert all(cause in text for cause in ("expired", "multifactor", "site terms", "role"))
    assert "not repeated" in text


@pytest.mark.parametrize(
    ("answer", "came"),
    [
        (Reply(404, HTML), "an HTML page"),
        (Reply(200, b""), "an empty body"),
        (Reply(302, b""), "an empty body"),
        (Reply(200, b"[1]"), "something else"),
        (reply(404, message="Not Found"), "a JSON answer"),
    ],
)
def test_a_login_that_is_not_answered_as_documented_points_to_the_base_url(answer, came):
    with pytest.raises(CredentialsRefused, match=f"{came}: check the base URL"):
        protocol.read_log_in(answer)


@pytest.mark.parametrize("token", [None, "", " ", "a\r\nX-Evil: b", "tökén", ["tok"]])
def test_a_login_without_a_usable_token_is_not_repeated_within_the_call(token):
    answer = reply(success=True, authToken=token)
    with pytest.raises(UnexpectedReply, match="no usable token") as caught:
        protocol.read_log_in(answer)
    assert not may_repeat(caught.value, answer, "login")


# ------------------------------------------------------------------------------------------------------ order


@pytest.mark.parametrize(
    ("sent", "kept"),
    [(7300001, "7300001"), ("7300001", "7300001"), ("a-B_1.x", "a-B_1.x"), (0, "0"), ("x" * 128, "x" * 128)],
)
def test_a_download_id_is_a_string(sent, kept):
    found = read_order(reply(success=True, url=URL, fileName="../x.txt", downloadId=sent))
    assert found == GeneratedFile(ORDER, kept, "x.txt", Secret(URL), datetime(2026, 1, 1, tzinfo=UTC))


def test_a_file_without_a_name_gets_one():
    found = read_order(reply(success="true", url=URL, downloadId=1))
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
    assert read_order(answer) is None
    assert protocol.still_generating(answer, ORDER) is None


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (no("You do not have access to this institution."), CampusRefused, "4866.*do not have access"),
        (no("No score orders found, or no access to this institution", 403), CampusRefused, "HTTP 403"),
        (no("Your password has expired. No score orders were found."), CredentialsRefused, "password has expired"),
        (no("No score orders were found", 401), UnexpectedReply, "refused its token"),
        (no("No score reports available due to maintenance", 503), ServiceUnavailable, "maintenance"),
        (no("No score reports available", 429), ServiceUnavailable, "HTTP 429"),
        (no("whatever"), CampusRefused, "HTTP 200"),
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
        (reply(success=True, url=URL, downloadId=""), UnexpectedReply, "downloadId"),
        (reply(success=True, url=URL, downloadId=7.5), UnexpectedReply, "downloadId"),
        (reply(success=True, url=URL, downloadId="7\n3"), UnexpectedReply, "downloadId"),
        (reply(success=True, url=URL, downloadId="73\n"), UnexpectedReply, "downloadId"),
        (reply(success=True, url=URL, downloadId="7\u202e3"), UnexpectedReply, "downloadId"),
        (reply(success=True, url=URL, downloadId="\x1b[31m"), UnexpectedReply, "downloadId"),
        (reply(success=True, url=URL, downloadId="٧٣"), UnexpectedReply, "downloadId"),
        (reply(success=True, url=URL, downloadId="x" * 129), UnexpectedReply, "downloadId"),
        (reply(success=True, url=URL, downloadId=["73"]), UnexpectedReply, "downloadId"),
        (reply(success=True, url="https://127.0.0.1/1?s3cret", downloadId=1), InsecureAddress, "loopback"),
        (reply(success=True, url="https://169.254.169.254/1?s3cret", downloadId=1), InsecureAddress, "link-local"),
        (reply(success=True, url="files/1", downloadId=1), UnexpectedReply, "not an address"),
        (reply(success=True, url="http://files.example/1?s3cret", downloadId=1), InsecureAddress, "not https"),
        (reply(success=True, url=["x"], downloadId=1), UnexpectedReply, "not an address"),
        (reply(url=URL, downloadId=1), UnexpectedReply, "without success"),
        (Reply(200, HTML), UnexpectedReply, "an HTML page"),
        (Reply(404, b"<html>"), UnexpectedReply, "Check the base URL"),
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
        read_order(answer)
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
def test_an_expired_url_is_none(answer):
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


REQUEST = protocol.build_download(TOKEN, FILE, FILES)


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
def test_a_token_is_sent_to_its_origin_only(location, url, with_token):
    after = protocol.build_redirected_download(REQUEST, Reply(302, b"", {"location": location}), FILES)
    assert after.url == url
    assert (protocol.TOKEN in after.headers, protocol.SERVICE in after.headers) == (with_token, with_token)


def test_a_redirect_back_to_the_origin_has_no_token():
    away = protocol.build_redirected_download(REQUEST, Reply(302, b"", {"Location": "https://other.example/"}), FILES)
    back = protocol.build_redirected_download(away, Reply(302, b"", {"Location": URL}), FILES)
    again = protocol.build_redirected_download(back, Reply(302, b"", {"Location": URL}), FILES)
    assert protocol.TOKEN not in {*back.headers, *again.headers}


@pytest.mark.parametrize(
    ("location", "error"),
    [
        ("http://files.example/b?s3cret", InsecureAddress),
        ("http://127.0.0.1/b", InsecureAddress),
        ("https://10.0.0.1/b?s3cret", InsecureAddress),
        ("ftp://files.example/b", UnexpectedReply),
        ("https://[broken", UnexpectedReply),
        ("", UnexpectedReply),
    ],
)
def test_a_redirect_to_an_address_that_is_not_allowed_is_not_followed(location, error):
    with pytest.raises(error) as caught:
        protocol.build_redirected_download(REQUEST, Reply(302, b"", {"Location": location}), FILES)
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
        (no("The download was not found"), RequestRefused, "73.*was not found.*stay new"),
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
    assert token_lost(answer, kind) is lost


@pytest.mark.parametrize(
    "read",
    [protocol.read_log_in, read_order, lambda answer: protocol.read_record(answer, "73")],
    ids=["login", "order", "record"],
)
@pytest.mark.parametrize("status", [200, 400, 401, 403, 500])
def test_errors_quote_only_known_words_of_the_service(read, status):
    message = "Access denied for \x1b[31mRosalind Quillfeather 'hunter2' (aHVudGVyMg==) 12345678 pat@student.edu"
    with pytest.raises(WebServiceError) as caught:
        read(no(message, status))
    text = str(caught.value)
    assert '"Access denied for …"' in text
    assert text.isprintable()
    assert len(text) < 900
