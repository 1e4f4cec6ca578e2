"""
The daily job with a database: download the new reports of every campus, load them into PostgreSQL, then record them.

If a task fails after its last try, an e-mail goes to ``ALERTS`` through the connection ``smtp_default``. It has the
message of the error. No message holds a password or a student's data. A refused login fails the first task, once,
before the campuses start.

*Record* comes last: reports that are not in the database stay new at College Board. Read the scores from the view
``ap_current_exam_scores``. Needs the extra ``[postgres]``, and a connection ``warehouse`` of type ``postgres``.

Files and tables go below the Airflow variable ``apscores_data``: a folder or any ``ObjectStoragePath`` URI. The default
is a local folder, for an Airflow on one machine.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, task_group
from airflow.providers.smtp.notifications.smtp import send_smtp_notification

from airflow_provider_apscores.assets import events, status
from airflow_provider_apscores.operators.download import APScoresDownloadOperator
from airflow_provider_apscores.operators.load import APScoresLoadOperator
from airflow_provider_apscores.operators.parse import APScoresParseOperator
from airflow_provider_apscores.operators.record import APScoresRecordDownloadOperator
from airflow_provider_apscores.task_groups import check_login, fail_if_any_campus_failed

AIRFLOW_HOME = os.environ.get("AIRFLOW_HOME", os.path.expanduser("~/airflow"))
DATA = f"{{{{ var.value.get('apscores_data', '{AIRFLOW_HOME}/apscores') }}}}"
WAREHOUSE = "warehouse"
ALERTS = "ap-scores@college.edu"

alert = send_smtp_notification(
    from_email="airflow@college.edu",
    to=ALERTS,
    subject="AP scores: {{ ti.task_id }} failed",
    html_content="{{ ti.dag_id }}, run {{ run_id }}: {{ exception }}",
)

# The page in the UI shows the status, and other DAGs can be scheduled on the events.
ASSETS = {"inlets": [status()], "outlets": [events()]}

with DAG(
    dag_id="example_apscores_postgres",
    description="New AP score reports of every campus, in PostgreSQL",
    schedule="@daily",
    start_date=datetime(2026, 7, 1),
    catchup=False,
    max_active_runs=1,  # the runs of one account share a cursor: one at a time
    default_args={"retries": 3, "retry_delay": timedelta(minutes=10), "on_failure_callback": alert},
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
            **ASSETS,
        )
        parse = APScoresParseOperator(
            task_id="parse",
            source=download.output,
            output=f"{DATA}/tables",
            **ASSETS,
        )
        load = APScoresLoadOperator(
            task_id="load",
            tables=parse.output,
            conn_id=WAREHOUSE,
            create=True,
            **ASSETS,
        )
        record = APScoresRecordDownloadOperator(
            task_id="record",
            download=download.output,
            **ASSETS,
        )
        load >> record

    fail_if_any_campus_failed(campus.expand(di_code=check_login()))
