"""From connection fields to settings: one table."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.hooks.connection import Settings, read_connection, read_di_codes
from airflow_provider_apscores.webservice import Secret

PASSWORD = "Inventéd-Pa55"
ENCODED = base64.b64encode(PASSWORD.encode()).decode()


def read(**fields: Any) -> Settings:
    return read_connection(**{"login": "registrar@college.edu", "password": PASSWORD, **fields})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"base_url": "", "di_codes": (), "timeout": 120.0, "verify": True, "proxy": None}),
        # Airflow's form saves this if the extra fields are left alone.
        (
            {
                "extra": {
                    "encoding": "plain",
                    "di_codes": None,
                    "timeout": 120,
                    "verify": "true",
                    "proxy": None,
                }
            },
            {"di_codes": (), "timeout": 120.0, "verify": True, "proxy": None},
        ),
        ({"extra": {"di_codes": "", "timeout": "", "verify": "", "proxy": ""}}, {"timeout": 120.0, "verify": True}),
        ({"extra": {"di_codes": "4866, 0417"}}, {"di_codes": ("4866", "0417")}),
        ({"extra": {"di_codes": "4866\n0417; 0001 ,"}}, {"di_codes": ("4866", "0417", "0001")}),
        ({"extra": {"di_codes": ["4866", "4866"]}}, {"di_codes": ("4866",)}),
        ({"extra": {"di_codes": 4866}}, {"di_codes": ("4866",)}),
        ({"extra": {"timeout": "7.5"}}, {"timeout": 7.5}),
        ({"extra": {"verify": "False"}}, {"verify": False}),
        ({"extra": {"verify": False}}, {"verify": False}),
        ({"extra": {"verify": "/etc/ca.pem"}}, {"verify": "/etc/ca.pem"}),
        ({"extra": {"proxy": "http://proxy:3128"}}, {"proxy": Secret("http://proxy:3128")}),
        ({}, {"trusted_hosts": ()}),
        ({"extra": {"trusted_hosts": "10.0.0.9, 10.0.0.10"}}, {"trusted_hosts": ("10.0.0.9", "10.0.0.10")}),
        ({"extra": {"trusted_hosts": ["10.0.0.9"]}}, {"trusted_hosts": ("10.0.0.9",)}),
        ({"host": "https://example.edu/api/"}, {"base_url": "https://example.edu/api"}),
        ({"host": "example.edu"}, {"base_url": "https://example.edu"}),
        ({"host": "example.edu", "schema": "http"}, {"base_url": "http://example.edu"}),
        ({"host": "localhost", "port": 8765}, {"base_url": "http://localhost:8765"}),
        ({"host": "127.0.0.1:8765/prod"}, {"base_url": "http://127.0.0.1:8765/prod"}),
        ({"host": "http://127.0.0.1:8765", "port": 1}, {"base_url": "http://127.0.0.1:8765"}),
        # Airflow's form sends 0 for an empty port.
        ({"host": "https://example.edu/api", "port": 0}, {"base_url": "https://example.edu/api"}),
        ({"host": "https://example.edu/api", "port": 443}, {"base_url": "https://example.edu/api"}),
        ({"host": "localhost", "port": 443}, {"base_url": "http://localhost:443"}),
        ({"port": 443}, {"base_url": ""}),
        # The path of a URI connection is stored in the schema.
        ({"host": "example.edu", "port": 8443, "schema": "prod"}, {"base_url": "https://example.edu:8443/prod"}),
    ],
)
def test_fields_become_settings(fields: dict[str, Any], expected: dict[str, Any]):
    settings = read(**fields)

    assert {name: getattr(settings, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"login": None}, "has no login"),
        ({"login": "  "}, "has no login"),
        ({"password": ""}, "has no password"),
        ({"extra": {"encoding": "rot13"}}, "must be 'plain' .* or 'base64'"),
        ({"extra": {"encoding": "base64"}}, "is not Base64"),
        ({"extra": {"di_codes": "486"}}, "'486' in the connection's di_codes"),
        (
            {"extra": {"di_codes": [4866, 417]}},
            "'417' in the connection's di_codes .*A number loses its zeros: quote it",
        ),
        ({"extra": {"di_codes": "004866"}}, "four digits for each campus"),
        ({"extra": {"di_codes": ",".join(f"{n:04}" for n in range(21))}}, "names 21 campuses"),
        ({"extra": {"timeout": "soon"}}, "timeout must be a number of seconds"),
        ({"extra": {"timeout": 0}}, "timeout must be a number of seconds"),
        ({"extra": {"timeout": "nan"}}, "timeout must be a number of seconds"),
        ({"extra": {"verify": "maybe"}}, "verify must be true, false, or the path"),
        ({"extra": {"proxy": "proxy.college.edu"}}, "proxy must be an address"),
        ({"extra": {"proxy": "http://[::1"}}, "proxy must be an address"),
        ({"host": "http://[::1/x"}, "host is no address"),
        ({"host": "https://example.edu:port/x", "port": 8080}, "host is no address"),
        ({"password": f"{PASSWORD}\n"}, "ends in a line break"),
    ],
)
def test_a_wrong_field_is_named_without_secrets(fields: dict[str, Any], said: str):
    with pytest.raises(ConfigurationError, match=said) as caught:
        read(**fields)

    assert PASSWORD not in str(caught.value)


def test_a_stored_base64_password_is_sent_unchanged():
    settings = read(password=ENCODED, extra={"encoding": "base64"})

    assert settings.credentials.encoded.reveal() == ENCODED
    assert settings.credentials == read().credentials


def test_settings_show_no_secret():
    settings = read(extra={"proxy": Secret("http://user:proxy-secret@proxy:3128")})
    shown = f"{settings!r} {settings.proxy!r}"

    assert PASSWORD not in shown
    assert ENCODED not in shown
    assert "proxy-secret" not in shown


def test_an_account_has_at_most_twenty_campuses():
    assert len(read_di_codes([f"{n:04}" for n in range(20)])) == 20
