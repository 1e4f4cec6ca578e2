"""
One delivery for three consumers: Slate by SFTP, Banner in a folder, and a database.

Each campus is downloaded once. Its file goes to every consumer, and the download is recorded when all of them have it.
If one consumer fails, clear its task: the others get nothing twice. The first task logs in: a refused login fails
there, once, before the campuses start.

Needs the extras ``[sftp]`` and ``[postgres]``, a connection ``slate`` of type ``sftp``, and a connection ``warehouse``
of type ``postgres``. Banner's folder is the Airflow variable ``apscores_banner``.

Files and tables go below the Airflow variable ``apscores_data``: a folder or any ``ObjectStoragePath`` URI. The default
is a local folder, for an Airflow on one machine.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, task_group

from airflow_provider_apscores.assets import events, status
from airflow_provider_apscores.operators.download import APScoresDownloadOperator
from airflow_provider_apscores.operators.hand_off import APScoresHandOffOperator
from airflow_provider_apscores.operators.load import APScoresLoadOperator
from airflow_provider_apscores.operators.parse import APScoresParseOperator
from airflow_provider_apscores.operators.record import APScoresRecordDownloadOperator
from airflow_provider_apscores.task_groups import check_login, fail_if_any_campus_failed

AIRFLOW_HOME = os.environ.get("AIRFLOW_HOME", os.path.expanduser("~/airflow"))
DATA = f"{{{{ var.value.get('apscores_data', '{AIRFLOW_HOME}/apscores') }}}}"
SLATE = "sftp://slate@/incoming"  # on the server of the connection
BANNER = f"{{{{ var.value.get('apscores_banner', '{AIRFLOW_HOME}/banner') }}}}"
WAREHOUSE = "warehouse"

# The page in the UI shows the status, and other DAGs can be scheduled on the events.
ASSETS = {"inlets": [status()], "outlets": [events()]}

with DAG(
    dag_id="example_apscores_consumers",
    description="Hand new AP score reports of every campus to Slate, Banner and a database",
    schedule="@daily",
    start_date=datetime(2026, 7, 1),
    catchup=False,
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
            **ASSETS,
        )
        slate = APScoresHandOffOperator(
            task_id="slate",
            download=download.output,
            to=SLATE,
            consumer="slate",
            **ASSETS,
        )
        banner = APScoresHandOffOperator(
            task_id="banner",
            download=download.output,
            to=BANNER,
            consumer="banner",
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
        [slate, banner, load] >> record

    fail_if_any_campus_failed(campus.expand(di_code=check_login()))
