"""The client against the sandbox: two readings of one contract, written apart, that must agree."""

from __future__ import annotations

import io

import pytest

from airflow_provider_apscores.errors import (
    APScoresError,
    CampusRefused,
    CredentialsRefused,
    RequestRefused,
    ServiceUnavailable,
    UnexpectedReply,
)
from airflow_provider_apscores.sandbox import Sandbox, reports_in


def deliver(client, di_code, file_format="TXT"):
    """Order, download, record; the reports that came, or None when there is nothing new."""
    generated = client.order(di_code, file_format=file_format)
    if generated is None:
        return None
    sink = io.BytesIO()
    transfer = client.download(generated, sink)
    client.record(transfer.generated.download_id, file_format)
    return reports_in(sink.getvalue())


@pytest.mark.parametrize("file_format", ["TXT", "CSV"])
def test_every_report_arrives_and_is_recorded(sandbox, client, file_format):
    arrived = [report for campus in sandbox.di_codes for report in deliver(client, campus, file_format) or []]
    audit = sandbox.audit()
    assert sorted(arrived) == sorted(audit.all_reports)
    assert audit.recorded_reports == audit.all_reports
    assert sandbox.counts["login"] == 1
    assert {deliver(client, campus, file_format) for campus in sandbox.di_codes} == {None}


@pytest.mark.parametrize("text_ids", [True, False])
def test_ids_are_numbers_or_strings(client_of, text_ids):
    with Sandbox(text_ids=text_ids) as sandbox:
        client = client_of(sandbox.base_url)
        assert deliver(client, sandbox.di_codes[0])


@pytest.mark.parametrize(
    ("call", "fault", "error"),
    [
        ("login", "refuse=mfa", CredentialsRefused),
        ("login", "refuse=expired", CredentialsRefused),
        ("login", "refuse=terms", CredentialsRefused),
        ("login", "refuse=role", CredentialsRefused),
        ("login", "refuse=locked", CredentialsRefused),
        *(
            ("login", fault, CredentialsRefused)
            for fault in ["401", "404", "423", "html", "empty", "bad-json", "not-an-object", "redirect", "missing"]
        ),
        ("order", "refuse=campus", CampusRefused),
        ("order", "refuse=mfa", CredentialsRefused),
        ("order", "refuse=role", CredentialsRefused),
        ("order", "redirect", UnexpectedReply),
        ("record", "refuse=download-id", RequestRefused),
        ("record", "redirect=307", UnexpectedReply),
    ],
)
def test_a_refused_call_is_made_once(sandbox, client, call, fault, error, waited):
    sandbox.fail(call, fault, times=None)
    with pytest.raises(error) as caught:
        deliver(client, sandbox.di_codes[0])
    assert type(caught.value) is error
    assert (sandbox.counts[call], waited) == (1, [])
    assert sandbox.audit().recorded_reports == set()


PASSING = [
    "500", "502", "503", "504", "429", "rate-limit=3", "maintenance=2", "html", "empty", "drop", "reset", "lost-reply",
    "lost-reply=504", "lost-reply=reset",
]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        *(("login", fault) for fault in ["drop", "reset", "lost-reply", "lost-reply=reset"]),
        *((call, fault) for call in ("order", "record") for fault in [*PASSING, "bad-json", "not-an-object"]),
        *(("download", fault) for fault in PASSING if fault != "empty"),
        *(
            ("order", fault)
            for fault in ["missing-url", "null-url", "missing=success", "missing=downloadId", "expired-url"]
        ),
        *(("download", fault) for fault in ["truncate", "break", "truncate=0", "overrun=1", "no-length", "403", "404"]),
        *((call, "expire-token") for call in ("order", "download", "record")),
        ("order", "refuse=token"),
        ("record", "refuse=token"),
        ("order", "evil-name"),
        ("download", "redirect"),  # to a host without the file: ordered afresh
    ],
)
def test_a_client_recovers_from_a_temporary_failure(sandbox, client, call, fault):
    di_code = sandbox.di_codes[0]
    sandbox.fail(call, fault, times=1)
    assert deliver(client, di_code)
    assert sandbox.audit().recorded_reports


@pytest.mark.parametrize("fault", ["500", "502", "503", "504", "429", "rate-limit=3", "maintenance=2", "truncate"])
def test_a_login_that_was_answered_is_left_to_airflow(sandbox, client, fault, waited, time):
    sandbox.fail("login", fault, times=1)
    for _ in sandbox.di_codes:
        with pytest.raises(ServiceUnavailable):
            client.order(sandbox.di_codes[0])
    assert (sandbox.counts["login"], waited) == (1, [])
    time.sleep(60)
    assert deliver(client, sandbox.di_codes[0])


@pytest.mark.parametrize("seed", range(15))
def test_reports_arrive_in_spite_of_random_faults(sandbox, client, seed, time):
    """Under random faults, calls come to an end, and a plain retry of what failed brings every report."""
    sandbox.chaos(seed, 0.4)
    arrived: list[str] = []
    failures: list[APScoresError] = []
    for campus in sandbox.di_codes:
        for _ in range(20):
            try:
                arrived += deliver(client, campus) or []
                break
            except APScoresError as error:
                failures.append(error)
                time.sleep(60)
    assert all(failure.transient for failure in failures), failures
    audit = sandbox.audit()
    assert set(arrived) == set(audit.all_reports)
    assert audit.recorded_reports == audit.all_reports


def test_a_wrong_password_is_tried_once_and_locks_nothing(sandbox, client_of):
    client = client_of(sandbox.base_url, password="wr0ng")
    for _ in range(10):
        with pytest.raises(CredentialsRefused):
            client.order(sandbox.di_codes[0])
    assert sandbox.counts["login"] == 1
    assert client_of(sandbox.base_url).log_in() is None


def test_an_unknown_campus(sandbox, client):
    with pytest.raises(CampusRefused, match="0000"):
        client.order("0000")
