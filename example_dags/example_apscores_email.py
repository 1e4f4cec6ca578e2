"""
Start with College Board's e-mail: wait for the day's notifications, then fetch the new reports of their campuses.

College Board sends one e-mail a day and campus if there are new score reports, and none if there are not. Until then
the sensor polls your mailbox only, and takes no worker. Needs the extra ``[imap]`` and a connection ``imap_default`` to
the mailbox. ``CAMPUSES`` below names the campuses.

After the e-mail, one task logs in at College Board: a refused login fails there, once, before the campuses start.

Files and tables go below the Airflow variable ``apscores_data``: a folder or any ``ObjectStoragePath`` URI. The default
is a local folder, for an Airflow on one machine.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, task_group

from airflow_provider_apscores.assets import events, status
from airflow_provider_apscores.operators.download import APScoresDownloadOperator
from airflow_provider_apscores.operators.parse import APScoresParseOperator
from airflow_provider_apscores.operators.record import APScoresRecordDownloadOperator
from airflow_provider_apscores.sensors.notification_email import APScoresNotificationEmailSensor
from airflow_provider_apscores.task_groups import check_login, fail_if_any_campus_failed

AIRFLOW_HOME = os.environ.get("AIRFLOW_HOME", os.path.expanduser("~/airflow"))
DATA = f"{{{{ var.value.get('apscores_data', '{AIRFLOW_HOME}/apscores') }}}}"
CONNECTION = "apscores_default"

# What the subject of a notification calls each of your campuses. These are those of the sandbox.
CAMPUSES = {
    "0901": "Saltmarsh University",
    "9120": "Quillfeather College",
    "9245": "Lanternhill Institute",
}

# The page in the UI shows the status, and other DAGs can be scheduled on the events.
ASSETS = {"inlets": [status()], "outlets": [events()]}

with DAG(
    dag_id="example_apscores_email",
    description="Fetch new AP score reports when the notification e-mail arrives",
    schedule="@hourly",
    start_date=datetime(2026, 7, 1),
    catchup=False,
    max_active_runs=1,  # one run waits for the e-mails; the next one follows it
    default_args={"retries": 3, "retry_delay": timedelta(minutes=10), "retry_exponential_backoff": True},
    tags=["apscores", "example"],
    doc_md=__doc__,
):
    notification = APScoresNotificationEmailSensor(
        task_id="wait_for_email",
        campus_patterns=CAMPUSES,
        poke_interval=timedelta(minutes=5),
        timeout=timedelta(hours=12),
        soft_fail=True,  # no e-mail in time means no new reports: the run is skipped
        deferrable=True,
    )

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
            **ASSETS,
        )
        download >> parse >> record

    fail_if_any_campus_failed(campus.expand(di_code=check_login(notification.output, apscores_conn_id=CONNECTION)))
