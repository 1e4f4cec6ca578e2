"""
The daily job: fetch what is new for every campus, parse it into tables, then record the download.

Each campus is a mapped task group of its own, so that one with nothing new is skipped and one in trouble holds up no
other. Recording comes last: reports that were not parsed stay new at College Board.

The campuses are those of the connection ``apscores_default``, unless the run names others. Files and tables go
below the Airflow variable ``apscores_data``: a folder or any ``ObjectStoragePath`` URI.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param, task, task_group

from airflow_provider_apscores.operators.download import APScoresDownloadOperator
from airflow_provider_apscores.operators.parse import APScoresParseOperator
from airflow_provider_apscores.operators.record import APScoresRecordDownloadOperator

AIRFLOW_HOME = os.environ.get("AIRFLOW_HOME", os.path.expanduser("~/airflow"))
DATA = f"{{{{ var.value.get('apscores_data', '{AIRFLOW_HOME}/apscores') }}}}"

with DAG(
    dag_id="example_apscores",
    description="New AP score reports of every campus, as tables",
    schedule="@daily",
    start_date=datetime(2026, 7, 1),
    catchup=False,
    max_active_runs=1,  # the runs of one account share a cursor: one at a time
    default_args={"retries": 3, "retry_delay": timedelta(minutes=10), "retry_exponential_backoff": True},
    params={
        "di_codes": Param(
            [],
            type="array",
            items={"type": "string", "pattern": "^[0-9]{4}$"},
            description="Campuses (DI codes) to fetch; empty for all campuses of the connection.",
        )
    },
    tags=["apscores", "example"],
    doc_md=__doc__,
):

    @task(retries=0)  # what can be wrong here, a person must mend
    def campuses(params: dict | None = None) -> list[str]:
        from airflow_provider_apscores.hooks.apscores import APScoresHook

        di_codes = (params or {}).get("di_codes") or APScoresHook().di_codes
        if not di_codes:
            raise ValueError("Name your campuses in the connection's di_codes, or in the run's parameters.")
        return di_codes

    @task_group
    def campus(di_code: str) -> None:
        download = APScoresDownloadOperator(
            task_id="download",
            di_code=di_code,
            destination=f"{DATA}/files",
            record=False,
            map_index_template="{{ task.di_code }}",
        )
        parse = APScoresParseOperator(
            task_id="parse",
            source=download.output,
            output=f"{DATA}/tables",
        )
        record = APScoresRecordDownloadOperator(
            task_id="record",
            download=download.output,
        )
        download >> parse >> record

    campus.expand(di_code=campuses())
