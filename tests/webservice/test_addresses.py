from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_provider_apscores.errors import ConfigurationError, InsecureAddress, UnexpectedReply
from airflow_provider_apscores.webservice import Secret, addresses
from airflow_provider_apscores.webservice.addresses import FileAddresses


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


SERVICE = FileAddresses("https://api.example/prod")


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ("http://files.example/a?s3cret", InsecureAddress),
        ("ftp://localhost/a", UnexpectedReply),
        ("/files/a", UnexpectedReply),
        ("https://user:s3cret@files.example/a", UnexpectedReply),
        ("https://files.example\\.evil/a", UnexpectedReply),
        ("https://files.example/a b", UnexpectedReply),
        ("https://１２７.0.0.1/a", UnexpectedReply),
        ("https://<b>.example/a", UnexpectedReply),
        (f"https://{'a' * 254}/a", UnexpectedReply),
        ("https://[::1", UnexpectedReply),
        ("", UnexpectedReply),
    ],
)
def test_a_token_goes_to_no_other_address(given, error):
    with pytest.raises(error, match="the file is offered") as caught:
        SERVICE.check(Secret(given), "the file is offered")
    assert "s3cret" not in str(caught.value)
    assert type(caught.value) is error


LOOPBACK = ["127.0.0.1", "127.9.9.9", "localhost", "localhost.", "a.localhost", "[::1]", "[::ffff:127.0.0.1]",
            "127.1", "0x7f.1", "2130706433", "017700000001", "0.0.0.0", "0", "[::]"]  # fmt: skip
LINK_LOCAL = ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "0xa9fea9fe"]
PRIVATE = ["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "[fd00::1]", "[::ffff:10.0.0.1]", "224.0.0.1",
           "255.255.255.255", "10.1", "[fec0::1]", "[64:ff9b::10.0.0.1]", "[::10.0.0.1]"]  # fmt: skip


@pytest.mark.parametrize("host", [*LOOPBACK, *LINK_LOCAL, *PRIVATE])
def test_a_token_does_not_go_into_a_private_network(host):
    with pytest.raises(InsecureAddress, match="trusted_hosts") as caught:
        SERVICE.check(Secret(f"https://{host}:8443/a?s3cret"), "the file is offered")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_a_public_service_can_not_send_the_token_to_this_machine(scheme, host):
    with pytest.raises(InsecureAddress):
        SERVICE.check(Secret(f"{scheme}://{host}/a"), "the file is offered")


@pytest.mark.parametrize(
    ("base", "given"),
    [
        ("https://api.example", "https://files.example/a"),
        ("https://api.example", "https://8.8.8.8/a"),
        ("https://api.example", "https://[2606:4700::1111]/a"),
        ("https://api.example", "https://s3.amazonaws.com/a"),
        ("https://api.example", "https://cafe1.example/a"),
        ("http://127.0.0.1:8080", "http://localhost:9090/a"),
        ("https://localhost", "http://127.0.0.1/a"),
        ("https://10.0.0.5", "https://192.168.7.7/a"),
        ("https://169.254.1.1", "https://[fe80::1]/a"),
        ("https://10.0.0.5", "https://files.example/a"),
        ("http://127.0.0.1:8080", "https://files.example/a"),
    ],
)
def test_a_file_may_be_at_a_public_address_or_in_the_network_of_the_service(base, given):
    assert FileAddresses(base).check(Secret(given), "the file is offered").reveal() == given


@pytest.mark.parametrize(
    ("base", "given"),
    [
        ("https://10.0.0.5", "https://127.0.0.1/a"),
        ("https://10.0.0.5", "https://169.254.169.254/a"),
        ("http://127.0.0.1:8080", "https://10.0.0.1/a"),
    ],
)
def test_one_private_network_is_not_another(base, given):
    with pytest.raises(InsecureAddress):
        FileAddresses(base).check(Secret(given), "the file is offered")


def test_a_listed_host_is_allowed():
    files = FileAddresses("https://api.example", ("10.0.0.9",))
    files.check(Secret("https://10.0.0.9:8443/a"), "the file is offered")
    for other in ("https://10.0.0.8/a", "http://10.0.0.9/a"):
        with pytest.raises(InsecureAddress):
            files.check(Secret(other), "the file is offered")


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
    assert addresses.expiry(Secret(f"https://files.example/a?{query}")) == when


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
