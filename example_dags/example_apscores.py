"""
The daily job: fetch the new reports of every campus, parse them into tables, then record the download.

The campuses are those of the connection ``apscores_default``, unless the run names others. The first task logs in: a
refused login fails there, once, before the campuses start. Each campus is a mapped task group of its own: one with
nothing new is skipped, and a failure of one does not stop the others. Recording comes last: reports that were not
parsed stay new at College Board.

Files and tables go below the Airflow variable ``apscores_data``: a folder or any ``ObjectStoragePath`` URI. The default
is a local folder, for an Airflow on one machine. With workers on several machines, set the variable to a URI such as
``s3://bucket/ap-scores``, or to a folder that all of them mount and that ``[apscores] shared_folders`` lists.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, AirflowFailException, Param, task, task_group

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
            type=["array", "null"],  # with null, the form does not ask for a value
            items={"type": "string", "pattern": "^[0-9]{4}$"},
            description="Campuses (DI codes) to fetch; empty for all campuses of the connection.",
        )
    },
    tags=["apscores", "example"],
    doc_md=__doc__,
):

    @task
    def campuses(params: dict | None = None) -> list[str]:
        from airflow_provider_apscores.hooks.apscores import APScoresHook

        hook = APScoresHook()
        hook.check_login()
        di_codes = (params or {}).get("di_codes") or hook.di_codes
        if not di_codes:
            raise AirflowFailException("Name your campuses in the connection's di_codes, or in the run's parameters.")
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
