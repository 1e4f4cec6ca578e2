from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_apscores.webservice import error_text


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
    found = (
        error_text.mentions_account(message),
        error_text.mentions_campus(message),
        error_text.mentions_token(message),
    )
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
    assert error_text.says_nothing_new(message) is nothing


@pytest.mark.parametrize(
    ("message", "perhaps_token", "temporary"),
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
def test_what_another_login_or_another_attempt_may_fix_is_known_by_its_words(message, perhaps_token, temporary):
    found = error_text.may_mention_token(message), error_text.says_temporary(message)
    assert found == (perhaps_token, temporary)


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
    assert error_text.says_already_recorded(message) is already


@pytest.mark.parametrize(
    ("message", "refused"),
    [
        ("Your account is locked.", True),
        ("Account has been temporarily LOCKED, try again later", True),
        ("User disabled", True),
        ("Your password has expired", True),
        ("Wrong password", True),
        ("Username or password is wrong", True),
        ("Incorrect credentials", True),
        ("Invalid username or password", True),
        ("Bad credentials", True),
        ("User not found", True),
        ("The password is not valid", True),
        ("Account suspended", True),
        ("Account is not active", True),
        ("Access has been revoked", True),
        ("Access denied", True),
        ("Multifactor authentication is enabled", True),
        ("Please accept the site terms", True),
        ("The user lacks the required role", True),
        ("Password mismatch", True),
        ("Too many failed login attempts", True),
        ("ACCOUNT_LOCKED", True),
        ("passwordExpired", True),
        ("com.example.AccountLockedException", True),
        ("Something went wrong, please try again", False),
        ("Internal server error", False),
        ("Invalid response from upstream", False),
        ("Service temporarily unavailable", False),
        ("Too many requests", False),
        ("The password service is unavailable", False),
        ("", False),
    ],
)
def test_a_refused_login_is_known_by_its_words(message, refused):
    assert error_text.says_login_refused(message) is refused


@pytest.mark.parametrize(
    ("message", "quoted"),
    [
        ("You do not have access to this institution.", "You do not have access to this institution."),
        ("Your account is locked!", "Your account is locked!"),
        ("Invalid username/password", "Invalid username/password"),
        ("Multi-factor authentication is enabled (MFA)", "Multi-factor authentication is enabled (MFA)"),
        ("There were no score orders found", "There were no score orders found"),
        ("wrong password hunter2!", "wrong password …"),
        ("Student Rosalind Quillfeather (12345678) not found", "… not found"),
        ("see https://files.example/a?Signature=abc&x=1 now", "… now"),
        ("for pat.doe@student.example.edu only", "for … only"),
        ("token eyJhbGciOiJIUzI1NiJ9eyJzdWIiOiIxMjM0NTY3ODkwIn0", "token …"),
        ("login\r\nfailed\x1b[31m\tagain", "login … again"),
        ("access \x1b]0;title\x07 denied", "access … denied"),
        ("access \u202edenied", "access …"),
        ("Grace May will mark page 7", ""),
        ("Rosalind Quillfeather", ""),
        ("", ""),
    ],
)
def test_only_known_words_are_quoted(message, quoted):
    assert error_text.excerpt(message) == quoted


def test_a_quotation_is_short_and_ends_with_a_whole_word():
    quoted = error_text.excerpt("access denied " * 200)
    assert len(quoted) <= 200
    assert quoted.removesuffix("…").split()[-1] in ("access", "denied")


@given(st.text(max_size=80), st.text(min_size=1, max_size=30), st.text(max_size=80))
def test_no_digit_no_control_character_and_no_unknown_word_is_quoted(before, secret, after):
    quoted = error_text.excerpt(f"{before} {secret}7x {after}")
    assert quoted.isprintable()
    assert not any(char.isdigit() for char in quoted)
    assert f"{secret}7x" not in quoted
