"""
Start when there are new reports: scheduled on the assets of some campuses, not by the clock. Needs Airflow 3.

A watcher in the triggerer polls all of these campuses about once an hour. The first task of a run logs in: a refused
login fails there, once, before the campuses start. Each run fetches every campus, not only the one of the event:
Airflow may join several events in one run, and a campus with nothing new is skipped.

The assets are inlets of the task that records, so that the watcher knows of the record (Airflow 3.3): reports that
arrive right after it start the next run. Change ``CAMPUSES`` to yours.

Files and tables go below the Airflow variable ``apscores_data``: a folder or any ``ObjectStoragePath`` URI. The default
is a local folder, for an Airflow on one machine.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.providers.common.compat.assets import AssetAny
from airflow.providers.common.compat.sdk import DAG, task_group

from airflow_provider_apscores.assets import events, new_reports, status
from airflow_provider_apscores.operators.download import APScoresDownloadOperator
from airflow_provider_apscores.operators.parse import APScoresParseOperator
from airflow_provider_apscores.operators.record import APScoresRecordDownloadOperator
from airflow_provider_apscores.task_groups import check_login, fail_if_any_campus_failed

AIRFLOW_HOME = os.environ.get("AIRFLOW_HOME", os.path.expanduser("~/airflow"))
DATA = f"{{{{ var.value.get('apscores_data', '{AIRFLOW_HOME}/apscores') }}}}"
CONNECTION = "apscores_default"
CAMPUSES = ["0901", "9120"]
NEW_REPORTS = [
    new_reports(di_code, poke_interval=timedelta(hours=1), apscores_conn_id=CONNECTION) for di_code in CAMPUSES
]

# The page in the UI shows the status, and other DAGs can be scheduled on the events.
ASSETS = {"inlets": [status()], "outlets": [events()]}

with DAG(
    dag_id="example_apscores_event",
    description="Fetch AP score reports as soon as there are new ones",
    schedule=AssetAny(*NEW_REPORTS),
    start_date=datetime(2026, 7, 1),
    max_active_runs=1,  # the runs of one account share a cursor: one at a time
    default_args={"retries": 3, "retry_delay": timedelta(minutes=10), "retry_exponential_backoff": True},
    tags=["apscores", "example"],
    doc_md=__doc__,
):

    @task_group
    def campus(di_code: str) -> None:
        download = APScoresDownloadOperator(
            task_id="download",
            di_code=di_code,
            destination=f"{DATA}/files",
            record=False,
            apscores_conn_id=CONNECTION,
            **ASSETS,
        )
        parse = APScoresParseOperator(
            task_id="parse",
            source=download.output,
            output=f"{DATA}/tables",
            **ASSETS,
        )
        record = APScoresRecordDownloadOperator(
            task_id="record",
            download=download.output,
            apscores_conn_id=CONNECTION,
            inlets=[status(), *NEW_REPORTS],
            outlets=[events()],
        )
        download >> parse >> record

    fail_if_any_campus_failed(campus.expand(di_code=check_login(CAMPUSES, apscores_conn_id=CONNECTION)))
