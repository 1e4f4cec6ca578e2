"""Kills under a real Airflow: its scheduler starts the tasks, loses them to SIGKILL, and retries."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.provider.deployment import AIRFLOW, AIRFLOW_2, deployment, sandbox
from tests.provider.world import QUILLFEATHER, SALTMARSH, reports_in

DAG = """
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_apscores.operators.download import APScoresDownloadOperator

with DAG("crash", schedule="@once", start_date=datetime(2026, 7, 1), catchup=False):
    for di_code in ("{saltmarsh}", "{quillfeather}"):
        APScoresDownloadOperator(
            task_id=f"download_{{di_code}}",
            di_code=di_code,
            destination="{destination}",
            retries=3,
            retry_delay=timedelta(seconds=1),
        )
"""


@pytest.mark.skipif(AIRFLOW_2, reason="with SQLite, Airflow 2.11 runs one task at a time")
@pytest.mark.skipif(AIRFLOW == (3, 0), reason="Airflow 3.0 fails a killed task without a retry")
def test_a_task_killed_in_a_real_airflow_is_completed_by_its_retry(tmp_path: Path):
    """
    One process is killed during its transfer, the other after the record and before Airflow has the result.
    """
    destination = tmp_path / "ap"
    dag = DAG.format(saltmarsh=SALTMARSH, quillfeather=QUILLFEATHER, destination=destination)
    with sandbox(tmp_path, "--seed", "7") as (board, connection):
        board.fail("download", "stall=60", di_code=SALTMARSH)
        board.fail("record", "slow=60", di_code=QUILLFEATHER)
        with deployment(tmp_path / "home", {"apscores_default": connection}, {"crash.py": dag}) as airflow:

            def pid_at(di_code: str, call: str) -> int | None:
                """The process of a campus's task, once the service has been asked for *call*."""
                if not any(each.kind == call and each.di_code == di_code for each in board.calls):
                    return None
                task = f"download_{di_code}"
                ((pid,),) = airflow.query("SELECT pid FROM task_instance WHERE task_id=? AND state='running'", task)
                return pid

            for di_code, call in ((SALTMARSH, "download"), (QUILLFEATHER, "record")):
                pid = airflow.wait(lambda di_code=di_code, call=call: pid_at(di_code, call), f"{call} of {di_code}")
                os.kill(pid, signal.SIGKILL)
            airflow.wait(lambda: airflow.runs("crash") == ["success"], "the retries")

            for di_code in (SALTMARSH, QUILLFEATHER):
                assert airflow.tasks("crash", f"download_{di_code}") == [("success", 2)]
                (reference,) = airflow.returned("crash", f"download_{di_code}")
                check(board, reference, di_code)
        calls = board.audit().calls_by_campus

    # The half transfer was ordered again; the whole delivery was not.
    assert (calls[SALTMARSH]["order"], calls[SALTMARSH]["record"]) == (2, 1)
    assert (calls[QUILLFEATHER]["order"], calls[QUILLFEATHER]["record"]) == (1, 2)


def check(board: Any, reference: dict[str, Any], di_code: str) -> None:
    audit = board.audit()
    assert reference["recorded"] is True
    assert reference["download_id"] in audit.recorded
    assert reports_in(Path(reference["uri"].removeprefix("file://"))) == set(audit.issued[di_code])
