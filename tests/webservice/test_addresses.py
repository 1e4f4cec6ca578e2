from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_provider_apscores.errors import ConfigurationError, InsecureAddress, UnexpectedReply
from airflow_provider_apscores.webservice import addresses


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("https://api.example/prod", "https://api.example/prod"),
        ("https://api.example/prod/", "https://api.example/prod"),
        (" https://api.example:8443 ", "https://api.example:8443"),
        ("http://localhost:8080/x", "http://localhost:8080/x"),
        ("http://127.0.0.1", "http://127.0.0.1"),
        ("http://127.9.9.9:1", "http://127.9.9.9:1"),
        ("http://[::1]:80/x", "http://[::1]:80/x"),
    ],
)
def test_a_base_url_is_https_or_on_this_machine(given, used):
    assert addresses.check_base(given) == used


@pytest.mark.parametrize(
    "given",
    [
        "http://api.example/prod",
        "http://localhost.example",
        "http://10.0.0.1",
        "http://128.0.0.1",
        "http://127.0.0.1.example",
        "http://0.0.0.0",
        "api.example/prod",
        "ftp://localhost/",
        "file:///etc/passwd",
        "https://",
        "https://user:s3cret@api.example",
        "https://api.example/?key=s3cret",
        "https://api.example/#s3cret",
        "https://api.example\\@s3cret.example",
        "https://api.example:s3cret",
        "https://api example",
        "https://api.example/\r\nX: s3cret",
        "https://[::1",
    ],
)
def test_other_base_urls_are_refused_before_anything_is_sent(given):
    with pytest.raises(ConfigurationError) as caught:
        addresses.check_base(given)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ("http://files.example/a?s3cret", InsecureAddress),
        ("ftp://localhost/a", UnexpectedReply),
        ("/files/a", UnexpectedReply),
        ("https://user:s3cret@files.example/a", UnexpectedReply),
        ("https://files.example\\.evil/a", UnexpectedReply),
        ("https://files.example/a b", UnexpectedReply),
        ("", UnexpectedReply),
    ],
)
def test_a_token_goes_to_no_other_address(given, error):
    with pytest.raises(error, match="the file is offered") as caught:
        addresses.check(given, "the file is offered")
    assert "s3cret" not in str(caught.value)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("query", "when"),
    [
        ("Expires=1767225600&Signature=x", datetime(2026, 1, 1, tzinfo=UTC)),
        ("X-Amz-Date=20260101T000000Z&X-Amz-Expires=300", datetime(2026, 1, 1, 0, 5, tzinfo=UTC)),
        ("Signature=x", None),
        ("Expires=soon", None),
        ("Expires=99999999999999999", None),
        ("X-Amz-Date=yesterday&X-Amz-Expires=300", None),
        ("X-Amz-Date=20260101T000000Z&X-Amz-Expires=x", None),
        ("", None),
    ],
)
def test_a_signed_url_says_when_it_expires(query, when):
    assert addresses.expiry(f"https://files.example/a?{query}") == when


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://a.example/x", "https://a.example:443/y?z", True),
        ("https://A.example/x", "https://a.example/", True),
        ("https://a.example", "https://a.example:8443", False),
        ("https://a.example", "http://a.example", False),
        ("https://a.example", "https://b.example", False),
    ],
)
def test_an_origin_is_scheme_host_and_port(one, other, same):
    assert (addresses.origin(one) == addresses.origin(other)) is same
