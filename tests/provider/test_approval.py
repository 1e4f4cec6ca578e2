"""A person approves each record: three mapped campuses in a real Airflow, one of them rejected through the REST API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from tests.provider.deployment import AIRFLOW, Deployment, deployment, sandbox

pytestmark = pytest.mark.skipif(AIRFLOW < (3, 1), reason="Airflow has approvals since 3.1")

DAG_ID, GROUP = "ap_scores_approved", "deliver.campus"
CAMPUSES = ["0901", "9120", "9245"]
DAG = f"""
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_apscores.task_groups import deliver

with DAG(
    "{DAG_ID}",
    schedule="@once",
    start_date=datetime(2026, 7, 1),
    default_args={{"retries": 1, "retry_delay": timedelta(seconds=1)}},
):
    deliver(data="{{{{ var.value.apscores_data }}}}", campuses={CAMPUSES}, approval=True)
"""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Deployment, object]]:
    settings = {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True"}
    with (
        sandbox(tmp_path) as (college_board, connection),
        deployment(tmp_path / "airflow", {"apscores_default": connection}, {"dag.py": DAG}, settings) as airflow,
    ):
        yield airflow, college_board


class Api:
    """Airflow's REST API for a user."""

    def __init__(self, airflow: Deployment) -> None:
        self._address = f"http://127.0.0.1:{airflow.env['AIRFLOW__API__PORT']}"
        self._token = ""
        self._token = self.ask("/auth/token")["access_token"]

    def ask(self, path: str, **changes: object) -> dict:
        request = Request(f"{self._address}{path}", method="PATCH" if changes else "GET")
        request.add_header("Content-Type", "application/json")
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        with urlopen(request, json.dumps(changes).encode() if changes else None, timeout=60) as reply:
            return json.load(reply)


def test_a_campus_that_is_rejected_is_not_recorded_and_the_others_are(running):
    airflow, college_board = running

    def requests() -> list[tuple[str, str]]:
        sql = "SELECT subject, body FROM hitl_detail h JOIN task_instance t ON h.ti_id = t.id ORDER BY t.map_index"
        return airflow.query(sql)

    airflow.wait(lambda: len(requests()) == len(CAMPUSES), "the requests for approval", 300)
    for di_code, (subject, body) in zip(CAMPUSES, requests(), strict=True):
        assert subject == f"Record the AP scores of campus {di_code}?"
        records = len([each for each in college_board.audit().all_reports if each.startswith(di_code)])
        assert f"| student records | {records} |" in body
    assert college_board.audit().recorded == []

    api = Api(airflow)
    ((run_id,),) = airflow.query("SELECT run_id FROM dag_run WHERE dag_id=?", DAG_ID)
    place = f"/api/v2/dags/{DAG_ID}/dagRuns/{quote(run_id)}/taskInstances/{GROUP}.approve"
    for map_index, answer in enumerate(["Approve", "Reject", "Approve"]):
        api.ask(f"{place}/{map_index}/hitlDetails", chosen_options=[answer], params_input={})

    airflow.wait(lambda: airflow.runs(DAG_ID)[0] in ("success", "failed"), "the end of the run", 300)
    assert [state for state, _ in airflow.tasks(DAG_ID, f"{GROUP}.record")] == ["success", "skipped", "success"]
    assert airflow.runs(DAG_ID) == ["success"]
    assert {report[:4] for report in college_board.audit().recorded_reports} == {"0901", "9245"}
