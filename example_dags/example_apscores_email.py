"""
Started by College Board's own e-mail: wait for the day's notifications, then fetch what is new for their campuses.

College Board sends one e-mail a day and campus if there are new score reports, and none if there are not. Waiting for
it orders nothing and logs in nowhere but at your mail server, and the wait takes no worker. Needs the extra ``[imap]``
and a connection ``imap_default`` to the mailbox; the campuses are named by ``CAMPUSES`` below.

Files and tables go below the Airflow variable ``apscores_data``: a folder or any ``ObjectStoragePath`` URI.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, task_group

from airflow_provider_apscores.operators.download import APScoresDownloadOperator
from airflow_provider_apscores.operators.parse import APScoresParseOperator
from airflow_provider_apscores.operators.record import APScoresRecordDownloadOperator
from airflow_provider_apscores.sensors.notification_email import APScoresNotificationEmailSensor

AIRFLOW_HOME = os.environ.get("AIRFLOW_HOME", os.path.expanduser("~/airflow"))
DATA = f"{{{{ var.value.get('apscores_data', '{AIRFLOW_HOME}/apscores') }}}}"

# What the subject of a notification calls each of your campuses. These are those of the sandbox.
CAMPUSES = {
    "0901": "Saltmarsh University",
    "9120": "Quillfeather College",
    "9245": "Lanternhill Institute",
}

with DAG(
    dag_id="example_apscores_email",
    description="New AP score reports, as soon as the notification e-mail is there",
    schedule="@hourly",
    start_date=datetime(2026, 7, 1),
    catchup=False,
    max_active_runs=1,  # one run waits for the e-mails; the next takes its place
    default_args={"retries": 3, "retry_delay": timedelta(minutes=10), "retry_exponential_backoff": True},
    tags=["apscores", "example"],
    doc_md=__doc__,
):
    news = APScoresNotificationEmailSensor(
        task_id="news",
        campus_patterns=CAMPUSES,
        poke_interval=timedelta(minutes=5),
        timeout=timedelta(hours=12),
        soft_fail=True,  # no new reports, no e-mail: nothing failed
        deferrable=True,
    )

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

    campus.expand(di_code=news.output)
