"""
Wait for new reports, then fetch them: one mapped download for each campus that has new reports.

The sensor waits in the triggerer, without a worker, and polls every campus of the connection ``apscores_default`` about
once an hour. Its login decides for the run: a refused login fails the sensor, once, and no download starts. If there
is nothing new in time, the run is skipped.

Files and tables go below the Airflow variable ``apscores_data``: a folder or any ``ObjectStoragePath`` URI. The default
is a local folder, for an Airflow on one machine. Other DAGs can be scheduled on the assets of a campus, for instance
``schedule=[score_tables("4866")]``.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_apscores.assets import events, status
from airflow_provider_apscores.operators.download import APScoresDownloadOperator
from airflow_provider_apscores.operators.parse import APScoresParseOperator
from airflow_provider_apscores.sensors.new_reports import APScoresNewReportsSensor
from airflow_provider_apscores.task_groups import fail_if_any_campus_failed

AIRFLOW_HOME = os.environ.get("AIRFLOW_HOME", os.path.expanduser("~/airflow"))
DATA = f"{{{{ var.value.get('apscores_data', '{AIRFLOW_HOME}/apscores') }}}}"

# The page in the UI shows the status, and other DAGs can be scheduled on the events.
ASSETS = {"inlets": [status()], "outlets": [events()]}

with DAG(
    dag_id="example_apscores_sensor",
    description="Wait for new AP score reports of any campus, then fetch them",
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
    download = APScoresDownloadOperator.partial(
        task_id="download",
        destination=f"{DATA}/files",
        **ASSETS,
    ).expand(di_code=new_reports.output)
    parse = APScoresParseOperator.partial(
        task_id="parse",
        output=f"{DATA}/tables",
        # A download is skipped if another one fetched its reports meanwhile. The others are parsed anyway.
        trigger_rule="none_failed",
        **ASSETS,
    ).expand(source=download.output)
    fail_if_any_campus_failed(download, parse)
