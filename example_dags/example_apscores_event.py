"""
Start when there is news: scheduled on the new reports of some campuses, not by the clock. Needs Airflow 3.

A watcher in the triggerer asks for all of these campuses about once an hour. Each run fetches every campus, not only
the one whose news started it: Airflow may join several events to one run, and a campus without news is skipped.

The assets are inlets of the task that records, so that the watchers learn of it (Airflow 3.3): reports that arrive
right after start the next run. Change ``CAMPUSES`` to yours.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.providers.common.compat.assets import AssetAny
from airflow.providers.common.compat.sdk import DAG, AssetAlias, task_group

from airflow_provider_apscores.assets import new_reports
from airflow_provider_apscores.operators.download import APScoresDownloadOperator
from airflow_provider_apscores.operators.parse import APScoresParseOperator
from airflow_provider_apscores.operators.record import APScoresRecordDownloadOperator

AIRFLOW_HOME = os.environ.get("AIRFLOW_HOME", os.path.expanduser("~/airflow"))
DATA = f"{{{{ var.value.get('apscores_data', '{AIRFLOW_HOME}/apscores') }}}}"
CONNECTION = "apscores_default"
CAMPUSES = ["0901", "9120"]
NEWS = [new_reports(di_code, poke_interval=timedelta(hours=1), apscores_conn_id=CONNECTION) for di_code in CAMPUSES]

with DAG(
    dag_id="example_apscores_event",
    description="Fetch AP score reports as soon as there are new ones",
    schedule=AssetAny(*NEWS),
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
            outlets=[AssetAlias("apscores-files")],
            map_index_template="{{ task.di_code }}",
        )
        parse = APScoresParseOperator(
            task_id="parse",
            source=download.output,
            output=f"{DATA}/tables",
            outlets=[AssetAlias("apscores-tables")],
        )
        record = APScoresRecordDownloadOperator(
            task_id="record",
            download=download.output,
            apscores_conn_id=CONNECTION,
            inlets=NEWS,
        )
        download >> parse >> record

    campus.expand(di_code=CAMPUSES)
