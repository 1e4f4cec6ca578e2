"""A sandbox restarted with its state file continues where it stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from airflow_provider_apscores.sandbox import Campus, RemoteSandbox, Sandbox, reports_in

CAMPUSES = (Campus("0901", "Saltmarsh University", 6), Campus("9120", "Quillfeather College", 2))


def test_the_cursor_and_new_reports_survive_a_restart(tmp_path, make_client):
    state = tmp_path / "deep" / "state.json"
    with Sandbox(campuses=CAMPUSES, state=state) as sandbox:
        client = make_client(sandbox)
        client.record(client.fetch("0901")[0])
        sandbox.add_reports("0901", 3)
        before = list(sandbox.records("0901"))
    with Sandbox(campuses=CAMPUSES, state=state) as sandbox:
        assert list(sandbox.records("0901")) == before
        _, file = make_client(sandbox).fetch("0901")
        assert [int(report[5:]) for report in reports_in(file)] == [7, 8, 9]
        assert len(sandbox.audit().recorded_reports) == 6


def test_a_download_can_be_fetched_and_recorded_after_the_restart(tmp_path, make_client):
    state = tmp_path / "state.json"
    with Sandbox(campuses=CAMPUSES, state=state) as sandbox:
        port = sandbox.port
        client = make_client(sandbox)
        ordered = client.order("0901")
        client.download(ordered["url"])
    with Sandbox(campuses=CAMPUSES, state=state, port=port) as sandbox:
        assert sandbox.audit().generated[str(ordered["downloadId"])]["sent"] == 1
        client.log_in()
        assert len(reports_in(client.download(ordered["url"]).body)) == 6
        assert client.record(ordered["downloadId"])["success"]
        assert client.order("9120")["downloadId"] != ordered["downloadId"]


def test_issue_dates_do_not_change_later(tmp_path, make_client):
    state = tmp_path / "state.json"
    with Sandbox(campuses=CAMPUSES, state=state, today=date(2026, 8, 30)) as sandbox:
        _, before = make_client(sandbox).fetch("0901")
    with Sandbox(campuses=CAMPUSES, state=state, today=date(2027, 7, 3)) as sandbox:
        client = make_client(sandbox)
        assert client.fetch("0901")[1] == before
        assert not client.order("0901", download_type="full")["success"]
        sandbox.add_reports("0901", 1)
        _, full = client.fetch("0901", download_type="full")
        assert [int(report[5:]) for report in reports_in(full)] == [7]


def test_a_new_campus_can_join(tmp_path):
    state = tmp_path / "state.json"
    Sandbox(campuses=CAMPUSES, state=state).close()
    with Sandbox(campuses=[Campus("0042", "A Third", 1)], state=state) as sandbox:
        assert sandbox.di_codes == ["0901", "9120", "0042"]


def test_another_seed_is_refused(tmp_path):
    state = tmp_path / "state.json"
    Sandbox(campuses=CAMPUSES, state=state, seed=1).close()
    with pytest.raises(ValueError, match="belongs to seed 1"):
        Sandbox(campuses=CAMPUSES, state=state, seed=2)


@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps({"version": 99})])
def test_another_file_is_refused_and_left_unchanged(tmp_path, text):
    state = tmp_path / "state.json"
    state.write_text(text)
    with pytest.raises(ValueError, match=r"state\.json is not a state file"):
        Sandbox(campuses=CAMPUSES, state=state)
    assert state.read_text() == text


def test_no_student_is_in_the_file(tmp_path):
    state = tmp_path / "state.json"
    with Sandbox(campuses=CAMPUSES, state=state) as sandbox:
        people = list(sandbox.records("0901"))
    text = state.read_text()
    assert not [person for person in people if person["last_name"] in text or person["ap_id"] in text]


def test_a_record_survives_a_kill(tmp_path, make_client):
    """
    SIGKILL right after a reply: the reply stays true.
    """
    state = tmp_path / "state.json"
    command = [sys.executable, "-m", "airflow_provider_apscores.cli", "sandbox", "--port", "0", "--state", str(state)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        base_url = next(line.split()[-1] for line in process.stdout if "base URL" in line)
        remote = RemoteSandbox(base_url)
        client = make_client(base_url)
        download_id, file = client.fetch("0901")
        remote.add_reports("0901", 2)
        assert client.record(download_id)["success"]
        process.send_signal(signal.SIGKILL)
    with Sandbox(state=state) as sandbox:
        audit = sandbox.audit()
        assert audit.recorded_reports == set(reports_in(file))
        assert sandbox.ledger.waiting("0901", sandbox.email) == 2
