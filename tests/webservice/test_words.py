from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_apscores.webservice import error_text as words


@pytest.mark.parametrize(
    ("message", "account", "campus", "token"),
    [
        ("Multifactor authentication is enabled for this account.", True, False, False),
        ("MFA must be disabled", True, False, False),
        ("Your password has expired.", True, False, False),
        ("The site terms have not been accepted", True, False, False),
        ("User lacks the role APOSRD HED Admin", True, False, False),
        ("This account has been locked", True, False, False),
        ("You do not have access to this institution.", False, True, False),
        ("Invalid DI code", False, True, False),
        ("diCode not found", False, True, False),
        ("Token expired", False, False, True),
        ("The authorization token is not valid", False, False, True),
        ("Invalid session", False, False, True),
        ("Invalid authToken", False, False, True),
        ("Please log in.", False, False, True),
        ("Your session has timed out. Please log in again.", False, False, True),
        ("User not authenticated", False, False, True),
        ("Something went wrong", False, False, False),
        ("The file could not be controlled", False, False, False),
        ("", False, False, False),
    ],
)
def test_what_a_message_is_about(message, account, campus, token):
    found = words.speaks_of_account(message), words.speaks_of_campus(message), words.speaks_of_token(message)
    assert found == (account, campus, token)


@pytest.mark.parametrize(
    ("message", "nothing"),
    [
        ("There were no score orders found", True),
        ("  there WERE no\n score orders   found for 4866.", True),
        ("No score orders were found", True),
        ("There were no new score orders found for the campus", True),
        ("There were score orders found", False),
        ("No score report could be made", False),
        ("No such institution", False),
    ],
)
def test_nothing_new_is_known_by_its_words(message, nothing):
    assert words.says_nothing_new(message) is nothing


@pytest.mark.parametrize(
    ("message", "perhaps_token", "passing"),
    [
        ("Unauthorized", True, False),
        ("Access denied", True, False),
        ("User is not authorized to access this resource", True, False),
        ("You are not authorized for this institution", False, False),
        ("Authorization failed: your password has expired", False, False),
        ("Unable to generate file at this time. Please try again later.", False, True),
        ("Service temporarily unavailable", False, True),
        ("Request timed out", False, True),
        ("Internal server error", False, True),
        ("File generation already in progress", False, True),
        ("An error occurred", False, True),
        ("This institution is unavailable to you", False, False),
        ("Invalid request", False, False),
    ],
)
def test_what_another_login_or_another_try_may_mend_is_known_by_its_words(message, perhaps_token, passing):
    found = words.may_speak_of_token(message), words.speaks_of_passing_trouble(message)
    assert found == (perhaps_token, passing)


@pytest.mark.parametrize(
    ("message", "already"),
    [
        ("This download was already recorded.", True),
        ("Already marked as downloaded", True),
        ("download not found", False),
        ("", False),
    ],
)
def test_recorded_already_is_known_by_its_words(message, already):
    assert words.says_already_recorded(message) is already


@pytest.mark.parametrize(
    ("said", "quoted"),
    [
        ("plain words, HTTP 200, campus 4866", "plain words, HTTP 200, campus 4866"),
        ("wrong password hunter2!", "wrong password •••"),
        ("got hunter2%21 in a URL", "got ••• in a URL"),
        ("see https://files.example/a?Signature=abc&x=1 now", "see https://files.example/a?••• now"),
        ("https://user:pw@files.example/", "https://•••@files.example/"),
        ("for pat.doe@student.example.edu only", "for ••• only"),
        ("student 12345678 not found", "student ••• not found"),
        ("key eyJhbGciOiJIUzI1NiJ9eyJzdWIiOiIxMjM0NTY3ODkwIn0", "key •••"),
        ("two\r\nlines\x1b[31m\ttabbed", "two lines [31m tabbed"),
    ],
)
def test_a_quotation_gives_nothing_away(said, quoted):
    assert words.scrub(said, ["hunter2!"]) == quoted


def test_a_quotation_is_short_and_a_secret_is_not_cut_in_two():
    quoted = words.scrub("ha! " * 73 + "hunter2! and so on", ["hunter2!"])
    assert len(quoted) <= 300
    assert "hunter" not in quoted


@given(st.text(max_size=60), st.text(min_size=3, max_size=12).filter(lambda secret: "•" not in secret), st.text())
def test_no_secret_survives(before, secret, after):
    assert secret not in words.scrub(before + secret + after, [secret]).replace(words.HIDDEN, "\0")
