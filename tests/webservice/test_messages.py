from __future__ import annotations

import base64
import dataclasses

import pytest

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.webservice import Credentials, FileOrder, GeneratedFile, Reply, Request, Secret
from airflow_provider_apscores.webservice.messages import safe_name


@pytest.mark.parametrize(
    ("password", "encoded"),
    [("secret", "c2VjcmV0"), ("pässwörd", "cMOkc3N3w7ZyZA=="), ("with a ? and /", "d2l0aCBhID8gYW5kIC8=")],
)
def test_a_password_travels_as_base64_of_its_utf8(password, encoded):
    assert Credentials("registrar@college.edu", password).encoded == Secret(encoded)
    assert Credentials.from_base64("registrar@college.edu", encoded).password == Secret(password)
    assert Credentials.from_base64("registrar@college.edu", f" {encoded}\n").encoded == Secret(encoded)


@pytest.mark.parametrize(
    ("encoded", "says"),
    [
        ("secret", "not Base64"),
        ("c2VjcmV0=", "not Base64"),
        ("c2Vj cmV0", "not Base64"),
        ("c2VjcmV0!", "not Base64"),
        ("c2VjcmV1", None),
        ("cMOkc3N3w7ZyZA", "not Base64"),
        ("QR==", "not Base64"),  # decodes to A, which is encoded as QQ==
        (base64.b64encode(b"\xff\xfe\x00").decode(), "not Base64 of a text"),
        (base64.b64encode(b"secret\n").decode(), "line break"),
        (base64.b64encode(b"secret\r\n").decode(), "line break"),
        ("", "not Base64"),
    ],
)
def test_a_password_declared_base64_must_be_one(encoded, says):
    if says is None:
        Credentials.from_base64("registrar@college.edu", encoded)
        return
    with pytest.raises(ConfigurationError, match=says) as caught:
        Credentials.from_base64("registrar@college.edu", encoded)
    assert "printf %s" in str(caught.value)
    assert not encoded or encoded not in str(caught.value)


@pytest.mark.parametrize("password", ["secret\n", "secret\r\n"])
def test_a_password_with_a_line_break_at_its_end_is_not_sent(password):
    with pytest.raises(ConfigurationError, match="ends in a line break") as caught:
        Credentials("registrar@college.edu", password)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("email", "password"), [("", "secret"), ("  ", "secret"), ("registrar@college.edu", "")])
def test_credentials_are_complete(email, password):
    with pytest.raises(ConfigurationError, match="missing"):
        Credentials(email, password)


@pytest.mark.parametrize(
    "wrong",
    [
        {"di_code": "486"},
        {"di_code": "004866"},
        {"di_code": "48 6"},
        {"di_code": "4866\n"},
        {"di_code": "٤٨٦٦"},
        {"di_code": 4866},
        {"di_code": "4866", "file_format": "txt"},
        {"di_code": "4866", "file_format": "PDF"},
        {"di_code": "4866", "download_type": "all"},
    ],
)
def test_an_order_with_an_impossible_value_is_refused(wrong):
    with pytest.raises(ConfigurationError):
        FileOrder(**wrong)


def test_a_campus_keeps_its_leading_zeros():
    assert FileOrder("0007").di_code == "0007"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("AP_HED_Scores_4866_07152025_0930.txt", "AP_HED_Scores_4866_07152025_0930.txt"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/", ""),
        ("..", ""),
        (".hidden.txt", "hidden.txt"),
        ("a b\x00\n;rm -rf.csv", "a_b_rm_-rf.csv"),
        ("s" * 300 + ".txt", "s" * 110 + ".txt"),
        ("", ""),
    ],
)
def test_a_file_name_is_one_harmless_name(sent, kept):
    assert safe_name(sent) == kept
    assert GeneratedFile(FileOrder("4866", "CSV"), "1", sent, Secret("u")).file_name == (
        kept or "AP_HED_Scores_4866.csv"
    )


@pytest.mark.parametrize(
    "thing",
    [
        Credentials("registrar@college.edu", "s3cret"),
        GeneratedFile(FileOrder("4866"), "1", "scores.txt", Secret("https://files.example/a?Signature=s3cret")),
        GeneratedFile(FileOrder("4866"), "1", "scores.txt", "https://files.example/a?Signature=s3cret"),
        Request("GET", "https://f.example/s3cret?s3cret", {"T": "s3cret"}, b"s3cret", "download", "fetching a file"),
        Request("POST", "https://api.example/order?s3cret", {"T": "s3cret"}, b"s3cret", "order", "ordering a file"),
        Reply(200, b"s3cret", {"Location": "s3cret"}),
    ],
)
def test_no_message_shows_its_secrets(thing):
    assert "s3cret" not in repr(thing) + str(thing)
    with pytest.raises((dataclasses.FrozenInstanceError, AttributeError, TypeError)):
        thing.anything = 1


def test_headers_are_found_in_any_case():
    assert Reply(200, headers={"retry-after": "7"}).header("Retry-After") == "7"
    assert Reply(200).header("Retry-After") == ""
