"""
Wait for new reports, then hand College Board's files to Slate by SFTP, unchanged and once.

The sensor waits in the triggerer, without a worker, and polls every campus of the connection ``apscores_default``. Its
login decides for the run: a refused login fails the sensor, once, and no download starts. If there is nothing new in
time, the run is skipped.

Slate moves files away after it has imported them. A receipt beside the manifest remembers what Slate got, so that a
retry sends nothing twice. Needs the extra ``[sftp]``, and a connection ``slate`` of type ``sftp``.

Files go below the Airflow variable ``apscores_data``: a folder or any ``ObjectStoragePath`` URI. The default is a local
folder, for an Airflow on one machine.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, task_group

from airflow_provider_apscores.assets import events, status
from airflow_provider_apscores.operators.download import APScoresDownloadOperator
from airflow_provider_apscores.operators.hand_off import APScoresHandOffOperator
from airflow_provider_apscores.operators.record import APScoresRecordDownloadOperator
from airflow_provider_apscores.sensors.new_reports import APScoresNewReportsSensor
from airflow_provider_apscores.task_groups import fail_if_any_campus_failed

AIRFLOW_HOME = os.environ.get("AIRFLOW_HOME", os.path.expanduser("~/airflow"))
DATA = f"{{{{ var.value.get('apscores_data', '{AIRFLOW_HOME}/apscores') }}}}"
SLATE = "sftp://slate@/incoming"  # on the server of the connection

# The page in the UI shows the status, and other DAGs can be scheduled on the events.
ASSETS = {"inlets": [status()], "outlets": [events()]}

with DAG(
    dag_id="example_apscores_slate",
    description="Hand new AP score reports of every campus to Slate",
    schedule="@daily",
    start_date=datetime(2026, 7, 1),
    catchup=False,
    max_active_runs=1,  # the runs of one account share a cursor: one at a time
    default_args={"retries": 3, "retry_delay": timedelta(minutes=10), "retry_exponential_backoff": True},
    tags=["apscores", "example"],
    doc_md=__doc__,
):
    new_reports = APScoresNewReportsSensor(
        task_id="wait_for_reports",
        poke_interval=timedelta(hours=1),
        timeout=timedelta(hours=23),
        soft_fail=True,  # nothing new in time: the run is skipped
        deferrable=True,
    )

    @task_group
    def campus(di_code: str) -> None:
        download = APScoresDownloadOperator(
            task_id="download",
            di_code=di_code,
            destination=f"{DATA}/files",
            record=False,
            **ASSETS,
        )
        slate = APScoresHandOffOperator(
            task_id="slate",
            download=download.output,
            to=SLATE,
            **ASSETS,
        )
        record = APScoresRecordDownloadOperator(
            task_id="record",
            download=download.output,
            **ASSETS,
        )
        slate >> record

    fail_if_any_campus_failed(campus.expand(di_code=new_reports.output))
