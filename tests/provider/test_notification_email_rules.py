"""What a notification e-mail tells. No mailbox, no Airflow."""

from __future__ import annotations

import time
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
    ("sender", "field", "concerns"),
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
        ("collegeboard.org", b"Reply-To: a@collegeboard.org", False),
        ("collegeboard.org", b"", False),
        ("a@college.edu", b"From: a@college.edu", True),
        ("a@college.edu", b"From: aa@college.edu", False),
        ("A@College.EDU; @example.edu", b"From: x@mail.example.edu", True),
    ],
)
def test_senders(sender: str, field: bytes, concerns: bool):
    assert rules(sender=sender).is_notification(field + b"\r\nSubject: x\r\n\r\n") is concerns


@pytest.mark.parametrize(
    ("subject", "di_codes"),
    [
        (b"Reports for Main Campus", ("4866",)),
        (b"Reports for Main\r\n\tCampus", ("4866",)),
        (b"Online and Main Campus", ("4866", "0417")),
        (b"=?utf-8?b?TWFpbiBDYW1wdXM=?=", ("4866",)),
        (b"=?utf-8?q?Main?= =?iso-8859-1?q?_Campus?=", ("4866",)),
        (b"=?no-such-charset?q?Main_Campus?=", ("4866",)),
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
        ({"campus_patterns": {"417": "x"}}, "DI code"),
    ],
)
def test_rules_that_make_no_sense(arguments: dict[str, Any], words: str):
    with pytest.raises(ConfigurationError, match=words):
        rules(**arguments)


def test_patterns_may_come_as_json():
    assert read_rules(campus_patterns='{"4866": "x"}') == read_rules(campus_patterns={"4866": "x"})


@given(st.binary(max_size=400), st.sampled_from([b"", MULTIPART + b"--b\r\n", PLAIN, b"From: ", b"Subject: =?utf-8?"]))
def test_no_message_is_too_broken(noise: bytes, start: bytes):
    assert _is_notification(rules(), start + noise) in (True, False)
    assert set(_campuses(rules(match_body=True), start + noise)) <= set(PATTERNS)


def test_messages_nested_without_end_are_messages_without_a_campus():
    nested = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(3000))

    assert _campuses(rules(match_body=True), nested) == ()


@pytest.mark.parametrize("filling", [b"<", b"<a ", b"&", b"=?utf-8?q?", b" \t", b"(" * 10, b'"'])
def test_a_hostile_message_takes_no_time(filling: bytes):
    hostile = (filling * 200_000)[:200_000]
    begin = time.perf_counter()
    _is_notification(rules(), (b"From: " + hostile + b"\r\nSubject: " + hostile)[:16384] + b"\r\n\r\n")
    _campuses(rules(match_body=True), b"Content-Type: text/html\r\n\r\n" + hostile)

    assert time.perf_counter() - begin < 2
