from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_apscores.webservice import Reply
from airflow_provider_apscores.webservice.answer import Answer, retry_after

NOW = datetime(2026, 1, 1, tzinfo=UTC)


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
        (429, {"Retry-After": "7.5"}, None),
        (429, {"Retry-After": "\u0667"}, None),
        (429, {}, None),
        (500, {"Retry-After": "7"}, None),
        # At most a day, whatever the number.
        (429, {"Retry-After": "86401"}, 86400.0),
        (429, {"Retry-After": "9" * 400}, 86400.0),
        (429, {"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, 86400.0),
        # Dates that no calendar has, or in another form.
        (429, {"Retry-After": "Thu, 01 Jan 0000 00:01:00 GMT"}, None),
        (429, {"Retry-After": "Thu, 32 Jan 2026 00:01:00 GMT"}, None),
        (429, {"Retry-After": "Thu, 01 Foo 2026 00:01:00 GMT"}, None),
        (429, {"Retry-After": "Thu, 01 Jan 2026 25:01:00 GMT"}, None),
        (429, {"Retry-After": "Thu, 01 Jan 2026 ::::::01 GMT"}, None),
        (429, {"Retry-After": "Thu, 01 Jan 99999 00:01:00 GMT"}, None),
        (429, {"Retry-After": "Thu, 01 Jan 2026 00:01:00 +9999999999"}, None),
        (429, {"Retry-After": "Mon, 01 Jan 0001 00:00:00 +2359"}, None),
        (429, {"Retry-After": "Thu, 01 Jan 2026 00:01:00 GMT", "Date": "Thu, 01 Jan 99999 00:00:00 GMT"}, 60.0),
        (429, {"Retry-After": "Thu, 01 Jan 2026 00:01:00 GMT", "Date": "Mon, 01 Jan 0001 00:00:00 GMT"}, 86400.0),
    ],
)
def test_how_long_the_service_asks_to_wait(status, headers, seconds):
    assert retry_after(Reply(status, b"", headers), NOW) == seconds


def test_every_wait_that_the_service_asks_for_is_a_duration():
    timedelta(seconds=retry_after(Reply(429, b"", {"Retry-After": "9" * 5000}), NOW))


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "a"), (7, "7"), (None, ""), (True, "\0"), (7.5, "\0"), (["a"], "\0"), ({"a": 1}, "\0")],
)
def test_a_value_is_a_text_or_an_integer(value, text):
    answer = Answer(Reply(200, json.dumps({"key": value}).encode()))
    assert answer.text("key") == text
    assert answer.secret("key").reveal() == text


@pytest.mark.parametrize(
    ("body", "is_object", "is_json", "is_markup", "kind"),
    [
        (b'{"a": 1}', True, True, False, "a JSON answer"),
        (b'{"a": ', False, True, False, "a JSON answer"),
        (b"[1]", False, True, False, "something else"),
        (b'"a"', False, True, False, "something else"),
        (b"<html>", False, False, True, "an HTML page"),
        (b"\xef\xbb\xbf <!DOCTYPE html>", False, False, True, "an HTML page"),
        (b'<?xml version="1.0"?>', False, False, True, "an XML document"),
        (b"Bad gateway", False, False, False, "something else"),
        (b"\xff\xfe\x00", False, False, False, "something else"),
        (b" \r\n", False, False, False, "an empty body"),
        (b"[" * 100_000, False, True, False, "something else"),
    ],
)
def test_what_a_body_is(body, is_object, is_json, is_markup, kind):
    answer = Answer(Reply(200, body))
    assert (answer.is_object, answer.is_json, answer.is_markup, answer.body_kind) == (
        is_object, is_json, is_markup, kind,
    )  # fmt: skip


def test_deeply_nested_json_is_searched_for_words():
    assert Answer(Reply(500, b"[" * 900 + b'"locked"' + b"]" * 900)).all_words == "locked"


def test_an_answer_shows_nothing_of_its_body():
    assert repr(Answer(Reply(200, b'{"authToken": "s3cret"}'))) == "Answer(HTTP 200)"
