"""What a notification e-mail says. No mailbox, no Airflow."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.hooks.mailbox import _campuses, _is_notification
from airflow_provider_apscores.hooks.notification import Rules, read_rules

pytestmark = pytest.mark.airflow

PATTERNS = {"4866": "main campus", "0417": r"\bonline\b"}


def rules(**arguments: Any) -> Rules:
    return read_rules(**{"campus_patterns": PATTERNS, **arguments})


@pytest.mark.parametrize(
    ("sender", "field", "accepted"),
    [
        ("collegeboard.org", b"From: a@collegeboard.org", True),
        ("collegeboard.org", b"From: College Board <A@E.CollegeBoard.ORG>", True),
        ("collegeboard.org", b'From: "Board, College" <a@e.collegeboard.org>', True),
        ("collegeboard.org", b"From: =?utf-8?q?C=C3=B6llege?= <a@e.collegeboard.org>", True),
        ("collegeboard.org", b"FROM:\r\n a@e.collegeboard.org", True),
        ("collegeboard.org", b"From: a@collegeboard.org.example.edu", False),
        ("collegeboard.org", b"From: a@badcollegeboard.org", False),
        ("collegeboard.org", b"From: collegeboard.org", False),
        ("collegeboard.org", b"From: a@collegeboard.org, b@example.edu", False),
        ("collegeboard.org", b"From: =?utf-8?q?=3Ca=40collegeboard.org=3E?= <a@example.edu>", False),
        ("collegeboard.org", b"From: a@collegeboard.org\r\nFrom: b@example.edu", False),
        ("collegeboard.org", b"Reply-To: a@collegeboard.org", False),
        ("collegeboard.org", b"", False),
        ("a@college.edu", b"From: a@college.edu", True),
        ("a@college.edu", b"From: aa@college.edu", False),
        ("A@College.EDU; @example.edu", b"From: x@mail.example.edu", True),
    ],
)
def test_senders(sender: str, field: bytes, accepted: bool):
    assert rules(sender=sender).is_notification(field + b"\r\nSubject: x\r\n\r\n") is accepted


@pytest.mark.parametrize(
    ("subject", "di_codes"),
    [
        (b"Reports for Main Campus", ("4866",)),
        (b"Reports for Main\r\n\tCampus", ("4866",)),
        (b"Online and Main Campus", ("4866", "0417")),
        (b"=?utf-8?b?TWFpbiBDYW1wdXM=?=", ("4866",)),
        (b"=?utf-8?q?Main?= =?iso-8859-1?q?_Campus?=", ("4866",)),
        (b"=?no-such-charset?q?Main_Campus?=", ("4866",)),
        (b"=?punycode?q?Main_Campus?=", ("4866",)),
        (b"=?utf-8?b?broken?= Main Campus", ("4866",)),
        ("Prüfung: online".encode(), ("0417",)),
        (b"\xff\xfe online", ("0417",)),
        (b"onlinecampus", ()),
        (b"x" * 5000 + b" online", ()),
        (b"", ()),
    ],
)
def test_subjects(subject: bytes, di_codes: tuple[str, ...]):
    assert rules().campuses_in(b"Subject: " + subject + b"\r\n\r\nmain campus") == di_codes


FROM = b"From: College Board <a@e.collegeboard.org>\r\n"
FORGED = b"Authentication-Results: mx.college.edu; dmarc=pass header.from=e.collegeboard.org\r\n"


@pytest.mark.parametrize(
    ("authserv_id", "results", "accepted"),
    [
        (None, b"", True),
        ("", b"", True),
        ("mx.college.edu", b"", False),
        ("mx.college.edu", b"mx.college.edu; dmarc=pass", True),
        ("MX.College.edu", b"mx.college.EDU 1; spf=fail; DMARC=Pass (p=reject) header.from=e.collegeboard.org", True),
        ("mx.college.edu", b"mx.college.edu; dmarc=pass header.from=collegeboard.org", True),
        ("mx.college.edu", b"mx.college.edu;\r\n dkim=pass header.d=collegeboard.org header.s=x", True),
        ("mx.college.edu", b"mx.college.edu; dkim=pass header.i=@e.collegeboard.org", True),
        ("mx.college.edu", b"mx.college.edu; dkim=fail header.d=a.org; dkim=pass header.d=e.collegeboard.org", True),
        ("mx.college.edu", b"mx.college.edu; dkim/1=pass header.d=e.collegeboard.org", True),
        ("mx.college.edu", b"mx.college.edu; dmarc=fail header.from=e.collegeboard.org", False),
        ("mx.college.edu", b"mx.college.edu; dmarc=passing header.from=e.collegeboard.org", False),
        ("mx.college.edu", b"mx.college.edu; dmarc=pass header.from=example.edu", False),
        ("mx.college.edu", b"mx.college.edu; dkim=pass header.d=example.edu", False),
        ("mx.college.edu", b"mx.college.edu; dkim=pass header.d=board.org", False),
        ("mx.college.edu", b"mx.college.edu; dkim=pass", False),
        ("mx.college.edu", b"mx.college.edu; spf=pass smtp.mailfrom=e.collegeboard.org", False),
        ("mx.college.edu", b"mx.college.edu; none", False),
        # Words that the sender chose, in quotes and comments, are no results.
        ("mx.college.edu", b'mx.college.edu; spf=pass smtp.mailfrom="a; dmarc=pass"@example.edu', False),
        ("mx.college.edu", b"mx.college.edu; spf=pass (helo (x); dmarc=pass; y) smtp.helo=a", False),
        # Only the topmost results of the server count; those of other servers count for nothing.
        ("mx.college.edu", b"mx.college.edu; dmarc=fail\r\n" + FORGED.rstrip(), False),
        ("mx.college.edu", b"relay.example.edu; dmarc=pass", False),
        ("mx.college.edu", b"relay.example.edu; dmarc=fail\r\n" + FORGED.rstrip(), True),
        ("*", b"relay.example.edu; dmarc=fail\r\n" + FORGED.rstrip(), False),
        # Microsoft 365 writes no authserv-id.
        ("*", b"spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=a.org; dkim=none (message not signed)\r\n"
         b" header.d=none;dmarc=pass action=none header.from=e.collegeboard.org;compauth=pass reason=100", True),
        ("*", b"spf=pass smtp.mailfrom=a.org; dmarc=fail action=none header.from=e.collegeboard.org", False),
        ("*", b"", False),
    ],
)  # fmt: skip
def test_results_of_the_receiving_server(authserv_id: str | None, results: bytes, accepted: bool):
    """
    RFC 8601; what servers write around it is taken from their documentation.
    """
    header = b"Authentication-Results: " + results + b"\r\n" if results else b""

    assert rules(authserv_id=authserv_id).is_notification(header + FROM + b"Subject: x\r\n\r\n") is accepted


PLAIN = b"Content-Type: text/plain; charset=utf-8\r\n"
MULTIPART = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'


@pytest.mark.parametrize(
    ("message", "di_codes"),
    [
        (PLAIN + b"\r\nfor Main\r\nCampus", ("4866",)),
        (PLAIN + b"Content-Transfer-Encoding: base64\r\n\r\nTWFpbiBDYW1wdXM=", ("4866",)),
        (PLAIN + b"Content-Transfer-Encoding: quoted-printable\r\n\r\nMain=20Cam=\r\npus", ("4866",)),
        (b"Content-Type: text/plain; charset=klingon\r\n\r\nMain Campus", ("4866",)),
        (b"Content-Type: text/html\r\n\r\n<p>Main&#32;<b>Campus", ("4866",)),
        (b"Content-Type: text/html\r\n\r\n<p title='online'>", ()),
        (MULTIPART + b"--b\r\n\r\nonline\r\n--b\r\n" + PLAIN + b"\r\nMain Campus\r\n--b--", ("4866", "0417")),
        (MULTIPART + b"--b\r\nContent-Disposition: attachment\r\n\r\nonline\r\n--b--", ()),
        (MULTIPART + b"--b\r\nContent-Type: image/png\r\n\r\nonline\r\n--b--", ()),
        (MULTIPART + b"--b\r\n\r\nonline, and here the message was cut", ("0417",)),
        (b"\r\n" + b"x" * 200_000 + b" online", ()),
    ],
)
def test_texts(message: bytes, di_codes: tuple[str, ...]):
    message = b"Subject: News\r\n" + message

    assert rules(match_body=True).campuses_in(message) == di_codes
    assert rules(match_body=False).campuses_in(message) == ()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"sender": ""}, "sender"),
        ({"sender": 'a"b@example.edu'}, "sender"),
        ({"sender": "bücher.example"}, "sender"),
        ({"subject_pattern": "("}, "subject_pattern"),
        ({"campus_patterns": None}, "campus_patterns"),
        ({"campus_patterns": {}}, "campus_patterns"),
        ({"campus_patterns": "not JSON"}, "campus_patterns"),
        ({"campus_patterns": {"4866": "("}}, "4866"),
        ({"campus_patterns": {"4866": None}}, "4866"),
        ({"campus_patterns": {"4866": r"(a)\1"}}, "RE2"),
        ({"subject_pattern": "(?=x)"}, "RE2"),
        ({"campus_patterns": {"417": "x"}}, "DI code"),
    ],
)
def test_wrong_rules(arguments: dict[str, Any], words: str):
    with pytest.raises(ConfigurationError, match=words):
        rules(**arguments)


def test_patterns_may_come_as_json():
    assert read_rules(campus_patterns='{"4866": "x"}').campuses_in(b"Subject: X\r\n\r\n") == ("4866",)


@given(st.binary(max_size=400), st.sampled_from([b"", MULTIPART + b"--b\r\n", PLAIN, b"From: ", b"Subject: =?utf-8?"]))
def test_no_message_is_an_error(noise: bytes, start: bytes):
    assert _is_notification(rules(), start + noise) in (True, False)
    assert set(_campuses(rules(match_body=True), start + noise)) <= set(PATTERNS)


def test_deeply_nested_messages_are_messages_without_a_campus():
    nested = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(3000))

    assert _campuses(rules(match_body=True), nested) == ()


PATTERN_BOMBS = {"4866": r"main(\s+\S+)*\s+campus", "0417": r".*a.*a.*a.*online", "9120": "(x+x+)+y"}
FILLINGS = [b"<", b"<a ", b"&", b"=?utf-8?q?", b" \t", b"(" * 10, b'"', b"main ", b"a", b"x"]


@pytest.fixture
def within_a_minute() -> Iterator[None]:
    """Fail a test that would run for minutes."""

    def end(*_: object) -> None:
        pytest.fail("still running after a minute")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("within_a_minute")
@pytest.mark.parametrize("charset", [b"utf-8", b"punycode", b"idna", b"utf-7"])
@pytest.mark.parametrize("filling", FILLINGS)
def test_a_hostile_message_does_not_hold_the_interpreter(filling: bytes, charset: bytes):
    """
    Python's own engine needs minutes to years for some of these.
    """
    hostile = (filling * 262_144)[:262_144]
    some = rules(campus_patterns=PATTERN_BOMBS, match_body=True, authserv_id="mx.college.edu")
    header = b"Authentication-Results: " + hostile[:8000] + b"\r\nFrom: " + hostile[:4000] + b"\r\nSubject: " + hostile
    _is_notification(some, header[:16384] + b"\r\n\r\n")
    assert _campuses(some, b"Content-Type: text/html; charset=" + charset + b"\r\n\r\n" + hostile) == ()


@pytest.mark.usefixtures("within_a_minute")
@pytest.mark.parametrize(
    "header",
    [
        b"Authentication-Results: " + b'"\\' * 8000,
        b"Authentication-Results: " + b"(\\" * 8000,
        b"Content-Type: text/plain" + b";" * 262_144,
    ],
    ids=["quotes", "comments", "parameters"],
)
def test_hostile_headers_do_not_hold_the_interpreter(header: bytes):
    """
    Read naively, each of these takes seconds, and a sender can send many.
    """
    some = rules(match_body=True, authserv_id="mx.college.edu")
    for _ in range(30):
        assert not _is_notification(some, header + b"\r\n" + FROM + b"\r\n")
        assert _campuses(some, header + b"\r\n\r\nMain Campus") in ((), ("4866",))
