"""The client against the service of tools/distributed, which is written apart from the sandbox."""

from __future__ import annotations

import io
import runpy
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_provider_apscores.errors import CredentialsRefused
from airflow_provider_apscores.sandbox import RemoteSandbox, reports_in
from airflow_provider_apscores.webservice import Client, Credentials, Session

SOURCE = Path(__file__).parents[2] / "tools" / "distributed" / "second_service.py"
CAMPUS = "0417"


@pytest.fixture(scope="module")
def second_service():
    return SimpleNamespace(**runpy.run_path(str(SOURCE)))


@pytest.fixture
def service(second_service):
    with second_service.SecondService([CAMPUS]) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def client(second_service, service):
    credentials = Credentials(second_service.EMAIL, second_service.PASSWORD)
    with Client(Session(credentials, base_url=service.base_url)) as client:
        yield client


@pytest.mark.parametrize("file_format", ["TXT", "CSV"])
def test_new_reports_arrive_until_they_are_recorded(service, client, file_format):
    control = RemoteSandbox(service.base_url)
    reports = control.add_reports(CAMPUS, 3)
    for _ in range(2):  # an order and a download without a record leave the reports new
        generated = client.order(CAMPUS, file_format=file_format)
        sink = io.BytesIO()
        client.download(generated, sink)
        assert reports_in(sink.getvalue()) == reports
    later = control.add_reports(CAMPUS, 1)
    client.record(generated.download_id, file_format)
    client.record(generated.download_id, file_format)  # again, as after a lost reply

    last = client.order(CAMPUS, file_format=file_format)
    sink = io.BytesIO()
    client.download(last, sink)
    assert reports_in(sink.getvalue()) == later
    client.record(last.download_id, file_format)
    assert client.order(CAMPUS, file_format=file_format) is None
    audit = control.audit()
    assert audit.recorded == [generated.download_id, last.download_id]
    assert audit.recorded_reports == audit.all_reports == {*reports, *later}
    assert audit.calls == {"login": 1, "order": 4, "download": 3, "record": 3}


def test_a_wrong_password_is_refused(second_service, service):
    session = Session(Credentials(second_service.EMAIL, "wrong"), base_url=service.base_url)
    with Client(session) as client, pytest.raises(CredentialsRefused):
        client.order(CAMPUS)
